"""One fill per blob of a domain in a process, and tidiness."""

import asyncio
import threading
from pathlib import Path

import pytest

from pulp_hugging_face.blobs import verify
from pulp_hugging_face.blobs.fill import AlreadyHeld, Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.hub.errors import EntryNotFound, HubError, UpstreamUnavailable

from .sources import MIB, Attempt, FakeSource, Publisher, left, lfs, names, pattern, read_all
from .test_fill import ended

pytestmark = pytest.mark.asyncio

CONTENT = pattern(200_000)
BLOB = lfs(CONTENT)


async def test_who_asks_while_it_runs_joins(manager: FillManager) -> None:
    go_on = asyncio.Event()
    first, second = FakeSource.of(CONTENT, Attempt(hold=go_on)), FakeSource.of(CONTENT)
    fill = manager.start("domain", BLOB, first, claim="a")
    assert manager.start("domain", BLOB, second, claim="b") is fill
    assert manager.running("domain", BLOB) is fill
    go_on.set()
    assert await read_all(fill) == CONTENT
    assert second.opened == []


async def test_domains_are_kept_apart(manager: FillManager) -> None:
    sources = [FakeSource.of(CONTENT), FakeSource.of(CONTENT)]
    fills = [
        manager.start(domain, BLOB, source, claim="a")
        for domain, source in zip("ab", sources, strict=True)
    ]
    assert fills[0] is not fills[1]
    assert await asyncio.gather(*map(read_all, fills)) == [CONTENT, CONTENT]
    assert all(len(source.opened) == 1 for source in sources)


async def test_nothing_runs_that_was_not_begun(manager: FillManager) -> None:
    assert manager.running("domain", BLOB) is None


@pytest.mark.parametrize("attempt", [Attempt(), Attempt(refuse=EntryNotFound("Gone."))])
async def test_a_fill_that_has_ended_is_replaced(manager: FillManager, attempt: Attempt) -> None:
    first = manager.start("domain", BLOB, FakeSource.of(CONTENT, attempt), claim=None)
    await ended(first)
    assert manager.running("domain", BLOB) is None
    second = manager.start("domain", BLOB, FakeSource.of(CONTENT), claim=None)
    assert second is not first
    assert await read_all(second) == CONTENT


async def test_the_end_of_an_old_fill_does_not_remove_a_new_one(manager: FillManager) -> None:
    first = manager.start("domain", BLOB, FakeSource.of(CONTENT), claim=None)
    while not first.done:  # look the moment it is done, before its task's callbacks
        await asyncio.sleep(0)
    go_on = asyncio.Event()
    second = manager.start("domain", BLOB, FakeSource.of(CONTENT, Attempt(hold=go_on)), claim=None)
    for _ in range(3):  # those callbacks
        await asyncio.sleep(0)
    # Unless the old file was still there, complete: then there is nothing left to do.
    assert manager.running("domain", BLOB) is second or not second.usable
    go_on.set()
    assert await read_all(second) == CONTENT


async def test_readers_are_told_when_the_server_stops(
    tmp_path: Path, publisher: Publisher, folder: Path
) -> None:
    manager = FillManager(tmp_path, publisher)
    await manager.open()
    source = FakeSource.of(CONTENT, Attempt(hold=asyncio.Event(), at=100))
    fill = manager.start("domain", BLOB, source, claim="a")
    reader = asyncio.create_task(read_all(fill))
    while fill.position < 100:
        await asyncio.sleep(0.001)
    await manager.close()
    with pytest.raises(UpstreamUnavailable):
        await reader
    assert publisher.calls == [] and names(folder) == []


async def test_many_blobs_at_once(manager: FillManager, publisher: Publisher) -> None:
    contents = [pattern(50_000 + n, n) for n in range(40)]
    fills = [
        manager.start("domain", lfs(content), FakeSource.of(content), claim="a")
        for content in contents
    ]
    assert await asyncio.gather(*map(read_all, fills)) == contents
    assert len(publisher.calls) == 40


async def test_one_failure_of_many_harms_no_other(manager: FillManager) -> None:
    contents = [pattern(50_000 + n, n) for n in range(10)]
    attempts = [Attempt(corrupt=1) if n == 5 else Attempt() for n in range(10)]
    fills = [
        manager.start("domain", lfs(content), FakeSource.of(content, attempt), claim="a")
        for content, attempt in zip(contents, attempts, strict=True)
    ]
    results = await asyncio.gather(*map(read_all, fills), return_exceptions=True)
    assert isinstance(results.pop(5), HubError)
    assert results == contents[:5] + contents[6:]


async def test_the_folder_is_private(manager: FillManager, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_late_claims_are_noted_too(manager: FillManager, publisher: Publisher) -> None:
    """Whoever joins while the file is being published comes too late for that."""
    go_on = asyncio.Event()
    publish = publisher.publish

    async def slowly(fill: Fill, path: Path, sha256: str) -> bool:
        done = await publish(fill, path, sha256)
        await go_on.wait()
        return done

    publisher.publish = slowly  # type: ignore[method-assign]
    fill = manager.start("domain", BLOB, FakeSource.of(CONTENT), claim="a")
    while not publisher.calls:
        await asyncio.sleep(0.001)
    assert manager.start("domain", BLOB, FakeSource.of(CONTENT), claim="b") is fill
    go_on.set()
    await ended(fill)
    assert publisher.adopted == [frozenset({"a", "b"})]


async def test_what_was_published_meanwhile_is_not_fetched(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    """Between a look for the blob and its fill, another process may have published it."""
    await ended(manager.start("domain", BLOB, FakeSource.of(CONTENT), claim="a"))
    source = FakeSource.of(CONTENT)
    with pytest.raises(AlreadyHeld):
        await read_all(manager.start("domain", BLOB, source, claim="a"))
    assert source.opened == [] and await left(manager, folder) == []


async def test_files_that_are_written_out_keep_no_other_waiting(
    manager: FillManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is slow: to write out a gigabyte takes it a while."""
    written, real, begun = threading.Event(), PartialFile.sync, threading.Event()

    def slow(file: PartialFile, done: int) -> None:
        begun.set()
        written.wait(60)
        real(file, done)

    monkeypatch.setattr(verify, "SYNC_SEGMENTS", 2)
    monkeypatch.setattr(PartialFile, "sync", slow)
    contents = [pattern(10 * MIB, seed) for seed in range(10)]
    large = [manager.start("d", lfs(c), FakeSource.of(c), claim="a") for c in contents]
    try:
        assert await asyncio.to_thread(begun.wait, 60)
        async with asyncio.timeout(60):
            await asyncio.gather(*(fill.opened() for fill in large))
            small = manager.start("domain", BLOB, FakeSource.of(CONTENT), claim="a")
            assert await read_all(small) == CONTENT
            # Clients do not wait for it either.
            assert await asyncio.gather(*map(read_all, large)) == contents
        assert not any(fill.published for fill in large)
    finally:
        written.set()
    await asyncio.gather(*map(ended, large))
    assert all(fill.published for fill in large)
