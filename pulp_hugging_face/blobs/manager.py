"""All fills of a process: one per blob, whoever and however many ask."""

import asyncio
import logging
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pulp_hugging_face.hub.digests import BlobId

from . import tombstone
from .fill import Fill, TargetOf
from .lease import Leases, NoLeases
from .partial import place_of
from .room import Limits, Room
from .source import Source
from .verify import Keeper
from .work import is_verified_first

log = logging.getLogger("pulp_hugging_face.blobs")

FOLDER = "hugging_face_fills"
_THREADS = 8
# Of their own: to write out a gigabyte takes seconds, and all else would wait for that.
_SYNC_THREADS = 2
_CLEANING_INTERVAL = 600.0
# Seconds in which a server that stops finishes what it is publishing.
_PUBLISHING_PATIENCE = 3.0


class FillManager:
    """
    Single-flight for blobs: in the process by this table, in the host by the journals, over hosts
    by `leases`.

    `scope` keeps domains apart: the same blob of two domains is two fills.
    """

    def __init__(
        self,
        working_directory: Path,
        keeper: Keeper,
        *,
        limits: Limits | None = None,
        leases: Leases | None = None,
        target_of: TargetOf | None = None,
    ) -> None:
        self._room = Room(working_directory / FOLDER, limits or Limits())
        self._keeper = keeper
        self._leases = leases or NoLeases()
        self._target_of = target_of
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-fill")
        self._syncs = ThreadPoolExecutor(_SYNC_THREADS, thread_name_prefix="hf-fill-sync")
        self._fills: dict[tuple[str, str, int], Fill] = {}
        self._tasks: dict[asyncio.Task[None], Fill] = {}
        self._cleaner: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Create the folder, and remove what is too old now and then."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._tidy)
        self._cleaner = asyncio.create_task(self._clean(), name="hugging_face fills cleaner")

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(_CLEANING_INTERVAL)
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._executor, self._tidy)
            except OSError:
                log.exception("Removing abandoned downloads failed")

    def _tidy(self) -> None:
        self._room.clean()
        tombstone.clean(self._room.folder)

    async def was_bad(self, scope: Hashable, blob: BlobId, lane: int = 0) -> bool:
        """Tell whether clients may have bytes of a blob that did not match its digest."""
        if is_verified_first(blob):
            return False
        folder, loop = self._room.folder / place_of(str(scope), lane), asyncio.get_running_loop()
        return bool(await loop.run_in_executor(self._executor, tombstone.times, folder, blob.key))

    def running(self, scope: Hashable, blob: BlobId, lane: int = 0) -> Fill | None:
        """Return the fill under way for a blob, if there is one."""
        fill = self._fills.get((str(scope), blob.key, lane))
        return fill if fill is not None and fill.usable else None

    def start(
        self,
        scope: Hashable,
        blob: BlobId,
        source: Source,
        *,
        claim: Hashable | None,
        retries: int = 3,
        part: tuple[int, int] | None = None,
        resumes: bool = False,
        lane: int = 0,
    ) -> Fill:
        """
        Return the blob's fill, begun now unless it is under way.

        `part` are the bytes this caller is about to read (None: all of it), `resumes` that it has
        what is before them. `claim` None means that this caller does not ask for the bytes to be
        kept. Fills of another `lane` are others: a request that a fill of this server made must not
        wait for that fill.
        """
        fill = self.running(scope, blob, lane)
        if fill is None:
            fill = self._begin(str(scope), blob, source, retries, lane)
        fill.want(*(part or (0, blob.size)), resumes=resumes)
        if claim is not None:
            fill.add_claim(claim)
        return fill

    def _begin(self, scope: str, blob: BlobId, source: Source, retries: int, lane: int) -> Fill:
        fill = Fill(
            scope,
            blob,
            source,
            self._room,
            self._executor,
            self._syncs,
            retries=retries,
            leases=self._leases,
            lane=lane,
            target_of=self._target_of,
        )
        self._fills[scope, blob.key, lane] = fill
        task = asyncio.create_task(fill.run(self._keeper), name=f"fill {blob.key}")
        self._tasks[task] = fill
        task.add_done_callback(lambda done: self._finished((scope, blob.key, lane), fill, done))
        return fill

    def _finished(self, key: tuple[str, str, int], fill: Fill, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if self._fills.get(key) is fill:
            del self._fills[key]

    async def close(self) -> None:
        """Stop every fill; readers are told, and what has arrived stays for the next start."""
        publishing = [task for task, fill in self._tasks.items() if fill.is_being_published]
        if publishing:  # clients have it, and will not come for it again
            await asyncio.wait(publishing, timeout=_PUBLISHING_PATIENCE)
        tasks = [*self._tasks, *([self._cleaner] if self._cleaner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown)
        await asyncio.to_thread(self._syncs.shutdown, cancel_futures=True)
