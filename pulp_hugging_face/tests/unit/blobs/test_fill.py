"""One download, many readers, and nothing that is not verified looks complete."""

import asyncio
import hashlib
import math
import resource
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.blobs import room, tombstone
from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.reader import CHUNK, HOLD_BACK
from pulp_hugging_face.blobs.work import VERIFY_FIRST
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    GatedRepo,
    HubError,
    StorageFull,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)

from .sources import (
    MIB,
    Attempt,
    FakeSource,
    Publisher,
    left,
    lfs,
    pattern,
    read_all,
    read_and_keep,
    regular,
)

pytestmark = pytest.mark.asyncio

SMALL = pattern(100_000)
LARGE = pattern(VERIFY_FIRST + 3 * MIB + 17)


def begin(
    manager: FillManager, source: FakeSource, *, claim: str | None = "claim", **kw: Any
) -> Fill:
    return manager.start("domain", lfs(source.content), source, claim=claim, **kw)


async def ended(fill: Fill) -> None:
    """Wait until a fill has ended, well or badly."""
    await fill.ended()


async def failure(fill: Fill, start: int = 0) -> HubError:
    with pytest.raises(HubError) as failed:
        await read_all(fill, start)
    return failed.value


# The good case.


@pytest.mark.parametrize("content", [b"x", SMALL, LARGE], ids=["one byte", "small", "large"])
async def test_a_reader_gets_exactly_the_bytes(manager: FillManager, content: bytes) -> None:
    assert await read_all(begin(manager, FakeSource.of(content))) == content


