"""What the parts of one fill share: the file, where bytes arrive, and who waits for them."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import Trouble

from .partial import PartialFile
from .segments import Layout

T = TypeVar("T")

# Files up to this size, and all whose digest is git's, reach no client before they are verified.
VERIFY_FIRST = 4 * 1024 * 1024
# Readers at the edge are told of so many bytes at a time: each call wakes all of them.
_EDGE_STEP = 128 * 1024
# More of them than this are told of whole segments only.
_CROWD = 100


def is_verified_first(blob: BlobId) -> bool:
    """Tell whether no byte may leave before the digest matched."""
    return blob.size <= VERIFY_FIRST or not blob.is_sha256


class Waiters:
    """
    Those who wait for segments: one event for all who wait for the same.

    `until` is the segment up to which one wants to go on; None for who only looks on.
    """

    def __init__(self) -> None:
        self._events: dict[int, asyncio.Event] = {}
        self._until: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    async def wait(self, index: int, until: int | None = None) -> None:
        """Wait until something happened to a segment."""
        event = self._events.setdefault(index, asyncio.Event())
        self._counts[index] = self._counts.get(index, 0) + 1
        if until is not None:
            self._until[index] = max(self._until.get(index, 0), until)
        try:
            await event.wait()
        finally:
            if self._events.get(index) is event:
                self._leave(index)

    def _leave(self, index: int) -> None:
        """Count one out who gave up."""
        self._counts[index] -= 1
        if not self._counts[index]:
            self.wake(index)

    def wake(self, index: int) -> None:
        """Wake all who wait for a segment."""
        event = self._events.pop(index, None)
        self._until.pop(index, None)
        self._counts.pop(index, None)
        if event is not None:
            event.set()

    def wake_all(self) -> None:
        """Wake everybody."""
        for index in list(self._events):
            self.wake(index)

    def count(self, index: int) -> int:
        """Return how many wait for a segment."""
        return self._counts.get(index, 0)

    def segments(self) -> list[int]:
        """Return the segments that are waited for."""
        return sorted(self._events)

    def demands(self) -> list[tuple[int, int]]:
        """Return the segments somebody must have now, and up to where."""
        return sorted(self._until.items())


class Work:
    """One blob's file while this process has it open."""

    def __init__(
        self, blob: BlobId, file: PartialFile, executor: Executor, syncs: Executor, retries: int
    ) -> None:
        self.blob = blob
        self.layout: Layout = file.layout
        self.file = file
        self.journal = file.journal
        self.retries = retries
        self.waiters = Waiters()
        self.released = False  # noted that clients have some of it
        self.whole = False  # all of it is wanted
        self.sequential = False  # the upstream ignores ranges
        self.arrived = 0  # bytes fetched by this process
        self.moved = time.monotonic()  # when the last of them came
        self.trouble: Trouble | None = None  # why nothing came since then
        self.leaving = 0  # transfers that are about to make room for others
        self.kicked = asyncio.Event()
        self._executor, self._syncs = executor, syncs
        self._writing = asyncio.Lock()
        self._live: dict[int, int] = {}  # bytes of segments under way here
        self._told: dict[int, int] = {}
        self._prefix = 0

    @property
    def verify_first(self) -> bool:
        """Tell whether no byte may leave before the digest matched."""
        return is_verified_first(self.blob)

    @property
    def verified(self) -> int:
        """Return the index under which one waits for the digest: behind the last segment."""
        return self.layout.count

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run something blocking in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    async def sync(self, done: int) -> None:
        """Write out what is before a segment, in a thread that nothing else waits for."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._syncs, self.file.sync, done)

    async def store(self, offset: int, data: bytes, first: int, last: int) -> None:
        """
        Write bytes into the file (`PartialFile.store`); who is cancelled waits for the end of it.

        One thread at a time: the kernel has one lock for a file, and others would spin at it.
        """
        async with self._writing:
            running = asyncio.ensure_future(self.call(self.file.store, offset, data, first, last))
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait({running})
                raise

    def kick(self) -> None:
        """Let the fill look at what is to be done."""
        self.kicked.set()

    # How far it is.

    def edge(self, offset: int, stop: int) -> int:
        """Return up to where, between `offset` and `stop`, bytes have arrived."""
        first, last = self.layout.span(offset, stop)
        absent = self.journal.first_absent(first, last)
        if absent == last:
            return stop
        return min(self.layout.first_byte(absent) + self._live.get(absent, 0), stop)

    def prefix(self) -> int:
        """Return the first segment that is absent."""
        if self._prefix and not self.journal.present(self._prefix - 1):
            self._prefix = 0  # all was forgotten
        self._prefix = self.journal.first_absent(self._prefix)
        return self._prefix

    def position(self) -> int:
        """Return how many bytes have arrived from the beginning."""
        prefix = self.prefix()
        return self.layout.first_byte(prefix) + self._live.get(prefix, 0)

    # What arrives here.

    def partly(self, index: int, count: int) -> None:
        """Note that the first `count` bytes of a segment may be read."""
        self._live[index] = count
        told = self._told.get(index, 0)
        if not told or (count - told >= _EDGE_STEP and self.waiters.count(index) <= _CROWD):
            self._told[index] = count
            self.waiters.wake(index)

    def no_longer(self, index: int) -> None:
        """Note that a segment is not under way any more: it is present, or given up."""
        self._live.pop(index, None)
        self._told.pop(index, None)
        self.waiters.wake(index)

    def look(self) -> bool:
        """Wake those whose segments came by other processes; tell whether there are any."""
        found = False
        for index in self.waiters.segments():
            if index < self.layout.count and self.journal.present(index):
                self.waiters.wake(index)
                found = True
        return found
