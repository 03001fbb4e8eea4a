"""All fills of a process: one per blob, whoever and however many ask."""

import asyncio
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pulp_hugging_face.hub.digests import BlobId

from .fill import Fill, Publish
from .partial import remove_abandoned
from .source import Source

FOLDER = "hugging_face_fills"
_THREADS = 8


class FillManager:
    """
    Single-flight for blobs within a process.

    `scope` keeps domains apart: the same blob of two domains is two fills. The lease that makes it
    single-flight over processes goes into `start` (architecture §4, Fill).
    """

    def __init__(self, working_directory: Path, publish: Publish) -> None:
        self._folder = working_directory / FOLDER
        self._publish = publish
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-fill")
        self._fills: dict[tuple[Hashable, str], Fill] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Create the folder and remove what dead processes left in it."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._prepare)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_abandoned(self._folder)

    def running(self, scope: Hashable, blob: BlobId) -> Fill | None:
        """Return the fill under way for a blob, if there is one."""
        fill = self._fills.get((scope, blob.key))
        return None if fill is None or fill.done else fill

    def start(
        self,
        scope: Hashable,
        blob: BlobId,
        source: Source,
        *,
        claim: Hashable | None,
        retries: int = 3,
    ) -> Fill:
        """
        Return the blob's fill, begun now unless it is under way.

        `claim` None means that this caller does not ask for the bytes to be kept.
        """
        key = (scope, blob.key)
        fill = self.running(scope, blob)
        if fill is None:
            fill = Fill(blob, source, self._folder, self._executor, retries)
            self._fills[key] = fill
            task = asyncio.create_task(fill.run(self._publish), name=f"fill {blob.key}")
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._finished(key, fill, done))
        if claim is not None:
            fill.claims.add(claim)
        return fill

    def _finished(self, key: tuple[Hashable, str], fill: Fill, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._fills.get(key) is fill:
            del self._fills[key]

    async def close(self) -> None:
        """Stop every fill; readers are told."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._executor.shutdown(wait=False)