async def test_many_readers_cost_one_download(manager: FillManager) -> None:
    source = FakeSource.of(LARGE)
    fill = begin(manager, source)
    read = await asyncio.gather(*(read_all(fill) for _ in range(8)))
    assert all(data == LARGE for data in read)
    assert source.opened == [(0, len(LARGE))]


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_readers_at_any_offset(manager: FillManager, content: bytes) -> None:
    fill = begin(manager, FakeSource.of(content))
    size = len(content)
    parts = [(0, 1), (size - 1, size), (1, 2), (size // 2, size // 2 + 70_000), (5, size), (7, 7)]
    parts = [(start, min(stop, size)) for start, stop in parts]
    read = await asyncio.gather(*(read_all(fill, start, stop) for start, stop in parts))
    assert read == [content[start:stop] for start, stop in parts]


async def test_a_reader_may_come_in_the_middle(manager: FillManager) -> None:
    go_on = asyncio.Event()
    fill = begin(manager, FakeSource.of(LARGE, Attempt(hold=go_on, at=3 * MIB)))
    first = await read_all(fill, 0, MIB)
    late = asyncio.create_task(read_all(fill))
    go_on.set()
    assert first == LARGE[:MIB] and await late == LARGE


async def test_a_large_file_is_read_while_it_grows(manager: FillManager) -> None:
    never = asyncio.Event()
    fill = begin(manager, FakeSource.of(LARGE, Attempt(hold=never, at=2 * MIB)))
    assert await read_all(fill, 0, 2 * MIB) == LARGE[: 2 * MIB]
    assert fill.position == 2 * MIB and not fill.done


async def test_a_small_file_is_not_read_before_it_is_verified(manager: FillManager) -> None:
    go_on = asyncio.Event()
    fill = begin(manager, FakeSource.of(SMALL, Attempt(hold=go_on, at=len(SMALL) - 1)))
    reader = asyncio.create_task(read_all(fill, 0, 1))
    while fill.position < len(SMALL) - 1:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert not reader.done()
    go_on.set()
    assert await reader == SMALL[:1]


async def test_the_tail_of_a_large_file_is_held_back_until_it_is_verified(
    manager: FillManager,
) -> None:
    go_on = asyncio.Event()
    fill = begin(manager, FakeSource.of(LARGE, Attempt(hold=go_on, at=len(LARGE) - 1)))
    border = len(LARGE) - HOLD_BACK
    assert await read_all(fill, 0, border) == LARGE[:border]
    behind = asyncio.create_task(read_all(fill, border, border + 1))
    await asyncio.sleep(0.02)
    assert not behind.done()
    go_on.set()
    assert await behind == LARGE[border : border + 1]


@pytest.mark.parametrize("claim", ["claim", None])
async def test_a_slow_reader_finishes_after_the_fill(
    manager: FillManager, folder: Path, claim: str | None
) -> None:
    """The file was moved away, or removed, long before."""
    fill = begin(manager, FakeSource.of(LARGE), claim=claim)
    with fill.reader(0, len(LARGE)) as reader:
        pieces = reader.pieces()
        data = await anext(pieces)
        await ended(fill)
        async for piece in pieces:
            data += piece
        assert data == LARGE
    assert await left(manager, folder) == []


async def test_a_file_without_bytes(manager: FillManager, publisher: Publisher) -> None:
    source = FakeSource.of(b"")
    fill = manager.start("domain", regular(b""), source, claim="claim")
    assert await read_all(fill) == b""
    await ended(fill)
    assert source.opened == []
    (call,) = publisher.calls
    assert call[1:3] == (hashlib.sha256(b"").hexdigest(), b"")


async def test_a_wrong_digest_of_no_bytes_is_not_published(
    manager: FillManager, publisher: Publisher
) -> None:
    fill = manager.start("domain", BlobId("a" * 40, 0), FakeSource.of(b""), claim="claim")
    await ended(fill)
    assert publisher.calls == [] and not fill.published


# Publishing.


@pytest.mark.parametrize("kind", [lfs, regular])
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_what_is_complete_is_published_once_with_its_sha256(
    manager: FillManager, publisher: Publisher, folder: Path, kind: Any, content: bytes
) -> None:
    fill = manager.start("domain", kind(content), FakeSource.of(content), claim="a")
    await asyncio.gather(*(read_all(fill) for _ in range(3)))
    await ended(fill)
    sha256 = hashlib.sha256(content).hexdigest()
    assert publisher.calls == [(kind(content).key, sha256, content, frozenset({"a"}))]
    assert fill.published and await left(manager, folder) == []


async def test_it_is_published_without_any_reader(
    manager: FillManager, publisher: Publisher
) -> None:
    fill = begin(manager, FakeSource.of(SMALL))
    await ended(fill)
    assert len(publisher.calls) == 1 and fill.published


async def test_the_end_is_released_as_soon_as_it_is_verified(
    manager: FillManager, publisher: Publisher
) -> None:
    """Neither the disk nor the database is waited for; who asks again finds the fill, or held."""
    publisher.go_on = asyncio.Event()
    fill = begin(manager, FakeSource.of(SMALL))
    assert await read_all(fill) == SMALL
    assert not fill.published
    assert await read_all(begin(manager, FakeSource.of(SMALL, Attempt(corrupt=0)))) == SMALL
    publisher.go_on.set()
    await ended(fill)
    assert fill.published


async def test_a_server_that_stops_finishes_what_it_is_publishing(
    manager: FillManager, publisher: Publisher
) -> None:
    publisher.go_on = asyncio.Event()
    await read_all(begin(manager, FakeSource.of(SMALL)))
    asyncio.get_running_loop().call_later(0.1, publisher.go_on.set)
    await manager.close()
    assert publisher.calls[0][2] == SMALL


async def test_without_claims_nothing_is_kept(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    """Policy "streamed"."""
    fill = begin(manager, FakeSource.of(LARGE), claim=None)
    assert await read_all(fill) == LARGE
    await ended(fill)
    assert publisher.calls == [] and not fill.published
    assert await left(manager, folder) == []


async def test_claims_of_all_who_asked_are_published(
    manager: FillManager, publisher: Publisher
) -> None:
    go_on = asyncio.Event()
    source = FakeSource.of(SMALL, Attempt(hold=go_on))
    fills = {begin(manager, source, claim=claim) for claim in ("a", None, "b", "a")}
    go_on.set()
    (fill,) = fills
    await ended(fill)
    assert [call[3] for call in publisher.calls] == [frozenset({"a", "b"})]


async def test_what_cannot_be_kept_is_served_all_the_same(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    publisher.keeps = False
    fill = begin(manager, FakeSource.of(SMALL))
    assert await read_all(fill) == SMALL
    await ended(fill)
    assert not fill.published and fill.error is None


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_what_cannot_be_kept_is_not_fetched_again(
    manager: FillManager, publisher: Publisher, folder: Path, content: bytes
) -> None:
    source = FakeSource.of(content)
    for keeps in (False, False, True):
        publisher.keeps = keeps
        fill = begin(manager, source)
        assert await read_and_keep(fill) == content
        assert fill.published is keeps
    assert source.opened == [(0, len(content))]
    assert await left(manager, folder) == []


async def test_a_publisher_that_breaks_leaves_nobody_waiting(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    publisher.error = RuntimeError("secret detail")
    fill = begin(manager, FakeSource.of(SMALL))
    assert await read_and_keep(fill) == SMALL
    assert fill.error is not None and "secret detail" not in fill.error.message
    assert await left(manager, folder) == []


# Broken transfers.


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_a_cut_transfer_is_taken_up_where_it_broke(
    manager: FillManager, publisher: Publisher, content: bytes
) -> None:
    cut = len(content) // 3
    source = FakeSource.of(content, Attempt(cut=cut), Attempt(cut=2 * cut), Attempt())
    assert await read_and_keep(begin(manager, source)) == content
    size = len(content)
    assert source.opened == [(0, size), (cut, size), (2 * cut, size)]
    assert len(publisher.calls) == 1


@pytest.mark.parametrize("chunk", [MIB, 77_777, 3 * MIB // 2])
async def test_a_server_that_ignores_the_range_is_skipped_forward(
    manager: FillManager, chunk: int
) -> None:
    cut = 2 * MIB + 5
    source = FakeSource.of(LARGE, Attempt(cut=cut), Attempt(whole=True, chunk=chunk))
    assert await read_all(begin(manager, source)) == LARGE


async def test_a_transfer_that_ends_early_is_taken_up_again(manager: FillManager) -> None:
    source = FakeSource.of(LARGE, Attempt(end=MIB + 1), Attempt())
    assert await read_all(begin(manager, source)) == LARGE
    assert source.opened[1] == (MIB + 1, len(LARGE))


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize(
    "attempt",
    [Attempt(cut=0), Attempt(end=0), Attempt(refuse=UpstreamTimeout("Slow.")),
     Attempt(refuse=UpstreamUnavailable("Down."))],
)  # fmt: skip
async def test_without_progress_it_is_given_up(
    manager: FillManager, publisher: Publisher, folder: Path, attempt: Attempt, retries: int
) -> None:
    source = FakeSource.of(SMALL, attempt)
    error = await failure(begin(manager, source, retries=retries))
    assert isinstance(error, UpstreamUnavailable | UpstreamTimeout)
    assert len(source.opened) == retries + 1
    assert publisher.calls == [] and await left(manager, folder) == []


async def test_progress_counts_against_giving_up(manager: FillManager) -> None:
    cuts = [Attempt(cut=n * 5000) for n in range(1, 20)]
    source = FakeSource.of(SMALL, *cuts, Attempt())
    assert await read_all(begin(manager, source, retries=1)) == SMALL


@pytest.mark.parametrize(
    "error", [EntryNotFound("Gone."), GatedRepo("Ask."), UpstreamBusy("Slow down.", retry_after=9)]
)
async def test_a_refusal_reaches_every_waiter_at_once(
    manager: FillManager, publisher: Publisher, error: HubError
) -> None:
    source = FakeSource.of(SMALL, Attempt(refuse=error))
    fill = begin(manager, source)
    failures = await asyncio.gather(*(failure(fill, start) for start in (0, 1, 50_000)))
    assert all(failed is error for failed in failures)
    assert len(source.opened) == 1 and publisher.calls == []


async def test_a_refusal_in_the_middle_breaks_the_readers(manager: FillManager) -> None:
    refusal = GatedRepo("No longer.")
    source = FakeSource.of(LARGE, Attempt(cut=2 * MIB), Attempt(refuse=refusal))
    fill = begin(manager, source)
    data = b""
    with fill.reader(0, len(LARGE)) as reader, pytest.raises(GatedRepo):
        async for piece in reader.pieces():
            data += piece
    assert data == LARGE[: 2 * MIB]


async def test_bytes_too_many_are_an_error(manager: FillManager, publisher: Publisher) -> None:
    source = FakeSource.of(SMALL + b"x", Attempt(chunk=999))
    fill = manager.start("domain", lfs(SMALL), source, claim="claim", retries=3)
    assert type(await failure(fill)) is UpstreamInvalid
    assert publisher.calls == [] and len(source.opened) == 2


async def test_a_surplus_behind_the_true_bytes_does_no_harm(
    manager: FillManager, publisher: Publisher
) -> None:
    source = FakeSource.of(SMALL, Attempt(extra=5))
    assert await read_and_keep(begin(manager, source)) == SMALL
    assert len(publisher.calls) == 1 and publisher.calls[0][2] == SMALL


# Bytes that are not what they should be.


async def test_a_corrupt_small_file_is_fetched_once_more(
    manager: FillManager, publisher: Publisher
) -> None:
    source = FakeSource.of(SMALL, Attempt(corrupt=5000), Attempt())
    assert await read_and_keep(begin(manager, source)) == SMALL
    size = len(SMALL)
    assert source.opened == [(0, size), (0, size)]
    assert publisher.calls[0][2] == SMALL


async def test_a_small_file_that_stays_corrupt_reaches_nobody(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    source = FakeSource.of(SMALL, Attempt(corrupt=0))
    fill = begin(manager, source)
    errors = await asyncio.gather(*(failure(fill, start) for start in (0, 1, len(SMALL) - 1)))
    assert {type(error) for error in errors} == {UpstreamInvalid}
    assert len(source.opened) == 2
    assert publisher.calls == [] and await left(manager, folder) == []


@pytest.mark.parametrize("wrong", [0, 3 * MIB, len(LARGE) - 1])
async def test_a_corrupt_large_file_never_looks_complete(
    manager: FillManager, publisher: Publisher, folder: Path, wrong: int
) -> None:
    source = FakeSource.of(LARGE, Attempt(corrupt=wrong))
    fill = begin(manager, source)
    received = 0
    with fill.reader(0, len(LARGE)) as reader, pytest.raises(UpstreamInvalid):
        async for piece in reader.pieces():
            received += len(piece)
    assert 0 < received <= len(LARGE) - HOLD_BACK
    assert len(source.opened) == 1  # what was served cannot be taken back
    note = fill.blob.key + tombstone.SUFFIX
    assert publisher.calls == [] and await left(manager, folder) == [note]


async def test_a_corrupt_large_file_that_nobody_read_is_fetched_once_more(
    manager: FillManager, publisher: Publisher
) -> None:
    source = FakeSource.of(LARGE, Attempt(corrupt=3 * MIB), Attempt())
    fill = begin(manager, source)
    await ended(fill)
    assert fill.published and publisher.calls[0][2] == LARGE


async def test_a_reader_of_the_tail_waits_through_the_second_download(
    manager: FillManager,
) -> None:
    source = FakeSource.of(LARGE, Attempt(corrupt=3 * MIB), Attempt())
    fill = begin(manager, source)
    assert await read_all(fill, len(LARGE) - 10) == LARGE[-10:]


async def test_the_next_request_after_a_corrupt_one_begins_anew(
    manager: FillManager, publisher: Publisher
) -> None:
    source = FakeSource.of(SMALL, Attempt(corrupt=0), Attempt(corrupt=0), Attempt())
    await failure(begin(manager, source))
    assert await read_and_keep(begin(manager, source)) == SMALL
    assert len(publisher.calls) == 1


# Clients that go.


async def test_a_client_that_hangs_up_does_not_stop_the_others(
    manager: FillManager, publisher: Publisher
) -> None:
    go_on = asyncio.Event()
    source = FakeSource.of(LARGE, Attempt(hold=go_on, at=2 * MIB))
    fill = begin(manager, source)
    leaver, stayer = (asyncio.create_task(read_all(fill)) for _ in range(2))
    while fill.position < 2 * MIB:
        await asyncio.sleep(0.001)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    assert leaver.cancelled()
    go_on.set()
    assert await stayer == LARGE
    await ended(fill)
    assert fill.published


async def test_the_only_client_that_hangs_up_does_not_stop_it_either(
    manager: FillManager, publisher: Publisher
) -> None:
    go_on = asyncio.Event()
    fill = begin(manager, FakeSource.of(LARGE, Attempt(hold=go_on, at=2 * MIB)))
    leaver = asyncio.create_task(read_all(fill))
    await asyncio.sleep(0.01)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    go_on.set()
    await ended(fill)
    assert publisher.calls[0][2] == LARGE


# Storage.


async def test_a_file_that_cannot_fit_is_refused_before_it_is_fetched(
    manager: FillManager, folder: Path
) -> None:
    source = FakeSource.of(SMALL)
    fill = manager.start("domain", BlobId("a" * 64, 2**60), source, claim="claim")
    error = await failure(fill)
    assert type(error) is StorageFull and error.status == 507
    assert source.opened == [] and await left(manager, folder) == []


async def test_some_room_is_left_to_the_database(
    manager: FillManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RESERVE", 2**60)
    assert type(await failure(begin(manager, FakeSource.of(SMALL)))) is StorageFull


async def test_a_disk_that_fills_up_on_the_way_is_told_to_all(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    """A limit on the size of files fails a write as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6 * MIB, hard))
    try:
        fill = begin(manager, FakeSource.of(LARGE))
        errors = await asyncio.gather(failure(fill), failure(fill, len(LARGE) - 1))
        await ended(fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {type(error) for error in errors} == {StorageFull}
    assert publisher.calls == []
    assert await read_all(begin(manager, FakeSource.of(LARGE))) == LARGE
    assert await left(manager, folder) == []


async def test_a_folder_that_cannot_be_used_is_an_error_not_a_hang(
    manager: FillManager, folder: Path
) -> None:
    (folder / "domain").write_text("in the way")
    error = await failure(begin(manager, FakeSource.of(SMALL)))
    assert error.status == 500


# Memory.


class Endless:
    """Bytes made as they are read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.block = pattern(CHUNK)
        digest = hashlib.sha256()
        for _ in range(size // CHUNK):
            digest.update(self.block)
        self.blob = BlobId(digest.hexdigest(), size)

    def room(self) -> float:
        return math.inf

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        self.start = start
        yield self

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        for _ in range(self.size // CHUNK):
            yield bytes(self.block)
            await asyncio.sleep(0)


async def test_a_large_file_is_not_held_in_memory(
    manager: FillManager, publisher: Publisher
) -> None:
    source = Endless(64 * MIB)
    tracemalloc.start()
    fill = manager.start("domain", source.blob, source, claim=None)

    async def drain() -> int:
        with fill.reader(0, source.size) as reader:
            return sum([len(piece) async for piece in reader.pieces()])

    counts = await asyncio.gather(*(drain() for _ in range(4)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts == [source.size] * 4
    assert peak < 16 * MIB


async def test_a_rate_limit_that_ends_soon_is_waited_out(
    manager: FillManager,
) -> None:
    busy = Attempt(refuse=UpstreamBusy("Slow down.", retry_after=0))
    source = FakeSource.of(LARGE, Attempt(cut=MIB), busy, busy, busy, busy, busy, Attempt())
    assert await read_all(begin(manager, source)) == LARGE
    assert source.opened[1:] == [(MIB, len(LARGE))] * 6


@pytest.mark.parametrize("retry_after", [None, 9])
async def test_a_rate_limit_that_no_client_waits_for_is_passed_on(
    manager: FillManager, retry_after: int | None
) -> None:
    busy = UpstreamBusy("Slow down.", retry_after=retry_after)
    source = FakeSource.of(LARGE, Attempt(cut=MIB), Attempt(refuse=busy))
    assert await failure(begin(manager, source), 2 * MIB) is busy
    assert len(source.opened) == 2
