"""What is fetched when: ranges first, then the rest, in several runs where the file is large."""

import asyncio
import gc
import itertools
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.blobs import fill as fill_module
from pulp_hugging_face.blobs.journal import Flag
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.blobs.runs import PARALLEL
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE, SEGMENT
from pulp_hugging_face.hub.errors import UpstreamInvalid, UpstreamTimeout

from .sources import (
    MIB,
    Attempt,
    FakeSource,
    Publisher,
    Stream,
    lfs,
    pattern,
    read_all,
    read_and_keep,
)
from .test_fill import ended

pytestmark = pytest.mark.asyncio

LARGE = pattern(PARALLEL_ABOVE + 100 * MIB + 5)
BLOB = lfs(LARGE)
READERS = 2000


class CountingSource(FakeSource):
    """Knows how many transfers there are at a time."""

    running = most = 0

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            async with super().open(start, stop) as stream:
                yield stream
        finally:
            self.running -= 1


async def test_a_large_file_is_fetched_in_several_runs_at_a_time(
    manager: FillManager, publisher: Publisher
) -> None:
    source = CountingSource.of(LARGE)
    await manager.start("domain", BLOB, source, claim="a").complete()
    assert source.most == PARALLEL  # type: ignore[attr-defined]
    spans = sorted(source.opened)
    assert spans[0][0] == 0 and spans[-1][1] == len(LARGE)
    assert all(one[1] == two[0] for one, two in itertools.pairwise(spans))
    assert publisher.calls[0][2] == LARGE


async def test_a_range_of_a_large_file_costs_its_segments(manager: FillManager) -> None:
    source = FakeSource.of(LARGE)
    for _ in range(2):
        part = (len(LARGE) - 300_000, len(LARGE))
        fill = manager.start("domain", BLOB, source, claim="a", part=part)
        assert await read_all(fill, *part) == LARGE[slice(*part)]
    assert sum(stop - start for start, stop in source.opened) <= 2 * SEGMENT


async def test_a_range_goes_before_the_rest(manager: FillManager) -> None:
    """The tail of a file that is being downloaded does not wait for the download."""
    never = asyncio.Event()
    hold = Attempt(hold=never, at=0)
    source = FakeSource.of(LARGE, hold, hold, hold, hold, Attempt())
    fill = manager.start("domain", BLOB, source, claim="a")
    while len(source.opened) < PARALLEL:
        await asyncio.sleep(0.001)
    part = (len(LARGE) - 10, len(LARGE))
    assert manager.start("domain", BLOB, source, claim="a", part=part) is fill
    assert await read_all(fill, *part) == LARGE[-10:]


async def test_a_range_far_ahead_in_a_run_under_way_does_not_wait_for_it(
    manager: FillManager, publisher: Publisher
) -> None:
    """The run ends before the range, and what is behind it is fetched once, too."""
    go_on = asyncio.Event()
    content = pattern(PARALLEL_ABOVE)
    source = FakeSource.of(content, Attempt(hold=go_on, at=2 * MIB), Attempt())
    fill = manager.start("domain", lfs(content), source, claim="a")
    while fill.position < 2 * MIB:
        await asyncio.sleep(0.001)
    part = (50 * MIB + 10, 50 * MIB + 20)
    assert manager.start("domain", lfs(content), source, claim="a", part=part) is fill
    async with asyncio.timeout(30):
        assert await read_all(fill, *part) == content[slice(*part)]
    go_on.set()
    assert await read_and_keep(fill) == content
    assert publisher.calls[0][2] == content
    assert len(source.opened) <= 3


async def test_a_range_that_a_run_reaches_soon_costs_no_request(manager: FillManager) -> None:
    content = pattern(PARALLEL_ABOVE)
    go_on = asyncio.Event()
    source = FakeSource.of(content, Attempt(hold=go_on, at=2 * MIB))
    fill = manager.start("domain", lfs(content), source, claim="a")
    while fill.position < 2 * MIB:
        await asyncio.sleep(0.001)
    reading = asyncio.create_task(read_all(fill, 8 * MIB, 8 * MIB + 10))
    await asyncio.sleep(0.05)
    go_on.set()
    assert await reading == content[8 * MIB : 8 * MIB + 10]
    assert source.opened == [(0, len(content))]


