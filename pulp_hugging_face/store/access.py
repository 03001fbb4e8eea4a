"""
Who may see what a remote brought here (hub-protocol §2.7).

A public repository is for everybody who may use the distribution. Of others the upstream decides:
in token mode "shared" by the remote's token for all, in "client" by each caller's own. Whether
bytes are held makes no difference.
"""

import hashlib

from django.conf import settings

from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    EntryNotFound,
    InvalidCredentials,
    RevisionNotFound,
)
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.egress import EgressPool

from .flights import PATIENCE as PATIENCE
from .grants import GrantKey, Grants
from .inquiries import Inquiries, Inquiry, Outcome
from .known import GATED, PRIVATE_GATED, PUBLIC, Known
from .pullthrough import PullThrough
from .views import Caller, RemoteView, View


class Access:
    """Entitlement checks of a process."""

    def __init__(
        self,
        egress: EgressPool,
        grants: Grants,
        inquiries: Inquiries,
        pull_through: PullThrough,
    ) -> None:
        self._egress = egress
        self._grants = grants
        self._inquiries = inquiries
        self._pull_through = pull_through

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

    def identity(self, remote: RemoteView, caller: Caller) -> str:
        """
        Return what tells callers of different rights apart: a hash, never the token.

        It covers the upstream's address, too: what one has granted says nothing at another.
        """
        token = self.tokens(remote, caller)[-1] or ""
        return hashlib.sha256(f"{remote.config.url}\n{token}".encode()).hexdigest()

    # The repository: that it exists, its information and listings.

    async def shown_ago(self, remote: RemoteView, caller: Caller, known: Known) -> float:
        """
        Return the seconds since the upstream let this caller see the repository.

        0 where everybody may; infinite if it never did.
        """
        if known.is_listed:
            return 0.0
        if remote.token_mode == "shared":
            return known.age()  # the only one who asks is the remote itself
        return await self._grants.age(self._key(remote, caller, known.repo, content=False))

    def counts_as_shown(self, remote: RemoteView, ago: float) -> bool:
        """Tell whether that is recent enough to answer before the upstream is asked again."""
        if remote.token_mode == "shared":
            return still_counts(ago)
        return ago < settings.HUGGING_FACE_GRANT_TTL

    async def grant(self, remote: RemoteView, caller: Caller, repo: RepoId) -> None:
        """Remember that the upstream showed a repository to the caller's token."""
        await self._grants.give(self._key(remote, caller, repo, content=False))

    async def revoke(
        self, remote: RemoteView, caller: Caller, repo: RepoId, refusal: DefiniteRefusal
    ) -> None:
        """Forget what a caller was shown, in all processes."""
        if isinstance(refusal, InvalidCredentials):
            await self._grants.take_all(remote.pk, self.identity(remote, caller))
        else:
            keys = (self._key(remote, caller, repo, content=content) for content in (False, True))
            await self._grants.take(*keys)

    # Its files.

    async def require_content(
        self, view: View, caller: Caller, known: Known | None, sha: str, path: str
    ) -> None:
        """
        Raise the upstream's refusal unless the caller may have the repository's files.

        Only gated repositories are asked about: of private ones the upstream's info answer already
        decided. A grant that is no longer fresh still counts while the upstream cannot answer.
        """
        if view.remote is None or known is None or not known.is_gated:
            return
        key = self._key(view.remote, caller, known.repo, content=True)
        ago = await self._grants.age(key)
        if ago < settings.HUGGING_FACE_GRANT_TTL:
            return
        client = self.client(view, caller, known)
        assert client is not None
        remote = view.remote
        inquiry = Inquiry(
            remote.config,
            known.repo,
            key,
            lambda: self._probe(remote, caller, client, key, sha, path),
            caller,
        )
        reply = await self._inquiries.ask(inquiry, older=still_counts(ago))
        if reply.outcome is Outcome.NEW and remote.token_mode == "shared":
            await self._pull_through.note_opened(view, known.repo, sha)

    async def may_join(
        self, remote: RemoteView, caller: Caller, repo: RepoId, visibility: str
    ) -> bool:
        """
        Tell whether what was found may join a repository: there nobody is asked about rights.

        So it must not be by the right of one caller. Information of gated repositories is for
        everybody (§2.7): theirs waits until the remote's own token has opened a file.
        """
        if remote.token_mode != "shared":
            return visibility == PUBLIC
        if visibility not in (GATED, PRIVATE_GATED):
            return True
        ago = await self._grants.age(self._key(remote, caller, repo, content=True))
        return ago < settings.HUGGING_FACE_GRANT_TTL

    async def _probe(
        self,
        remote: RemoteView,
        caller: Caller,
        client: HubClient,
        key: GrantKey,
        sha: str,
        path: str,
    ) -> None:
        try:
            await _may_read(client, key.repo, sha, path)
        except DefiniteRefusal as refusal:
            if isinstance(refusal, InvalidCredentials):
                await self.revoke(remote, caller, key.repo, refusal)
            else:
                await self._grants.take(key)
            raise
        await self._grants.give(key)

    def _key(self, remote: RemoteView, caller: Caller, repo: RepoId, *, content: bool) -> GrantKey:
        return GrantKey(remote.pk, repo, self.identity(remote, caller), content)


def still_counts(ago: float) -> bool:
    """Tell whether what the upstream once allowed counts while it cannot be asked."""
    return ago < settings.HUGGING_FACE_GRANT_MAX_AGE


async def _may_read(client: HubClient, repo: RepoId, sha: str, path: str) -> None:
    """Ask whether files may be read. A file's own address does not count as an API request."""
    try:
        await client.probe(repo, sha, path)
    except EntryNotFound:
        pass  # it would have told us if we were not allowed to know
    except RevisionNotFound:
        await client.auth_check(repo)  # we may hold a commit that upstream has no longer
