"""Work that costs less together: what is asked for within a moment is done in one go."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# A batch is complete when nobody came for so many seconds, or this long after its first.
QUIET, LONGEST = 0.05, 0.5
# After so many seconds without a batch the first is not kept waiting: it may be the only one.
IDLE = 0.5
# So many in a batch at most.
MOST = 200


class Together(Generic[T, R]):
    """
    Batches of items with the same key, one batch of a key after the other.

    `work` takes the items of a batch and returns a result for each, which may be an exception. When
    it raises, each item is tried by itself: what is wrong with one must not be the others' failure.
    """

    def __init__(
        self,
        work: Callable[[Hashable, list[T]], Awaitable[list[R | Exception]]],
        *,
        quiet: float = QUIET,
        longest: float = LONGEST,
    ) -> None:
        self._work = work
        self._quiet, self._longest = quiet, longest
        self._last: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, list[tuple[T, asyncio.Future[R]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, key: Hashable, item: T) -> R:
        """Return an item's result; raises what the work raises for it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        batch = self._waiting.get(key)
        if batch is None:
            self._waiting[key] = [(item, future)]
            task = asyncio.create_task(self._run(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            batch.append((item, future))
        return await future

    async def _run(self, key: Hashable) -> None:
        """Do what is waiting under a key until nothing is."""
        try:
            while self._waiting[key]:
                await self._gather(key)
                batch, self._waiting[key] = self._waiting[key][:MOST], self._waiting[key][MOST:]
                await self._do(key, batch)
                self._last[key] = time.monotonic()
        finally:
            for _, future in self._waiting.pop(key):
                future.cancel()

    async def _gather(self, key: Hashable) -> None:
        """Wait for others, as long as they come."""
        now, count = time.monotonic(), 0
        deadline = now + self._longest
        if now - self._last.get(key, -math.inf) > IDLE:
            return
        while count < len(self._waiting[key]) < MOST and time.monotonic() < deadline:
            count = len(self._waiting[key])
            await asyncio.sleep(self._quiet)

    async def _do(self, key: Hashable, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work(key, [item for item, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    await self._do(key, [one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
