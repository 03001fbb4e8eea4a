"""Remote, repository and distribution (architecture §3, §7)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_lifecycle import AFTER_UPDATE, BEFORE_DELETE, hook
from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    Distribution,
    EncryptedTextField,
    Remote,
    Repository,
)
from pulpcore.plugin.repo_version_utils import remove_duplicates

from pulp_hugging_face.hub.names import quote_path

from .content import Commit, Ref

TOKEN_MODES = [("shared", "shared"), ("client", "client")]
DEFAULT_REDIRECT_HOSTS = ["*.huggingface.co", "*.hf.co"]


def default_redirect_hosts() -> list[str]:
    """Return the hosts that the Hub itself redirects to."""
    return list(DEFAULT_REDIRECT_HOSTS)


class HuggingFaceRemote(Remote, AutoAddObjPermsMixin):
    """
    A Hub to fetch from.

    Fields:
        hf_token: access token sent to the host of `url` and nowhere else. Encrypted at rest.
        token_mode: "shared" (the remote's token serves everybody who may use the distribution),
            "client" (each caller's own token decides) or null: "shared" with a token, else
            "client". See `effective_token_mode`.
        max_redirects: how many redirects of the upstream are followed.
        redirect_hosts: host patterns redirects may lead to besides the remote's own host.
        metadata_ttl: seconds an answer of the upstream about a ref counts as fresh; 0 always asks.
    """

    TYPE = "hugging-face"
    # Set when the application is ready: models know nothing of the network (architecture §2).
    downloader_factory = None

    hf_token = EncryptedTextField(null=True)
    token_mode = models.CharField(max_length=16, choices=TOKEN_MODES, null=True)
    max_redirects = models.PositiveIntegerField(default=5)
    redirect_hosts = ArrayField(models.TextField(), default=default_redirect_hosts)
    metadata_ttl = models.PositiveIntegerField(default=60)

    @property
    def download_factory(self):
        """Return what pulpcore's own tasks (repair) download with."""
        return self.downloader_factory(self)

    @property
    def effective_token_mode(self) -> str:
        """Return "shared" or "client", applying the default rule."""
        return self.token_mode or ("shared" if self.hf_token else "client")

    def get_remote_artifact_url(self, relative_path=None, request=None) -> str:
        """Return the upstream URL of a file from `<repo>/resolve/<sha>/<path>`."""
        if relative_path.startswith("/"):
            raise ValueError(f"Relative path can't start with '/'. {relative_path}")
        return f"{self.url.rstrip('/')}/{quote_path(relative_path)}"

    def get_remote_artifact_content_type(self, relative_path=None):
        """Return None: pulpcore's own pull-through is never used for Hub paths."""
        return None

    @hook(AFTER_UPDATE, when_any=["url", "hf_token", "token_mode"], has_changed=True)
    def forget_what_was_known(self) -> None:
        """Drop entitlements and freshness: they belong to the old address and credentials."""
        self.hugging_face_knownrepo.all().delete()
        self.hugging_face_knownref.all().delete()
        self.hugging_face_knowngrant.all().delete()
        self.hugging_face_knownanswer.all().delete()

    @hook(BEFORE_DELETE)
    def delete_cache_repository(self) -> None:
        """Delete the hidden repository that protected this remote's cache."""
        HuggingFaceRepository.objects.filter(
            name=cache_repository_name(self), user_hidden=True, pulp_domain=self.pulp_domain
        ).delete()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_huggingfaceremote", "Can manage roles on Hugging Face remotes"),
        ]


class HuggingFaceRepository(Repository, AutoAddObjPermsMixin):
    """A set of refs and commits of any number of Hub repositories, in versions."""

    TYPE = "hugging-face"
    CONTENT_TYPES = [Commit, Ref]
    REMOTE_TYPES = [HuggingFaceRemote]

    def finalize_new_version(self, new_version) -> None:
        """Keep refs unique and never dangling: a ref brings its commit, or goes with it."""
        remove_duplicates(new_version)
        self._drop_refs_of_removed_commits(new_version)
        self._add_commits_of_refs(new_version)

    def _drop_refs_of_removed_commits(self, new_version) -> None:
        removed = Commit.objects.filter(pk__in=new_version.removed().values("pk"))
        for repo_type, repo_id, sha in removed.values_list("repo_type", "repo_id", "sha"):
            refs = Ref.objects.filter(
                pk__in=new_version.content.values("pk"),
                repo_type=repo_type,
                repo_id=repo_id,
                sha=sha,
            )
            new_version.remove_content(refs)

    def _add_commits_of_refs(self, new_version) -> None:
        added = Ref.objects.filter(pk__in=new_version.added().values("pk"))
        for repo_type, repo_id, sha in added.values_list("repo_type", "repo_id", "sha"):
            commits = Commit.objects.filter(
                repo_type=repo_type, repo_id=repo_id, sha=sha, pulp_domain=self.pulp_domain
            )
            new_version.add_content(commits)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("modify_huggingfacerepository", "Can modify content of the repository"),
            ("sync_huggingfacerepository", "Can start a sync task"),
            ("repair_huggingfacerepository", "Can repair repository versions"),
            ("manage_roles_huggingfacerepository", "Can manage roles on Hugging Face repositories"),
        ]


class HuggingFaceDistribution(Distribution, AutoAddObjPermsMixin):
    """
    A Hub endpoint: `{CONTENT_ORIGIN}/pulp/content/{base_path}` is a value for HF_ENDPOINT.

    Requests are answered by `serve/` in front of pulpcore's handler; pulpcore's own lookup would
    know nothing of entitlement and freshness and is closed (`content_handler`).
    """

    TYPE = "hugging-face"

    def content_handler(self, path):
        """Refuse what did not come through `serve/` (a second lock behind the middleware)."""
        from aiohttp.web import HTTPNotFound

        raise HTTPNotFound(headers={"X-Error-Code": "EntryNotFound"})

    def content_handler_list_directory(self, rel_path):
        """Refuse listings for the same reason."""
        return self.content_handler(rel_path)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_huggingfacedistribution", "Can manage roles on distributions"),
        ]


def cache_repository_name(remote: HuggingFaceRemote) -> str:
    """Return the name of the hidden repository that keeps a remote's cache from clean-up."""
    return f"hugging-face-cache-of-{remote.pk}"