async def test_a_run_of_an_upstream_that_ignores_ranges_is_not_cut(manager: FillManager) -> None:
    content = pattern(PARALLEL_ABOVE)
    go_on = asyncio.Event()
    whole = Attempt(whole=True, hold=go_on, at=4 * MIB)
    source = FakeSource.of(content, Attempt(cut=2 * MIB), whole)
    fill = manager.start("domain", lfs(content), source, claim="a")
    while fill.position < 4 * MIB:
        await asyncio.sleep(0.001)
    reading = asyncio.create_task(read_all(fill, 50 * MIB, 50 * MIB + 10))
    await asyncio.sleep(0.1)
    go_on.set()
    assert await reading == content[50 * MIB : 50 * MIB + 10]
    assert len(source.opened) == 2


async def test_what_ranges_brought_is_not_fetched_again_by_the_whole(
    manager: FillManager, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill_module, "LINGER", 0.0)
    source = FakeSource.of(LARGE)
    for start in (10 * MIB, 77 * MIB, 120 * MIB):
        part = (start, start + 3 * MIB)
        fill = manager.start("domain", BLOB, source, claim="a", part=part)
        assert await read_all(fill, *part) == LARGE[slice(*part)]
        await ended(fill)  # nobody reads: it stays on the disk
    assert await read_and_keep(manager.start("domain", BLOB, source, claim="a")) == LARGE
    assert sum(stop - start for start, stop in source.opened) == len(LARGE)
    assert publisher.calls[0][2] == LARGE


async def test_a_long_range_is_fetched_ahead_of_its_reader_in_a_window(
    manager: FillManager,
) -> None:
    content = pattern(200 * MIB)
    source = FakeSource.of(content)
    part = (20 * MIB, 110 * MIB)
    fill = manager.start("domain", lfs(content), source, claim="a", part=part)
    with fill.reader(*part) as reader:
        assert await reader.ready() > part[0]
        for _ in range(200):
            await asyncio.sleep(0.001)
        assert max(stop for _, stop in source.opened) <= part[0] + 64 * MIB
        data = b"".join([piece async for piece in reader.pieces()])
    assert data == content[slice(*part)]


async def test_an_upstream_without_ranges_is_read_from_the_beginning(
    manager: FillManager, publisher: Publisher
) -> None:
    source = CountingSource.of(LARGE, Attempt(whole=True))
    assert await read_and_keep(manager.start("domain", BLOB, source, claim="a")) == LARGE
    assert publisher.calls[0][2] == LARGE
    assert len(source.opened) <= 2 * PARALLEL


async def test_an_upstream_without_ranges_gives_no_tail(manager: FillManager) -> None:
    part = (len(LARGE) - 10, len(LARGE))
    fill = manager.start(
        "domain", BLOB, FakeSource.of(LARGE, Attempt(whole=True)), claim="a", part=part
    )
    with pytest.raises(UpstreamInvalid, match="ranges"):
        await read_all(fill, *part)


