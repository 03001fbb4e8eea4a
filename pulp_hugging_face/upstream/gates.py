"""Gates that let one request through at a time when they must wait: fairly, and not for ever."""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pulp_hugging_face.hub.errors import UpstreamBusy

# Timers fire a little early or late (the loop's clock is a float).
EARLY = 1e-6


@dataclass(eq=False)
class Waiter:
    """A request that waits; the future brings the number under which it goes."""

    caller: str
    future: "asyncio.Future[int]"
    deadline: float


class FairQueue:
    """Waiting requests, served in turn over callers: one who asks a lot delays only itself."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[str, deque[Waiter]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._by_caller)

    def __len__(self) -> int:
        return sum(map(len, self._by_caller.values()))

    def __iter__(self) -> Iterator[Waiter]:
        return (waiter for line in self._by_caller.values() for waiter in line)

    def add(self, waiter: Waiter) -> None:
        """Take a request in, behind its caller's others."""
        self._by_caller.setdefault(waiter.caller, deque()).append(waiter)

    def pop(self) -> Waiter:
        """Return the next request, and put its caller's others behind all callers."""
        caller, line = next(iter(self._by_caller.items()))
        waiter = line.popleft()
        if line:
            self._by_caller.move_to_end(caller)
        else:
            del self._by_caller[caller]
        return waiter

    def discard(self, waiter: Waiter) -> None:
        """Take a request out if it still waits."""
        line = self._by_caller.get(waiter.caller)
        if line is not None and waiter in line:
            line.remove(waiter)
            if not line:
                del self._by_caller[waiter.caller]

    def ahead(self, caller: str) -> int:
        """Return how many requests go before a new one of a caller."""
        own = len(self._by_caller.get(caller, ()))
        others = (line for name, line in self._by_caller.items() if name != caller)
        return own + sum(min(len(line), own + 1) for line in others)


class Gate:
    """
    Lets requests through as `_due` says, those that must wait in fair order.

    The clock is the event loop's.
    """

    bucket = "api"
    sentence = "The upstream limits the rate of requests."

    def __init__(self) -> None:
        self._queue = FairQueue()
        self._timer: asyncio.TimerHandle | None = None

    def _due(self, now: float) -> float:
        """Return when the next request may go; infinite while that depends on an event."""
        raise NotImplementedError

    def _take(self, now: float) -> int:
        """Account for a request that goes now, and return its number."""
        raise NotImplementedError

    def _give_back(self, number: int) -> None:
        """Account for a request that was let through and did not go."""
        raise NotImplementedError

    def _expected(self, ahead: int, now: float) -> float:
        """Return the seconds that a request waits behind `ahead` others, as far as known."""
        raise NotImplementedError

    async def enter(self, caller: str, patience: float) -> tuple[int, bool]:
        """
        Return the number of a request that may go now, and whether it had to wait.

        Raises UpstreamBusy, at once when it is clear that it would take longer than `patience`.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._queue and self._due(now) <= now:
            return self._take(now), False
        expected = self._expected(self._queue.ahead(caller), now)
        if expected > patience:
            raise self.busy(expected)
        waiter = Waiter(caller, loop.create_future(), now + patience)
        self._queue.add(waiter)
        self._pump()
        try:
            return await self._wait(waiter, patience), True
        finally:
            self._queue.discard(waiter)

    async def _wait(self, waiter: Waiter, patience: float) -> int:
        future = waiter.future
        try:
            async with asyncio.timeout(None if math.isinf(patience) else patience):
                return await future
        except TimeoutError:
            if future.done() and not future.cancelled():  # let through at the last moment
                return future.result()
            now = asyncio.get_running_loop().time()
            raise self.busy(self._expected(self._queue.ahead(waiter.caller), now)) from None
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give_back(future.result())
            raise

    def busy(self, seconds: float) -> UpstreamBusy:
        """Return the refusal of a request that would wait so long."""
        wait = math.ceil(seconds - 2 * EARLY) if math.isfinite(seconds) else 1
        return UpstreamBusy(self.sentence, retry_after=max(1, wait), bucket=self.bucket)

    def _pump(self) -> None:
        """Let through what may go now, and come back when the next may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time() + EARLY
        while self._queue:
            due = self._due(now)
            if due > now:
                if math.isfinite(due):
                    self._timer = loop.call_at(due, self._pump)
                return
            waiter = self._queue.pop()
            if not waiter.future.done():  # it may have given up this very moment
                waiter.future.set_result(self._take(now))

    def _refuse_hopeless(self, due: float, now: float) -> None:
        """Refuse all who will have given up by then: they may know it now."""
        for waiter in self._queue:
            if waiter.deadline < due and not waiter.future.done():
                waiter.future.set_exception(self.busy(due - now))


class RateGate(Gate):
    """So many requests a second (`rate_limit`), evenly spaced."""

    sentence = "The remote's rate_limit is reached."

    def __init__(self, per_second: float) -> None:
        super().__init__()
        self._spacing = 1 / per_second
        self._next = -math.inf

    @property
    def is_pressed(self) -> bool:
        """Tell whether requests wait."""
        return bool(self._queue)

    def _due(self, now: float) -> float:
        return self._next

    def _take(self, now: float) -> int:
        self._next = now + self._spacing
        return 0

    def _give_back(self, number: int) -> None:
        """Nothing: the moment has passed."""

    def _expected(self, ahead: int, now: float) -> float:
        return max(self._next - now, 0.0) + ahead * self._spacing


class Slots(Gate):
    """So many transfers at a time (`download_concurrency`); who waits is not refused."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._free = count

    @property
    def room(self) -> int:
        """Return how many more there may be; below zero, how many wait."""
        return self._free - len(self._queue)

    def _due(self, now: float) -> float:
        return -math.inf if self._free > 0 else math.inf

    def _take(self, now: float) -> int:
        self._free -= 1
        return 0

    def _give_back(self, number: int) -> None:
        self._free += 1
        self._pump()

    def _expected(self, ahead: int, now: float) -> float:
        return 0.0

    @asynccontextmanager
    async def hold(self, caller: str) -> AsyncIterator[None]:
        """Have a slot of one's own."""
        number, _ = await self.enter(caller, math.inf)
        try:
            yield
        finally:
            self._give_back(number)
