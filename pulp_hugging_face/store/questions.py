"""Questions that only the upstream can answer, with the right token and for the right callers."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from pulp_hugging_face.hub.errors import InvalidCredentials, NotSupported
from pulp_hugging_face.hub.names import DEFAULT_BRANCH, RepoId, quote_path
from pulp_hugging_face.upstream.client import HubClient, PlainStream
from pulp_hugging_face.upstream.egress import EgressPool

from .access import Access
from .answers import Answered, Answers, Question
from .known import KnownStore
from .resolver import Resolution
from .views import Caller, RemoteView, View

# Seconds an answer about a full commit counts as fresh, where it may change all the same (the
# state of a security scan).
PINNED_TTL = 3600.0
# Seconds the upstream's word about a token is kept.
IDENTITY_TTL = 60.0
# Who asks for what belongs to an account, where the remote's token serves everybody: nobody.
_ANONYMOUS = "anonymous"
_EVERYBODY = ""


class Questions:
    """Asks the upstream on behalf of a caller of a distribution."""

    def __init__(
        self, answers: Answers, access: Access, known: KnownStore, egress: EgressPool
    ) -> None:
        self._known = known
        self._answers = answers
        self._access = access
        self._egress = egress

    async def pass_through(
        self,
        view: View,
        caller: Caller,
        target: str,
        *,
        shared: bool,
        repo: RepoId | None = None,
        accept: str = "application/json",
        body: Any = None,
    ) -> Answered:
        """
        Return what the upstream answers to a route below its URL.

        `shared` permits to ask with a token that serves everybody; `body` makes it a POST. Raises
        DefiniteRefusal, Trouble, and NotSupported where there is no upstream.
        """
        remote = _remote(view)
        token, identity = self._asker(remote, caller, shared=shared)
        question = Question(
            target,
            identity,
            float(remote.metadata_ttl),
            accept,
            body,
            repo=str(repo or _bucket_in(target)),
            granted=token is not None and not await self._is_public(remote, repo),
        )
        return await self._answers.ask(remote, self._client(remote, token), question)

    async def _is_public(self, remote: RemoteView, repo: RepoId | None) -> bool:
        """Tell whether a repository is known to be public: a token then made no difference."""
        known = await self._known.load(remote.pk, repo, DEFAULT_BRANCH) if repo else None
        return known is not None and known.is_public

    async def about_commit(
        self,
        view: View,
        caller: Caller,
        resolution: Resolution,
        suffix: str,
        *,
        ttl: float | None,
        body: Any = None,
    ) -> Answered | None:
        """
        Return what the upstream answers about a commit the caller may see; None without upstream.

        `suffix` follows the repository in the address; `body` makes it a POST.
        """
        client = self._access.client(view, caller, resolution.known)
        if view.remote is None or client is None:
            return None
        known = resolution.known
        public = known is not None and known.is_public
        question = Question(
            f"{resolution.commit.repo.api_path}/{suffix}",
            _EVERYBODY if public else self._access.identity(view.remote, caller),
            ttl,
            body=body,
            repo=str(resolution.commit.repo),
            follow=True,  # renamed since it was resolved: the commit is the same
        )
        return await self._answers.ask(view.remote, client, question)

    async def whoami(self, view: View, caller: Caller) -> Answered:
        """
        Return whom the upstream knows the caller's own token as.

        Never whose the remote's token is: that is for its administrators. Raises
        InvalidCredentials without a token.
        """
        remote = _remote(view)
        if not caller.token:
            raise InvalidCredentials("Invalid username or password.")
        question = Question("api/whoami-v2", caller.token_hash, IDENTITY_TTL, granted=True)
        return await self._answers.ask(remote, self._client(remote, caller.token), question)

    def bucket_file(
        self, view: View, caller: Caller, bucket: str, path: str, *, head: bool, wanted: str | None
    ) -> AbstractAsyncContextManager[PlainStream]:
        """Open a file of a bucket; `wanted` is a Range header. Never kept: it has no digest."""
        remote = _remote(view)
        token, _ = self._asker(remote, caller, shared=True)
        target = f"buckets/{bucket}/resolve/{quote_path(path)}"
        return self._client(remote, token).open_plain(target, head=head, byte_range=wanted)

    def _asker(self, remote: RemoteView, caller: Caller, *, shared: bool) -> tuple[str | None, str]:
        """Return the token to ask with, and what tells its answers from those to others."""
        if remote.token_mode == "shared" and not shared:
            return None, _ANONYMOUS
        return self._access.tokens(remote, caller)[-1], self._access.identity(remote, caller)

    def _client(self, remote: RemoteView, token: str | None) -> HubClient:
        return HubClient(self._egress.get(remote.config), token)


def _bucket_in(target: str) -> str:
    """Return what stands for a repository in an address of a bucket, "" in others."""
    return "buckets" if target.startswith("api/buckets/") else ""


def _remote(view: View) -> RemoteView:
    if view.remote is None:
        raise NotSupported("There is no upstream behind this endpoint to ask.")
    return view.remote
