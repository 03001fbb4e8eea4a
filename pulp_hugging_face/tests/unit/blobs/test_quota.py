"""What downloads may take on the disk, however many come at once and whatever part they want."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from pulp_hugging_face.blobs import room
from pulp_hugging_face.blobs.fill import Fill, TargetOf
from pulp_hugging_face.blobs.manager import FOLDER, FillManager
from pulp_hugging_face.blobs.room import Limits
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import StorageFull

from .sources import MIB, Attempt, FakeSource, Publisher, lfs, names, pattern, read_all
from .test_room import idle, partial

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def limited(
    folder: Path, publisher: Publisher, quota: int | None, target_of: TargetOf | None = None
) -> AsyncIterator[FillManager]:
    manager = FillManager(folder, publisher, limits=Limits(quota), target_of=target_of)
    await manager.open()
    try:
        yield manager
    finally:
        await manager.close()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def is_refused(fill: Fill) -> bool:
    """Tell whether there is no room for a fill's whole file."""
    try:
        await fill.opened()
    except StorageFull:
        return True
    return False


async def test_of_many_that_come_at_once_those_are_let_in_that_fit(
    tmp_path: Path, publisher: Publisher
) -> None:
    never = asyncio.Event()
    contents = [pattern(20 * MIB, seed) for seed in range(6)]
    async with (
        limited(tmp_path, publisher, 45 * MIB) as one,
        limited(tmp_path, publisher, 45 * MIB) as other,  # another process
    ):
        fills = [
            manager.start("d", lfs(c), FakeSource.of(c, Attempt(hold=never)), claim="a")
            for c, manager in zip(contents, [one, other] * 3, strict=True)
        ]
        refused = await asyncio.gather(*map(is_refused, fills))
        assert refused.count(False) == 2


async def test_ranges_count_and_who_gets_none_does_not_stop_the_others(
    tmp_path: Path, publisher: Publisher
) -> None:
    content = pattern(160 * MIB)
    source = FakeSource.of(content)
    first, second = (50 * MIB, 70 * MIB), (100 * MIB, 120 * MIB)
    async with limited(tmp_path, publisher, 30 * MIB) as manager:
        fill = manager.start("d", lfs(content), source, claim="a", part=first)
        with fill.reader(*first) as reader:
            await reader.ready()
            manager.start("d", lfs(content), source, claim="a", part=second)
            with pytest.raises(StorageFull) as refused:
                await read_all(fill, *second)
            assert str(30 * MIB) in refused.value.message
            got = b"".join([piece async for piece in reader.pieces()])
        assert got == content[slice(*first)]
        assert all(stop <= first[1] for _, stop in source.opened)


async def test_what_ranges_are_to_bring_is_promised_to_nobody_else(
    tmp_path: Path, publisher: Publisher
) -> None:
    content, other, never = pattern(100 * MIB), pattern(15 * MIB, 1), asyncio.Event()
    part = (50 * MIB, 70 * MIB)
    held_up = FakeSource.of(content, Attempt(hold=never))
    async with limited(tmp_path, publisher, 30 * MIB) as manager:
        fill = manager.start("d", lfs(content), held_up, claim="a", part=part)
        reading = asyncio.create_task(read_all(fill, *part))
        await eventually(lambda: bool(held_up.opened))
        refused = manager.start("d", lfs(other), FakeSource.of(other), claim="a")
        assert await is_refused(refused)
        reading.cancel()


async def test_a_range_is_counted_once_for_all_who_want_it(
    tmp_path: Path, publisher: Publisher
) -> None:
    content = pattern(100 * MIB)
    part = (50 * MIB, 70 * MIB)
    async with limited(tmp_path, publisher, 30 * MIB) as manager:
        fill = manager.start("d", lfs(content), FakeSource.of(content), claim="a", part=part)
        got = await asyncio.gather(*(read_all(fill, *part) for _ in range(20)))
        assert set(got) == {content[slice(*part)]}


async def test_nothing_makes_way_for_what_does_not_fit_anyway(tmp_path: Path) -> None:
    kept = [idle(tmp_path, name, 3 * MIB) for name in "ab"]
    busy = partial(tmp_path, "c", 3 * MIB)
    with pytest.raises(StorageFull):
        room.require_room(tmp_path, tmp_path / "d" / "x.part", 8 * MIB, Limits(10 * MIB))
    assert all(path.exists() for path in kept)
    room.require_room(tmp_path, tmp_path / "d" / "x.part", 7 * MIB, Limits(10 * MIB + 64 * 1024))
    assert not any(path.exists() for path in kept) and busy.path.exists()
    busy.leave(keep=False)


async def test_what_was_copied_into_the_storage_counts_while_it_is_read(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an object storage, or on another file system: the partial file has no name then."""

    async def copy(fill: Fill, path: Path, sha256: str) -> bool:
        shutil.copy(path, publisher.folder / sha256)
        publisher.kept[fill.scope, fill.blob.key] = publisher.folder / sha256
        return True

    monkeypatch.setattr(publisher, "publish", copy)
    content, other = pattern(20 * MIB), pattern(20 * MIB, 1)
    async with limited(tmp_path, publisher, 30 * MIB) as manager, AsyncExitStack() as stack:
        fill = manager.start("d", lfs(content), FakeSource.of(content), claim="a")
        reader = stack.enter_context(fill.reader(0, len(content)))
        await fill.complete()
        assert names(tmp_path / FOLDER) == [] and await reader.ready() == len(content)
        assert await is_refused(manager.start("d", lfs(other), FakeSource.of(other), claim="a"))
        reader.close()
        again = manager.start("d", lfs(other), FakeSource.of(other), claim="a")
        assert await read_all(again) == other


async def test_room_is_needed_where_files_are_kept_too(
    tmp_path: Path, publisher: Publisher
) -> None:
    """On another file system, which is asked before a byte is fetched."""
    other = Path("/dev/shm")
    if not other.exists() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    free = shutil.disk_usage(other).free
    if shutil.disk_usage(tmp_path).free < free + 2 * room.RESERVE:
        pytest.skip("the second file system has more room than the first")

    async def target_of(fill: Fill) -> Path | None:
        return other / "not" / "there"

    source = FakeSource.of(b"")
    async with limited(tmp_path, publisher, None, target_of) as manager:
        fill = manager.start("d", BlobId("a" * 64, free), source, claim="a")
        with pytest.raises(StorageFull, match=f"needs {free} bytes") as refused:
            await read_all(fill)
        assert refused.value.status == 507 and source.opened == []
        # What is not kept needs no room there.
        assert not await is_refused(
            manager.start("d", BlobId("b" * 64, free), FakeSource.of(b""), claim=None)
        )
