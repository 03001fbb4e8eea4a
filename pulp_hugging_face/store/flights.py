"""Single-flight: whoever asks for the same thing at the same time gets the same answer."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

from pulp_hugging_face.hub.errors import UpstreamTimeout
from pulp_hugging_face.upstream.behalf import passage

T = TypeVar("T")

# Seconds a client waits for an answer at most when there is no older one (§2.2: its limit is 10).
PATIENCE = 8.5


def _lane(key: Hashable) -> Hashable:
    return passage().times, key


class Flights:
    """
    Tasks by key, detached from who asked first: one that hangs up does not stop it for others.

    A question that another one of this server has led to must not wait for that one: it is told
    apart by how often its request was here before.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def start(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """Return the task under way for a key, begun now if there is none."""
        lane = _lane(key)
        task = self._tasks.get(lane)
        if task is None:
            task = asyncio.create_task(work())
            self._tasks[lane] = task
            task.add_done_callback(lambda done: self._finished(lane, done))
        return task

    def under_way(self, key: Hashable) -> bool:
        """Tell whether somebody is already asking."""
        return _lane(key) in self._tasks

    def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
        """Return an awaitable of the answer that may be cancelled without stopping the work."""
        return asyncio.shield(self.start(key, work))

    async def wait(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], patience: float
    ) -> T:
        """
        Return the answer if it comes within `patience` seconds; the work goes on in any case.

        Raises UpstreamTimeout, and whatever the work raises.
        """
        try:
            return await asyncio.wait_for(self.join(key, work), patience)
        except TimeoutError as error:
            raise UpstreamTimeout("The upstream did not answer in time.", retry_after=5) from error

    def _finished(self, key: Hashable, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved here, for those whom nobody waits for

    async def close(self) -> None:
        """Cancel everything under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
