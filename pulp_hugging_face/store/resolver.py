"""
From a revision to a commit: what is held answers, the upstream is asked only when it must be.

Order (architecture §4): a pinned version or a repository without a remote answers by itself. With
a remote, the upstream's last word counts while it is fresh; then one request asks again, others
get the old answer meanwhile; and when the upstream is in trouble the old answer goes on.
"""

import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    InvalidCredentials,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
    Trouble,
    UpstreamInvalid,
    UpstreamTimeout,
)
from pulp_hugging_face.hub.names import RepoId, is_sha
from pulp_hugging_face.upstream.client import HubClient, InfoAnswer
from pulp_hugging_face.upstream.egress import EgressPool

from .access import Access, still_counts
from .commits import Commits, HeldCommit
from .contents import Contents
from .inquiries import Inquiries, Inquiry
from .known import PRIVATE_GATED, Known, KnownStore, ends_serving, visibility_of
from .lru import Lru
from .moves import Moves
from .pullthrough import PullThrough
from .views import Caller, RemoteView, View

log = logging.getLogger("pulp_hugging_face.store")

_REFUSED = 4096


@dataclass(frozen=True)
class Resolution:
    """
    A commit to serve from.

    `known` is what the remote knows (None when a repository version answered). `stale` tells that
    the upstream is in trouble, or rejects the remote's token, and could not confirm the answer;
    that of a full commit id needs no confirmation.
    """

    commit: HeldCommit
    known: Known | None
    stale: bool = False


@dataclass(frozen=True)
class _Heard:
    """An answer of the upstream, the token it was given to, and what came without a token."""

    answer: InfoAnswer
    token: str | None
    refusal: DefiniteRefusal | None = None


