"""Content units: commits and the refs that point to them (architecture §3)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from pulpcore.plugin.models import Content
from pulpcore.plugin.util import get_domain_pk

from pulp_hugging_face.hub.names import RepoType

REPO_TYPES = [(kind.value, kind.value) for kind in RepoType]


class Commit(Content):
    """
    One commit of a Hub repository: the immutable unit everything is served from.

    Its files are not content units. The directory listings are `Tree` rows, and one
    ContentArtifact `<repo>/resolve/<sha>/<path>` is added for each file that becomes held.

    Fields:
        repo_type: "model", "dataset", "space" or "kernel".
        repo_id: canonical id as the Hub spells it, "namespace/name" or a legacy "name".
        sha: git commit id, 40 hex digits.
        root_tree: key of the root `Tree`; empty until the root has been listed.
        parents: shas of the parent commits, null where the upstream did not tell.
        author, title, date: as in the Hub's commit list; empty or null where unknown.
        file_count, total_size: number of files and their bytes; null until all is listed.
        info: the Hub's info object as of this commit, without `siblings`.
    """

    TYPE = "commit"
    PROTECTED_FROM_RECLAIM = False
    repo_key_fields = ()

    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    sha = models.CharField(max_length=40, db_index=True)
    root_tree = models.CharField(max_length=64, default="", blank=True)
    parents = ArrayField(models.CharField(max_length=40), null=True)
    author = models.TextField(default="", blank=True)
    title = models.TextField(default="", blank=True)
    date = models.DateTimeField(null=True)
    file_count = models.BigIntegerField(null=True)
    total_size = models.BigIntegerField(null=True)
    info = models.JSONField(default=dict)
    _pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("repo_type", "repo_id", "sha", "_pulp_domain")


class Ref(Content):
    """
    A branch, tag, pull request or convert ref and the commit it points to.

    A repository version holds at most one per (repo_type, repo_id, name), so that it is a
    consistent set of refs which can be pinned, promoted and rolled back.

    Fields:
        name: full git ref, e.g. "refs/heads/main", "refs/tags/v1", "refs/pr/1".
        sha: the commit, 40 hex digits.
    """

    TYPE = "ref"
    repo_key_fields = ("repo_type", "repo_id", "name")

    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    name = models.CharField(max_length=512)
    sha = models.CharField(max_length=40, db_index=True)
    _pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("repo_type", "repo_id", "name", "sha", "_pulp_domain")