async def test_thousands_of_readers_cost_no_memory_of_their_own(manager: FillManager) -> None:
    content = pattern(10 * MIB)
    source = FakeSource.of(content, Attempt(chunk=64 * 1024))
    fill = manager.start("domain", lfs(content), source, claim="a")
    calls = 0

    async def follow() -> int:
        """Go along as serve does with sendfile: nothing is read into memory."""
        nonlocal calls
        with fill.reader(0, len(content)) as reader:
            while reader.position < reader.stop:
                end = await reader.ready()
                calls += 1
                reader.advance(end - reader.position)
            return reader.position

    gc.collect()
    tracemalloc.start()
    done = await asyncio.gather(*(follow() for _ in range(READERS)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done == [len(content)] * READERS
    assert peak < READERS * 10_000 + 8 * MIB
    # Woken for whole segments, not for each of the 160 chunks.
    assert calls <= READERS * 30


async def test_who_had_nothing_from_a_silent_upstream_waits_longer_the_next_time(
    manager: FillManager,
) -> None:
    slow = Attempt(refuse=UpstreamTimeout("Slow."))
    content = LARGE[: 8 * MIB]
    source = FakeSource.of(content, Attempt(cut=MIB), slow, slow, Attempt(cut=2 * MIB), Attempt())
    assert await read_all(manager.start("domain", lfs(content), source, claim="a")) == content
    assert source.waited == 2


async def test_a_stream_of_a_run_that_goes_on_too_far_is_cut(
    manager: FillManager, publisher: Publisher
) -> None:
    class Endless(FakeSource):
        @asynccontextmanager
        async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
            self.opened.append((start, stop))
            yield Stream(start, self.content, Attempt())  # up to the end of the file

    assert await read_all(manager.start("domain", BLOB, Endless.of(LARGE), claim="a")) == LARGE


async def test_two_processes_take_turns(tmp_path: Path, publisher: Publisher) -> None:
    """Two managers in one process have files of their own open, as two processes have."""
    managers = [FillManager(tmp_path, publisher) for _ in range(2)]
    sources = [CountingSource.of(LARGE) for _ in range(2)]
    for manager in managers:
        await manager.open()
    fills = [
        manager.start("domain", BLOB, source, claim=n)
        for n, (manager, source) in enumerate(zip(managers, sources, strict=True))
    ]
    assert await asyncio.gather(*map(read_all, fills)) == [LARGE, LARGE]
    total = sum(stop - start for source in sources for start, stop in source.opened)
    assert total == len(LARGE)
    assert len(publisher.calls) == 1
    for manager in managers:
        await manager.close()
    assert {claim for claims in publisher.adopted for claim in claims} <= {0, 1}
    published = publisher.calls[0][3]
    assert set().union(published, *publisher.adopted) == {0, 1}


async def test_waiting_for_another_process_leaves_the_loop_to_others(
    manager: FillManager, folder: Path
) -> None:
    """The segment that is waited for is another's, and those behind it are present."""
    other = PartialFile(folder / "domain", BLOB)
    other.journal.set(Flag.KEEP)
    assert other.journal.lock_segments(40, 41) == (40, 41)
    other.store(41 * MIB, LARGE[41 * MIB : 45 * MIB], 41, 45)
    part = (40 * MIB, 45 * MIB)
    source = FakeSource.of(LARGE)
    fill = manager.start("domain", BLOB, source, claim="a", part=part)
    reading = asyncio.create_task(read_all(fill, *part))
    async with asyncio.timeout(5):
        for _ in range(20):
            await asyncio.sleep(0.005)
    assert not reading.done()
    other.store(40 * MIB, LARGE[40 * MIB : 41 * MIB], 40, 41)
    assert await reading == LARGE[slice(*part)] and source.opened == []
    other.close()


async def test_runs_of_one_process_do_not_give_back_each_others_segments(
    manager: FillManager, folder: Path
) -> None:
    """To the kernel their locks are one holder's: another process would fetch the same."""
    other = PartialFile(folder / "domain", BLOB)
    other.journal.set(Flag.KEEP)
    assert other.journal.lock_segments(42, 43)
    go_on = asyncio.Event()
    source = FakeSource.of(LARGE, Attempt(hold=go_on, at=0))
    fill = manager.start("domain", BLOB, source, claim="a", part=(44 * MIB, 46 * MIB))
    last = asyncio.create_task(read_all(fill, 44 * MIB, 46 * MIB))
    while not source.opened:
        await asyncio.sleep(0.001)
    first = asyncio.create_task(read_all(fill, 42 * MIB, 46 * MIB))
    for _ in range(20):
        await asyncio.sleep(0.005)
        assert other.journal.lock_segments(44, 46) is None
    other.store(42 * MIB, LARGE[42 * MIB : 43 * MIB], 42, 43)
    go_on.set()
    assert await last == LARGE[44 * MIB : 46 * MIB]
    assert await first == LARGE[42 * MIB : 46 * MIB]
    other.close()
