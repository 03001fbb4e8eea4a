"""
From a revision to a commit: what is held answers, the upstream is asked only when it must be.

Order (architecture §4): a pinned version or a repository without a remote answers by itself. With
a remote, the upstream's last word counts while it is fresh; then one request asks again, others
get the old answer meanwhile; and when the upstream is in trouble the old answer goes on.
"""

import logging
import time
from dataclasses import dataclass, replace
from uuid import UUID

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

from .access import PATIENCE, Access
from .commits import Commits, HeldCommit
from .contents import Contents
from .flights import Flights
from .known import Known, KnownStore, ends_serving
from .pullthrough import PullThrough
from .views import Caller, RemoteView, View

log = logging.getLogger("pulp_hugging_face.store")

# Seconds an upstream that failed is not asked again where an older answer serves.
TROUBLE_PAUSE = 3.0
# Seconds after which the upstream is asked, behind the answer, whether it still shows a repository.
ENTITLEMENT_TTL = 60.0


@dataclass(frozen=True)
class Resolution:
    """
    A commit to serve from.

    `known` is what the remote knows (None when a repository version answered); `stale` tells that
    the upstream could not confirm it.
    """

    commit: HeldCommit
    known: Known | None
    stale: bool = False


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
    ) -> None:
        self._commits = commits
        self._known = known
        self._contents = contents
        self._access = access
        self._egress = egress
        self._pull_through = pull_through
        self._flights = Flights()
        self._trouble_until: dict[UUID, float] = {}

    async def close(self) -> None:
        """Stop questions under way."""
        await self._flights.close()

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
        visible = known is not None and self._access.may_see(remote, caller, known)
        # A refusal is for whoever is refused; those with a token of their own were sorted out.
        told = visible or (known is not None and known.refusal is not None)
        if known is not None and told and self._is_fresh(remote, known, revision):
            self._check_entitlement_behind(view, remote, caller, known, revision)
            return await self._answer(view, remote, caller, known, repo, revision)
        # An expired grant is no longer enough to answer at once, but it is when nobody can say.
        seen = known is not None and (visible or self._access.was_seen(remote, caller, known))
        usable = known if seen and known and known.sha and not known.refusal else None
        try:
            stale = await self._ask(view, remote, caller, repo, revision, usable)
        except Trouble:
            held = await self._despite_trouble(view, known, repo, revision)
            if held is None:
                raise
            return Resolution(held, None, stale=True)
        if not stale:
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
            return replace(known, refusal=None, visibility="private")
        return known

    async def _despite_trouble(
        self, view: View, known: Known | None, repo: RepoId, revision: str
    ) -> HeldCommit | None:
        """Return the repository's own commit, unless the upstream last refused to show it."""
        refusal = known and (known.refusal or known.ref_refusal)
        if refusal:
            raise refusal
        if known is not None and not known.is_public:
            return None
        return await self._from_repository(view, repo, revision)

    def _is_fresh(self, remote: RemoteView, known: Known, revision: str) -> bool:
        """Tell whether what is known may be answered without asking."""
        if known.refusal is not None:
            return known.age() < settings.HUGGING_FACE_REFUSAL_TTL
        if known.ref_refusal is not None:
            return known.ref_age() < settings.HUGGING_FACE_REFUSAL_TTL
        if not known.sha:
            return False
        return is_sha(revision) or known.ref_age() < remote.metadata_ttl

    def _check_entitlement_behind(
        self, view: View, remote: RemoteView, caller: Caller, known: Known, revision: str
    ) -> None:
        """A full sha never goes stale, but the right to see it may: ask behind the answer."""
        limit = max(ENTITLEMENT_TTL, float(remote.metadata_ttl))
        if is_sha(revision) and known.age() > limit and not self._in_trouble(remote):
            self._flights.start(
                self._key(remote, caller, known.repo, revision),
                lambda: self._ask_upstream(view, remote, caller, known.repo, revision),
            )

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
        return Resolution(commit, known, stale)

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
        Ask the upstream unless an older answer serves better. Returns True for "use the old one".

        Raises the refusal, or Trouble when there is nothing older.
        """
        key = self._key(remote, caller, repo, revision)
        asking = self._flights.under_way(key) and remote.metadata_ttl > 0
        if usable and (self._in_trouble(remote) or asking):
            return True
        patience = settings.HUGGING_FACE_REVALIDATE_SECONDS if usable else PATIENCE
        try:
            await self._flights.wait(
                key, lambda: self._ask_upstream(view, remote, caller, repo, revision), patience
            )
        except Trouble as error:
            self._note_trouble(remote)
            if usable is None:
                raise
            log.info("%s: %s Serving what is known of %s", repo, error.message, revision)
            return True
        except InvalidCredentials:
            # The remote's own token was rejected: what is public stays served.
            if usable is None or not usable.is_public:
                raise
            return True
        return False

    def _key(
        self, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> tuple[object, ...]:
        return (remote.config, self._access.identity(remote, caller), repo, revision)

    async def _ask_upstream(
        self, view: View, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> None:
        """Ask with each token in turn and record the outcome."""
        try:
            answer, token = await self._first_answer(remote, caller, repo, revision)
        except DefiniteRefusal as refusal:
            self._trouble_until.pop(remote.pk, None)
            if ends_serving(refusal):
                self._access.revoke(remote, caller, repo)
            await self._record_refusal(remote, repo, revision, refusal)
            raise
        self._trouble_until.pop(remote.pk, None)
        visibility = answer.visibility
        if remote.token_mode == "client" and token is not None:
            # Anonymous callers were refused: whatever the info object says, it is not public.
            visibility = "private"
            self._access.grant(remote, caller, answer.repo)
        await self._known.record_answer(
            remote.pk, view.domain_pk, repo, revision, answer, visibility
        )
        shared = remote.token_mode == "shared" or visibility == "public"
        self._pull_through.note(view, answer, revision, shared=shared)

    async def _first_answer(
        self, remote: RemoteView, caller: Caller, repo: RepoId, revision: str
    ) -> tuple[InfoAnswer, str | None]:
        tokens = self._access.tokens(remote, caller)
        for token in tokens[:-1]:
            try:
                return await self._info(remote, token, repo, revision), token
            except (RevisionNotFound, InvalidCredentials):
                raise
            except DefiniteRefusal as refusal:
                log.debug("%s: refused anonymously: %s", repo, refusal.message)
        return await self._info(remote, tokens[-1], repo, revision), tokens[-1]

    async def _info(
        self, remote: RemoteView, token: str | None, repo: RepoId, revision: str
    ) -> InfoAnswer:
        client = HubClient(self._egress.get(remote.config), token)
        answer = await client.info(repo, revision)
        if is_sha(revision) and answer.sha != revision:
            raise UpstreamInvalid("The upstream answered with another commit than asked for.")
        return answer

    async def _record_refusal(
        self, remote: RemoteView, repo: RepoId, revision: str, refusal: DefiniteRefusal
    ) -> None:
        if isinstance(refusal, RevisionNotFound):
            await self._known.record_no_revision(remote.pk, repo, revision, refusal)
        elif ends_serving(refusal):
            log.info("%s is refused by the upstream: %s", repo, refusal.message)
            await self._known.record_refusal(remote.pk, repo, refusal)

    def _in_trouble(self, remote: RemoteView) -> bool:
        return time.monotonic() < self._trouble_until.get(remote.pk, 0.0)

    def _note_trouble(self, remote: RemoteView) -> None:
        self._trouble_until[remote.pk] = time.monotonic() + TROUBLE_PAUSE
