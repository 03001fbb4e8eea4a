"""
Branches and tags that move: to a new commit only when that can answer what the old one does.

An info answer tells of a new commit; its files are known when it has been listed. In between the
upstream may go away, and what was warmed would be gone with it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pulp_hugging_face.hub.errors import DefiniteRefusal, Trouble
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.upstream.client import HubClient, InfoAnswer

from .commits import Commits, HeldCommit
from .flights import Flights
from .inquiries import Inquiries
from .known import KnownStore
from .trees import Trees
from .views import RemoteView, View

# Seconds a revision waits for the listing of the commit that it moves to.
PATIENCE = 2.0

Move = Callable[[], Coroutine[Any, Any, None]]


class Moves:
    """The moves of a process."""

    def __init__(
        self, commits: Commits, known: KnownStore, trees: Trees, inquiries: Inquiries
    ) -> None:
        self._commits = commits
        self._known = known
        self._trees = trees
        self._inquiries = inquiries
        self._flights = Flights()

    async def close(self) -> None:
        """Stop moves under way."""
        await self._flights.close()

    async def make(
        self,
        view: View,
        remote: RemoteView,
        repo: RepoId,
        revision: str,
        answer: InfoAnswer,
        client: HubClient,
        move: Move,
    ) -> None:
        """
        Run `move`, which records where a revision points now, when the commit can be served.

        A listing that takes long goes on behind, and the old commit until then. Raises Trouble when
        the commit cannot be listed now.
        """
        new = await self._unlisted(view, remote, repo, revision, answer)
        if new is None:
            await move()
            return
        task = self._flights.start(
            (remote.config, repo, revision, answer.sha),
            lambda: self._list_and_move(view, remote, repo, new, client, move),
        )
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        if done:
            task.result()
        else:
            await self._known.touch(remote, answer.repo, revision)

    async def _unlisted(
        self, view: View, remote: RemoteView, repo: RepoId, revision: str, answer: InfoAnswer
    ) -> HeldCommit | None:
        """Return the new commit if it has to be listed first: the old one could be served."""
        known = await self._known.load(remote.pk, repo, revision)
        if known is None or not known.sha or known.sha == answer.sha:
            return None
        old = await self._commits.get(view.domain_pk, known.repo, known.sha)
        if old is None or not old.root_tree:
            return None
        new = await self._commits.save(view.domain_pk, answer)
        return new if new is not None and not new.root_tree else None

    async def _list_and_move(
        self,
        view: View,
        remote: RemoteView,
        repo: RepoId,
        new: HeldCommit,
        client: HubClient,
        move: Move,
    ) -> None:
        try:
            await self._trees.list_root(view.domain_pk, new, client)
        except DefiniteRefusal:
            pass  # whoever asks for the files will be told
        except Trouble as error:
            self._inquiries.trouble(remote.config, repo, error)  # nobody may be waiting any more
            raise
        await move()
