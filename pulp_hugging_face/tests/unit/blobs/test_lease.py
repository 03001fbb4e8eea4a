"""Hosts with a database in common and working directories of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pulp_hugging_face.blobs import lease
from pulp_hugging_face.blobs.fill import AlreadyHeld, Fill
from pulp_hugging_face.blobs.journal import Flag
from pulp_hugging_face.blobs.manager import FOLDER, FillManager
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import database_unavailable

from .sources import MIB, Attempt, FakeSource, Publisher, lfs, pattern, read_all

pytestmark = pytest.mark.asyncio

CONTENT = pattern(PARALLEL_ABOVE + MIB)
BLOB = lfs(CONTENT)


class OneAtATime:
    """A lease in memory."""

    def __init__(self) -> None:
        self.holder = asyncio.Lock()

    @asynccontextmanager
    async def attempt(self, scope: str, blob: BlobId) -> AsyncIterator[bool]:
        if self.holder.locked():
            yield False
        else:
            async with self.holder:
                yield True


@pytest.fixture
def leases() -> OneAtATime:
    return OneAtATime()


@asynccontextmanager
async def host(
    folder: Path, publisher: Publisher, leases: OneAtATime
) -> AsyncIterator[FillManager]:
    folder.mkdir(exist_ok=True)
    manager = FillManager(folder, publisher, leases=leases)
    await manager.open()
    try:
        yield manager
    finally:
        await manager.close()


async def test_the_second_host_waits_and_finds_the_file_published(
    tmp_path: Path, publisher: Publisher, leases: OneAtATime
) -> None:
    first, second = FakeSource.of(CONTENT), FakeSource.of(CONTENT)
    async with (
        host(tmp_path / "a", publisher, leases) as one,
        host(tmp_path / "b", publisher, leases) as other,
    ):
        go_on = asyncio.Event()
        first.attempts[0].hold = go_on
        fill = one.start("domain", BLOB, first, claim="a")
        while not leases.holder.locked():
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(
            read_all(other.start("domain", BLOB, second, claim="b"), 0, MIB)
        )
        await asyncio.sleep(0.05)
        assert not waiting.done() and second.opened == []
        go_on.set()
        await fill.complete()
        with pytest.raises(AlreadyHeld):
            await waiting
    assert second.opened == [] and not leases.holder.locked()
    assert len(publisher.calls) == 1


async def test_a_host_that_has_waited_long_fetches_by_itself(
    tmp_path: Path, publisher: Publisher, leases: OneAtATime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other may be slow, or its storage not shared; two publications do no harm."""
    monkeypatch.setattr(lease, "PATIENCE", 0.1)
    go_on = asyncio.Event()
    slow = FakeSource.of(CONTENT, Attempt(hold=go_on, at=MIB))
    quick = FakeSource.of(CONTENT)
    async with (
        host(tmp_path / "a", publisher, leases) as one,
        host(tmp_path / "b", publisher, leases) as other,
    ):
        first = one.start("domain", BLOB, slow, claim="a")
        while not leases.holder.locked():
            await asyncio.sleep(0.001)
        assert await read_all(other.start("domain", BLOB, quick, claim="b")) == CONTENT
        go_on.set()
        assert await read_all(first) == CONTENT
    assert len(publisher.calls) == 2


async def test_a_host_that_dies_is_succeeded(
    tmp_path: Path, publisher: Publisher, leases: OneAtATime
) -> None:
    never = asyncio.Event()
    source = FakeSource.of(CONTENT)
    async with host(tmp_path / "b", publisher, leases) as other:
        async with host(tmp_path / "a", publisher, leases) as one:
            one.start("domain", BLOB, FakeSource.of(CONTENT, Attempt(hold=never)), claim="a")
            while not leases.holder.locked():
                await asyncio.sleep(0.001)
            reading = asyncio.create_task(read_all(other.start("domain", BLOB, source, claim="b")))
            await asyncio.sleep(0.02)
        assert await reading == CONTENT
    assert len(publisher.calls) == 1


async def test_ranges_need_no_lease(
    tmp_path: Path, publisher: Publisher, leases: OneAtATime
) -> None:
    async with (
        leases.holder,
        host(tmp_path / "a", publisher, leases) as one,
    ):
        part = (MIB * 40, MIB * 40 + 10)
        fill = one.start("domain", BLOB, FakeSource.of(CONTENT), claim="a", part=part)
        assert await read_all(fill, *part) == CONTENT[slice(*part)]


async def test_a_reader_in_the_middle_is_not_broken_by_the_other_hosts_publication(
    tmp_path: Path, publisher: Publisher, leases: OneAtATime
) -> None:
    """It reads what an earlier download has left here, and cannot be sent elsewhere any more."""
    here, go_on = 10 * MIB, asyncio.Event()
    file = PartialFile(tmp_path / "b" / FOLDER / "d", BLOB)
    file.journal.set(Flag.KEEP)
    file.store(0, CONTENT[:here], 0, 10)
    file.leave(keep=True)
    async with (
        host(tmp_path / "a", publisher, leases) as a,
        host(tmp_path / "b", publisher, leases) as b,
    ):
        one = a.start("d", BLOB, FakeSource.of(CONTENT, Attempt(hold=go_on)), claim="a")
        while not leases.holder.locked():
            await asyncio.sleep(0.001)
        other = b.start("d", BLOB, FakeSource.of(CONTENT), claim="b")
        data = b""
        with other.reader(0, BLOB.size) as reader:
            async for piece in reader.pieces():
                data += piece
                if len(data) == here:
                    go_on.set()
                    await one.ended()
        assert data == CONTENT
        await other.ended()
        assert one.published and other.published


async def test_a_database_that_goes_away_does_not_stop_a_download_that_has_begun(
    tmp_path: Path,
    publisher: Publisher,
    leases: OneAtATime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part, looks = (MIB * 40, MIB * 40 + 10), []

    async def held(fill: Fill) -> bool:
        looks.append(fill)
        if len(looks) > 1:
            raise database_unavailable()
        return False

    monkeypatch.setattr(publisher, "held", held)
    async with host(tmp_path / "a", publisher, leases) as one:
        fill = one.start("domain", BLOB, FakeSource.of(CONTENT), claim="a", part=part)
        await read_all(fill, *part)
        assert await read_all(one.start("domain", BLOB, FakeSource.of(b""), claim="a")) == CONTENT
    assert len(looks) > 1
