"""Everything the fixture Hub knows: repositories, aliases, users, settings, signed URLs."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from . import errors
from .content import Content
from .declare import RepoSpec, UserSpec
from .gitmodel import Blob, Commit
from .repos import Repo
from .wire import Ask

SIGNING_KEY = b"the fixture signs with this"


@dataclass
class Settings:
    """What a test may turn.

    url_ttl: seconds a signed CDN URL lives. xet: advertise Xet as the real Hub does.
    explicit_repo_not_found: add the `X-Error-Code` that the real Hub leaves out of its 401.
    small_file_redirect: 307 to resolve-cache (§1.6); off = everything regular served directly.
    bucket_direct_size: files of a bucket up to this size are answered without a redirect.
    compress: gzip what is text for those who accept it, with a weakened ETag as a CDN does.
    """

    url_ttl: int = 3600
    xet: bool = True
    explicit_repo_not_found: bool = False
    small_file_redirect: bool = True
    compress: bool = False
    bucket_direct_size: int = 16 * 1024
    page_size: int = 1000
    expanded_page_size: int = 50
    commits_page_size: int = 50


@dataclass
class World:
    hub_url: str = ""
    cdn_url: str = ""
    settings: Settings = field(default_factory=Settings)
    users: dict[str, UserSpec] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    url_generation: int = 0
    _specs: dict[tuple[str, str], RepoSpec] = field(default_factory=dict)
    _live: dict[tuple[str, str], Repo] = field(default_factory=dict)
    _blobs: dict[str, Blob] = field(default_factory=dict)

    def declare(self, spec: RepoSpec) -> None:
        """Make or replace a repository; its git objects are built when first asked for."""
        key = (spec.type, spec.id)
        self.forget(*key)
        self._specs[key] = spec
        self.aliases.pop(key, None)
        self.aliases.update({(spec.type, alias): spec.id for alias in spec.aliases})

    def forget(self, repo_type: str, repo_id: str) -> None:
        self._specs.pop((repo_type, repo_id), None)
        self._live.pop((repo_type, repo_id), None)

    def rename(self, repo: Repo, new_id: str) -> None:
        """Move a repository; the old id answers 307 (§1.6)."""
        self.forget(*repo.key)
        old, repo.id = repo.id, new_id
        self.aliases[(repo.type, old)] = new_id
        self.aliases.pop(repo.key, None)
        self._live[repo.key] = repo

    def add_users(self, users: Iterable[UserSpec]) -> None:
        self.users.update({user.token: user for user in users})

    def find(self, repo_type: str, repo_id: str) -> Repo | None:
        key = (repo_type, repo_id)
        if key not in self._live and key in self._specs:
            self._live[key] = Repo.declared(self._specs.pop(key))
        return self._live.get(key)

    def repos(self, repo_type: str) -> list[Repo]:
        names = {key for key in (*self._specs, *self._live) if key[0] == repo_type}
        found = (self.find(*name) for name in sorted(names))
        return [repo for repo in found if repo is not None]

    def canonical(self, repo_type: str, repo_id: str) -> str | None:
        """The id that an old name, or a name in other letter case, redirects to."""
        renamed = self.aliases.get((repo_type, repo_id))
        if renamed:
            return self.canonical(repo_type, renamed) or renamed
        folded = repo_id.lower()
        for kind, name in (*self._specs, *self._live):
            if kind == repo_type and name.lower() == folded and name != repo_id:
                return name
        return None

    def user_of(self, ask: Ask) -> UserSpec | None:
        """The caller; a token that is not known is refused whatever it asks for."""
        header = ask.authorization
        if header is None:
            return None
        user = self.users.get(header.removeprefix("Bearer ").strip())
        if user is None:
            raise errors.bad_credentials()
        return user

    def may_see(self, repo: Repo, user: UserSpec | None) -> bool:
        return not repo.private or (user is not None and user.name in repo.readers)

    def visible(self, repo_type: str, repo_id: str, ask: Ask) -> Repo:
        """The repository, or the refusal: private and absent look the same (§1.7)."""
        user = self.user_of(ask)
        repo = self.find(repo_type, repo_id)
        if repo is None or not self.may_see(repo, user):
            explicit = self.settings.explicit_repo_not_found
            raise errors.repo_not_found(anonymous=user is None, explicit=explicit)
        if repo.disabled:
            raise errors.disabled()
        return repo

    def check_content(self, repo: Repo, ask: Ask) -> None:
        """Gated: metadata is public, content is for those who were granted it (§2.7)."""
        user = self.user_of(ask)
        if repo.gated and (user is None or user.name not in repo.readers):
            url = f"{self.hub_url}{repo.web_path}"
            raise errors.gated(repo.type, repo.id, url, anonymous=user is None)

    def may_write(self, repo: Repo, user: UserSpec | None) -> bool:
        """The owner of the namespace, and the members of it."""
        return user is not None and repo.author in (user.name, *user.orgs)

    def check_writer(self, repo: Repo, ask: Ask) -> UserSpec:
        user = self.user_of(ask)
        if user is None:
            raise errors.not_authenticated()
        if not self.may_write(repo, user):
            raise errors.forbidden("You don't have the required permissions on this repository")
        return user

    def remember(self, blob: Blob) -> None:
        """The CDN keeps serving what it ever had, as object storage does."""
        if blob.lfs:
            self._blobs[blob.lfs.xet_hash] = blob

    def cdn_content(self, xet_hash: str) -> Content | None:
        blob = self._blobs.get(xet_hash)
        return blob.content if blob else None

    def sign(self, repo: Repo, blob: Blob, disposition: str, now: Callable[[], float]) -> str:
        """A signed, expiring CDN URL (§1.6)."""
        assert blob.lfs is not None
        self.remember(blob)
        path = f"/xet-bridge-us/{repo.object_id}/{blob.lfs.xet_hash}"
        query = [
            ("X-Xet-Cas-Uid", "public"),
            ("response-content-disposition", disposition),
            ("response-content-type", "application/octet-stream"),
            ("Expires", str(int(now()) + self.settings.url_ttl)),
        ]
        signed = [*query, ("Signature", self._signature(path, query)), ("Key-Pair-Id", "FIXTURE")]
        return f"{self.cdn_url}{path}?{urlencode(signed, quote_via=quote, safe='')}"

    def signature_holds(self, raw_path: str, raw_query: str) -> bool:
        query = parse_qsl(raw_query, keep_blank_values=True)
        said = dict(query)
        covered = [pair for pair in query if pair[0] not in ("Signature", "Key-Pair-Id")]
        expires = said.get("Expires", "")
        fresh = expires.isdigit() and int(expires) >= time.time()
        right = hmac.compare_digest(said.get("Signature", ""), self._signature(raw_path, covered))
        return fresh and right

    def _signature(self, path: str, query: list[tuple[str, str]]) -> str:
        text = f"{self.url_generation} {path}?{urlencode(query)}"
        return hmac.new(SIGNING_KEY, text.encode(), hashlib.sha256).hexdigest()


def revision_of(repo: Repo, revision: str) -> Commit:
    commit = repo.resolve(revision)
    if commit is None:
        raise errors.revision_not_found(revision)
    return commit