class Resolver:
    """Finds the commit of a revision for a distribution and a caller."""

    def __init__(
        self,
        commits: Commits,
        known: KnownStore,
        contents: Contents,
        access: Access,
        egress: EgressPool,
        pull_through: PullThrough,
        inquiries: Inquiries,
        moves: Moves,
    ) -> None:
        self._commits = commits
        self._known = known
        self._contents = contents
        self._access = access
        self._egress = egress
        self._pull_through = pull_through
        self._inquiries = inquiries
        self._moves = moves
        # What callers' own tokens were refused: told apart from what others were, and for a moment.
        self._refused: Lru[tuple[object, ...], tuple[DefiniteRefusal, float]] = Lru(_REFUSED)

    async def resolve(self, view: View, caller: Caller, repo: RepoId, revision: str) -> Resolution:
        """
        Return the commit a revision means.

        Raises RepoMoved, RepoNotFound, RevisionNotFound and other DefiniteRefusal, and Trouble when
        the upstream cannot be asked and nothing older is known.
        """
        if view.remote is None or view.version is not None:
            held = await self._from_repository(view, repo, revision)
            if held is not None:
                return Resolution(held, None)
            if view.remote is None:
                raise await self._not_in_repository(view, repo, revision)
        return await self._through_remote(view, view.remote, caller, repo, revision)

    async def _from_repository(self, view: View, repo: RepoId, revision: str) -> HeldCommit | None:
        version = await self._contents.version(view)
        if version is None:
            return None
        sha = await self._contents.sha_of(version, repo, revision)
        return await self._commits.get(view.domain_pk, repo, sha) if sha else None

    async def _not_in_repository(self, view: View, repo: RepoId, revision: str) -> DefiniteRefusal:
        version = await self._contents.version(view)
        if version is not None and await self._contents.has_repo(version, repo):
            return RevisionNotFound(f"Invalid rev id: {revision}")
        return RepoNotFound("Repository not found")

    async def _through_remote(
        self, view: View, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> Resolution:
        known = await self._load(remote, caller, repo, revision)
        usable = None
        if known is not None:
            ago = await self._access.shown_ago(remote, caller, known)
            # A refusal is for whoever is refused; those with a token of their own were sorted out.
            told = known.refusal is not None or self._access.counts_as_shown(remote, ago)
            if told and self._is_fresh(remote, known, revision):
                return await self._answer(view, remote, caller, known, repo, revision)
            # No longer enough to answer at once, but it is when nobody can say.
            if known.sha and not known.refusal and still_counts(ago):
                usable = known
        try:
            stale = await self._ask(view, remote, caller, repo, revision, usable)
        except Trouble:
            held = await self._despite_trouble(view, remote, caller, known, repo, revision)
            if held is None:
                raise
            return Resolution(held, None, stale=not is_sha(revision))
        if usable is None or not stale:
            known = await self._load(remote, caller, repo, revision)
        if known is None:
            raise UpstreamTimeout("The remote was changed meanwhile, please retry.", retry_after=1)
        return await self._answer(view, remote, caller, known, repo, revision, stale=stale)

    async def _load(
        self, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> Known | None:
        """Return what is known. What was refused to others says nothing of a token's right."""
        known = await self._known.load(remote.pk, repo, revision)
        if known and known.refusal and remote.token_mode == "client" and caller.token:
            visibility = known.visibility if known.is_private else PRIVATE_GATED
            return replace(known, refusal=None, visibility=visibility)
        return known

    async def _despite_trouble(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        known: Known | None,
        repo: RepoId,
        revision: str,
    ) -> HeldCommit | None:
        """Return the repository's own commit, unless the upstream last refused to show it."""
        refusal = known and (known.refusal or known.ref_refusal)
        if refusal:
            raise refusal
        if known is not None:
            return await self._from_repository(view, repo, revision) if known.is_public else None
        await self._look_for_spelling(remote, caller, repo, revision)
        return await self._from_repository(view, repo, revision)

    async def _look_for_spelling(
        self, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> None:
        """Raise RepoMoved for an id in other letter case, as the upstream would."""
        spelt = await self._known.spelling(remote.pk, repo)
        known = await self._load(remote, caller, spelt, revision) if spelt else None
        if known is None or known.refusal is not None:
            return
        if still_counts(await self._access.shown_ago(remote, caller, known)):
            raise RepoMoved(known.repo.id)

    def _is_fresh(self, remote: RemoteView, known: Known, revision: str) -> bool:
        """Tell whether what is known may be answered without asking."""
        if known.refusal is not None:
            return known.age() < settings.HUGGING_FACE_REFUSAL_TTL
        if known.ref_refusal is not None:
            return known.ref_age() < settings.HUGGING_FACE_REFUSAL_TTL
        if not known.sha:
            return False
        if is_sha(revision):
            # It means the same for ever, but the right to see it may end.
            return known.age() < max(settings.HUGGING_FACE_GRANT_TTL, float(remote.metadata_ttl))
        return known.ref_age() < remote.metadata_ttl

    async def _answer(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        known: Known,
        repo: RepoId,
        revision: str,
        *,
        stale: bool = False,
    ) -> Resolution:
        if known.refusal is not None:
            raise known.refusal
        if known.repo != repo:
            raise RepoMoved(known.repo.id)
        if known.ref_refusal is not None:
            raise known.ref_refusal
        commit = await self._commits.get(view.domain_pk, known.repo, known.sha)
        if commit is None:
            # Its content unit was deleted, so that it must be asked for anew.
            await self._known.forget_commit(remote.pk, known.repo, known.sha)
            await self._ask(view, remote, caller, known.repo, revision, None)
            known = await self._load(remote, caller, known.repo, revision) or known
            commit = await self._commits.get(view.domain_pk, known.repo, known.sha)
        if commit is None:
            raise RevisionNotFound(f"Invalid rev id: {revision}")
        return Resolution(commit, known, stale and not is_sha(revision))

    # Asking the upstream.

    async def _ask(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        repo: RepoId,
        revision: str,
        usable: Known | None,
    ) -> bool:
        """
        Ask the upstream unless an older answer serves better. Returns whether that is stale.

        Raises the refusal, or Trouble when there is nothing older.
        """
        self._raise_refused(remote, caller, repo)
        inquiry = self._inquiry(view, remote, caller, repo, revision, held=usable is not None)
        try:
            reply = await self._inquiries.ask(
                inquiry, older=usable is not None, meanwhile=remote.metadata_ttl > 0
            )
        except InvalidCredentials:
            # The remote's own token was rejected: what is public stays served.
            if remote.token_mode != "shared" or usable is None or not usable.is_public:
                raise
            log.warning("%s: the upstream rejects the remote's token", repo)
            return True
        return reply.stale

    def _inquiry(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        repo: RepoId,
        revision: str,
        *,
        held: bool,
    ) -> Inquiry[None]:
        key = (remote.config, self._access.identity(remote, caller), repo, revision)
        return Inquiry(
            remote.config,
            repo,
            key,
            lambda: self._ask_upstream(view, remote, caller, repo, revision, held),
            caller,
        )

    def _raise_refused(self, remote: RemoteView, caller: Caller, repo: RepoId) -> None:
        refused = self._refused.get((remote.config, self._access.identity(remote, caller), repo))
        if refused and time.monotonic() - refused[1] < settings.HUGGING_FACE_REFUSAL_TTL:
            raise refused[0]

    async def _ask_upstream(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        repo: RepoId,
        revision: str,
        held: bool,
    ) -> None:
        """Ask with each token in turn and record the outcome; `held`: this caller had it before."""
        try:
            heard = await self._hear(remote, caller, repo, revision)
        except RevisionNotFound as refusal:
            if not (held and is_sha(revision)):
                await self._known.record_no_revision(remote, repo, revision, refusal)
                raise
            # Force-pushed away. The commit stays; the right to it is that to the repository.
            heard = await self._hear(remote, caller, repo, None)
            await self._record_seen(remote, caller, repo, heard)
            return

        def record() -> Coroutine[Any, Any, None]:
            return self._record(view, remote, caller, repo, revision, heard)

        if not held:
            await record()
            return
        client = HubClient(self._egress.get(remote.config), heard.token)
        await self._moves.make(view, remote, repo, revision, heard.answer, client, record)

    async def _record(
        self,
        view: View,
        remote: RemoteView,
        caller: Caller,
        repo: RepoId,
        revision: str,
        heard: _Heard,
    ) -> None:
        visibility = await self._record_grant(remote, caller, heard)
        await self._known.record_answer(
            remote, view.domain_pk, repo, revision, heard.answer, visibility, heard.refusal
        )
        shared = await self._access.may_join(remote, caller, heard.answer.repo, visibility)
        self._pull_through.note(view, heard.answer, revision, shared=shared)

    async def _record_seen(
        self, remote: RemoteView, caller: Caller, repo: RepoId, heard: _Heard
    ) -> None:
        visibility = await self._record_grant(remote, caller, heard)
        await self._known.record_seen(remote, repo, heard.answer.repo, visibility, heard.refusal)

    async def _record_grant(self, remote: RemoteView, caller: Caller, heard: _Heard) -> str:
        """Note to whom a repository was shown; return its visibility."""
        if remote.token_mode == "shared" or heard.token is None:
            return visibility_of(heard.answer.info)
        await self._access.grant(remote, caller, heard.answer.repo)
        # Others were refused: whatever the info object says, it is not public.
        return visibility_of(heard.answer.info, private=True)

    async def _hear(
        self, remote: RemoteView, caller: Caller, repo: RepoId, revision: str | None
    ) -> _Heard:
        """Return the first answer; what ends serving is recorded for whom it was told."""
        *others, last = self._access.tokens(remote, caller)
        refusal: DefiniteRefusal | None = None
        for token in others:
            try:
                return _Heard(await self._info(remote, token, repo, revision), token)
            except RevisionNotFound:
                raise
            except DefiniteRefusal as error:
                log.debug("%s: refused without a token: %s", repo, error.message)
                refusal = error
        try:
            return _Heard(await self._info(remote, last, repo, revision), last, refusal)
        except RevisionNotFound:
            raise
        except DefiniteRefusal as error:
            await self._record_refusal(remote, caller, repo, refusal or error, error)
            raise

    async def _info(
        self, remote: RemoteView, token: str | None, repo: RepoId, revision: str | None
    ) -> InfoAnswer:
        client = HubClient(self._egress.get(remote.config), token)
        answer = await client.info(repo, revision)
        if revision and is_sha(revision) and answer.sha != revision:
            raise UpstreamInvalid("The upstream answered with another commit than asked for.")
        return answer

    async def _record_refusal(
        self,
        remote: RemoteView,
        caller: Caller,
        repo: RepoId,
        everybody: DefiniteRefusal,
        own: DefiniteRefusal,
    ) -> None:
        """Remember what the caller was refused, and what everybody without a token was."""
        if ends_serving(own) or isinstance(own, InvalidCredentials):
            await self._access.revoke(remote, caller, repo, own)
        if everybody is not own:
            key = (remote.config, self._access.identity(remote, caller), repo)
            self._refused.put(key, (own, time.monotonic()))
        if ends_serving(everybody):
            log.info("%s is refused by the upstream: %s", repo, everybody.message)
            await self._known.record_refusal(remote, repo, everybody)
