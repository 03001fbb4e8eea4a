"""Where only so many transfers may run at a time (`download_concurrency`), nobody waits long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pulp_hugging_face.blobs import transfer
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE, SHORTEST_RUN
from pulp_hugging_face.upstream.budget import Budget

from .sources import MIB, Attempt, FakeSource, Publisher, lfs, pattern, read_all

pytestmark = pytest.mark.asyncio

LARGE = pattern(PARALLEL_ABOVE + 35 * MIB + 5)
SMALL = pattern(1000, seed=1)


@dataclass
class LimitedSource(FakeSource):
    """One that opens within a remote's budget, and notes how many waited whenever it did."""

    budget: Budget = field(default_factory=lambda: Budget("remote", None, 1))
    waiting: list[float] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    name: str = ""

    def room(self) -> float:
        return self.budget.room

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        async with self.budget.transfer(), super().open(start, stop) as stream:
            self.log.append(self.name)
            self.waiting.append(max(0, -self.budget.room))
            yield stream


def limited(
    content: bytes, other: "LimitedSource | None" = None, *attempts: Attempt
) -> LimitedSource:
    source = LimitedSource.of(content, *attempts)
    assert isinstance(source, LimitedSource)
    source.name = str(len(content))
    if other is not None:
        source.budget, source.log = other.budget, other.log
    return source


async def read_small_while_it_waits(
    manager: FillManager, large: LimitedSource, small: LimitedSource, go_on: asyncio.Event
) -> None:
    """Let the large file go on once the small one waits for a slot, and read the small one."""
    other = asyncio.create_task(read_all(manager.start("domain", lfs(SMALL), small, claim="b")))
    while large.room() >= 0:
        await asyncio.sleep(0.001)
    go_on.set()
    assert await other == SMALL


@pytest.mark.parametrize("turn", [0, 3600])
async def test_a_run_ends_early_when_others_wait_and_has_had_its_turn(
    manager: FillManager, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, turn: float
) -> None:
    monkeypatch.setattr(transfer, "TURN", turn)
    go_on = asyncio.Event()
    large = limited(LARGE, None, Attempt(hold=go_on, at=2 * MIB, chunk=100_000), Attempt())
    small = limited(SMALL, large)
    filling = manager.start("domain", lfs(LARGE), large, claim="a")
    while filling.position < 2 * MIB:
        await asyncio.sleep(0.001)
    await read_small_while_it_waits(manager, large, small, go_on)
    assert await read_all(filling) == LARGE
    first_of_small = large.log.index(small.name)
    assert first_of_small == 1
    # All of its first run, or not more than the segment that was under way.
    assert large.opened[1][0] == (3 * MIB if turn == 0 else large.opened[0][1])
    assert sum(stop - start for start, stop in large.opened[1:]) == len(LARGE) - large.opened[1][0]


async def test_runs_of_a_file_do_not_queue_behind_each_other(manager: FillManager) -> None:
    """Else its rest would have to wait for what comes long after it."""
    source = limited(LARGE)
    assert await read_all(manager.start("domain", lfs(LARGE), source, claim="a")) == LARGE
    assert len(source.opened) > 2 and not any(source.waiting)


async def test_only_as_many_runs_end_early_as_others_wait(
    manager: FillManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TURN", 0)
    go_on = asyncio.Event()
    hold = Attempt(hold=go_on, at=0, chunk=100_000)
    large = limited(LARGE, None, hold, hold, hold, Attempt())
    large.budget = Budget("remote", None, 3)
    small = limited(SMALL, large)
    filling = manager.start("domain", lfs(LARGE), large, claim="a")
    while len(large.opened) < 3:
        await asyncio.sleep(0.001)
    await read_small_while_it_waits(manager, large, small, go_on)
    assert large.log.index(small.name) == 3
    await filling.complete()
    # Its rest, and what follows if it was the last one.
    assert len([start for start, _ in large.opened if start % SHORTEST_RUN]) <= 2
