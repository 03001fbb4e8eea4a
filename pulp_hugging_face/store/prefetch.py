"""Policy "immediate": the first touch of a commit fetches the rest of it in the background."""

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from pulp_hugging_face.blobs.fill import AlreadyHeld
from pulp_hugging_face.hub.errors import HubError
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.upstream.behalf import in_background

from .lru import Lru
from .resolver import Resolution
from .views import Caller, View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .service import Store, Wanted

log = logging.getLogger("pulp_hugging_face.store")

_PARALLEL = 4
_PAGE = 1000
_REMEMBERED = 10_000


class Prefetcher:
    """
    Commits being fetched as a whole by this process.

    Of several processes one does it, by an advisory lock. What fails is tried again at the next
    touch; what is complete is remembered, so that a hot commit is not walked again.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._complete: Lru[UUID, bool] = Lru(_REMEMBERED)

    def start(self, view: View, caller: Caller, resolution: Resolution) -> None:
        """Begin to fetch a commit unless that is done or under way."""
        commit = resolution.commit.pk
        if commit in self._tasks or self._complete.get(commit):
            return
        patient = replace(caller, deadline=None)
        with in_background("prefetch"):
            task = asyncio.create_task(self._run(view, patient, resolution), name="prefetch")
        self._tasks[commit] = task
        task.add_done_callback(lambda _: self._tasks.pop(commit, None))

    async def close(self) -> None:
        """Stop all of it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, view: View, caller: Caller, resolution: Resolution) -> None:
        commit = resolution.commit
        try:
            async with self._alone(commit.pk) as mine:
                if mine and await self._fetch_all(view, caller, resolution):
                    self._complete.put(commit.pk, True)
        except HubError as error:
            log.warning("Prefetching %s failed: %s", commit.repo, error.message)
        except Exception:  # the boundary of a detached task
            log.exception("Prefetching %s failed", commit.repo)

    @asynccontextmanager
    async def _alone(self, commit: UUID) -> "AsyncIterator[bool]":
        async with self._store.database.advisory_lock(commit.int) as mine:
            yield mine

    async def _fetch_all(self, view: View, caller: Caller, resolution: Resolution) -> bool:
        """Fetch every file that is not held. Returns whether all are held now."""
        log.info("Prefetching %s at %s", resolution.commit.repo, resolution.commit.sha)
        complete, after = True, None
        while True:
            page = await self._store.entries(
                view, caller, resolution, recursive=True, after=after, limit=_PAGE
            )
            complete &= await self._fetch_page(view, caller, resolution, page)
            if len(page) < _PAGE:
                return complete
            after = page[-1].path

    async def _fetch_page(
        self, view: View, caller: Caller, resolution: Resolution, page: list[Entry]
    ) -> bool:
        slots = asyncio.Semaphore(_PARALLEL)

        async def hold(entry: Entry) -> bool:
            async with slots:
                return await self._hold(view, caller, resolution, entry)

        return all(await asyncio.gather(*(hold(entry) for entry in page if not entry.is_dir)))

    async def _hold(self, view: View, caller: Caller, resolution: Resolution, entry: Entry) -> bool:
        """Hold a file: fetch its blob, or note that a blob already held is this commit's too."""
        try:
            wanted = await self._store.file(view, caller, resolution, entry.path)
            if await self._store.held(wanted) is None:
                await self._fetch(wanted)
                # Said again: whoever joins a fill that is being published comes too late for it.
                return await self._store.held(wanted) is not None
        except HubError as error:
            log.info("%s was not prefetched: %s", entry.blob.key, error.message)
            return False
        return True

    async def _fetch(self, wanted: "Wanted") -> None:
        with suppress(AlreadyHeld):
            await self._store.fill(wanted).complete()
