"""
Who may see what a remote brought here (hub-protocol §2.7).

A public repository is for everybody who may use the distribution. Of others the upstream decides:
in token mode "shared" by the remote's token for all, in "client" by each caller's own. Whether
bytes are held makes no difference.
"""

import hashlib
import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from pulp_hugging_face.hub.errors import DefiniteRefusal, EntryNotFound, Trouble
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.egress import EgressPool

from .flights import Flights
from .known import Known, KnownStore
from .lru import Lru
from .views import Caller, RemoteView, View

# Seconds a client waits for an answer at most when there is no older one (§2.2: its limit is 10).
PATIENCE = 9.0
# Seconds a positive word of the upstream about a token counts as fresh.
GRANT_TTL = 60.0
_GRANTS = 10_000


@dataclass(frozen=True)
class GrantKey:
    """A token (by its hash, "" for the remote's own) and what it was allowed to do."""

    remote: UUID
    repo: RepoId
    token_hash: str
    content: bool


class Access:
    """Entitlement checks of a process."""

    def __init__(self, egress: EgressPool, known: KnownStore) -> None:
        self._egress = egress
        self._known = known
        self._granted: Lru[GrantKey, float] = Lru(_GRANTS)
        self._flights = Flights()

    async def close(self) -> None:
        """Stop questions under way."""
        await self._flights.close()

    def tokens(self, remote: RemoteView, caller: Caller) -> list[str | None]:
        """Return the tokens to ask the upstream with, in order; None asks anonymously."""
        if remote.token_mode == "shared":
            return [remote.config.token]
        return [None, caller.token] if caller.token else [None]

    def client(self, view: View, caller: Caller, known: Known | None) -> HubClient | None:
        """Return the upstream as this caller may see it; None without a remote."""
        if view.remote is None:
            return None
        tokens = self.tokens(view.remote, caller)
        token = tokens[0] if known is not None and known.is_public else tokens[-1]
        return HubClient(self._egress.get(view.remote.config), token)

    def may_see(self, remote: RemoteView, caller: Caller, known: Known) -> bool:
        """Tell whether the caller may know of the repository, by what was asked before."""
        if remote.token_mode == "shared" or known.is_public:
            return True
        if known.visibility == "gated" and known.refusal is None:
            return True  # information and listings of gated repositories are public
        return self._is_fresh(_key(remote, caller, known.repo, content=False))

    def was_seen(self, remote: RemoteView, caller: Caller, known: Known) -> bool:
        """Tell whether the caller was ever shown the repository, however long ago."""
        return self._granted.get(_key(remote, caller, known.repo, content=False)) is not None

    def identity(self, remote: RemoteView, caller: Caller) -> str:
        """Return what tells callers of different rights apart: a hash, never the token."""
        return _token_hash(remote, caller)

    def revoke(self, remote: RemoteView, caller: Caller, repo: RepoId) -> None:
        """Forget that a repository was shown to the caller's token."""
        for content in (False, True):
            self._granted.pop(_key(remote, caller, repo, content=content))

    def grant(self, remote: RemoteView, caller: Caller, repo: RepoId) -> None:
        """Remember that the upstream showed a repository to the caller's token."""
        self._granted.put(_key(remote, caller, repo, content=False), time.monotonic())

    async def require_content(
        self, view: View, caller: Caller, known: Known | None, sha: str, path: str
    ) -> None:
        """
        Raise the upstream's refusal unless the caller may have the repository's files.

        Only gated repositories are asked about: of private ones the upstream's info answer already
        decided. A grant that is no longer fresh still counts while the upstream cannot answer.
        """
        if view.remote is None or known is None or known.visibility != "gated":
            return
        key = _key(view.remote, caller, known.repo, content=True)
        if self._is_fresh(key):
            return
        client = self.client(view, caller, known)
        assert client is not None
        shared = view.remote.token_mode == "shared"
        before = self._granted.get(key) is not None or (shared and known.opened)
        patience = settings.HUGGING_FACE_REVALIDATE_SECONDS if before else PATIENCE
        try:
            await self._flights.wait(key, lambda: self._probe(client, key, sha, path), patience)
        except Trouble:
            if not before:
                raise

    async def _probe(self, client: HubClient, key: GrantKey, sha: str, path: str) -> None:
        try:
            await client.probe(key.repo, sha, path)
        except EntryNotFound:
            pass  # it would have told us if we were not allowed to know
        except DefiniteRefusal:
            self._granted.pop(key)
            if not key.token_hash:
                await self._known.record_opened(key.remote, key.repo, opened=False)
            raise
        self._granted.put(key, time.monotonic())
        if not key.token_hash:
            await self._known.record_opened(key.remote, key.repo, opened=True)

    def _is_fresh(self, key: GrantKey) -> bool:
        granted_at = self._granted.get(key)
        return granted_at is not None and time.monotonic() - granted_at < GRANT_TTL


def _key(remote: RemoteView, caller: Caller, repo: RepoId, *, content: bool) -> GrantKey:
    return GrantKey(remote.pk, repo, _token_hash(remote, caller), content)


def _token_hash(remote: RemoteView, caller: Caller) -> str:
    if remote.token_mode == "shared":
        return ""
    return hashlib.sha256((caller.token or "").encode()).hexdigest()
