"""Clients that go on where they stopped must not end with a file that looks complete and is not."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.blobs import tombstone
from pulp_hugging_face.blobs.journal import Flag
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.blobs.reader import HOLD_BACK
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE, SEGMENT
from pulp_hugging_face.hub.errors import UpstreamInvalid

from .sources import (
    MIB,
    Attempt,
    FakeSource,
    Publisher,
    lfs,
    names,
    pattern,
    read_and_keep,
    regular,
)

pytestmark = pytest.mark.asyncio

MIDDLE = pattern(20 * MIB)
LARGE = pattern(PARALLEL_ABOVE + 36 * MIB)
PLACE = "domain"


async def rest_of(manager: FillManager, source: FakeSource, start: int) -> bytes:
    """Read as the answer to "bytes=<start>-" is read."""
    size = len(source.content)
    fill = manager.start(
        PLACE, lfs(source.content), source, claim="a", part=(start, size), resumes=True
    )
    with fill.reader(start, size, resumes=True) as reader:
        return b"".join([piece async for piece in reader.pieces()])


async def received_before_it_broke(
    manager: FillManager, source: FakeSource, start: int = 0
) -> bytes:
    size, data = len(source.content), b""
    resumes = start > 0
    fill = manager.start(
        PLACE, lfs(source.content), source, claim="a", part=(start, size), resumes=resumes
    )
    with fill.reader(start, size, resumes=resumes) as reader, pytest.raises(UpstreamInvalid):
        async for piece in reader.pieces():
            data += piece
    await fill.ended()
    return data


@pytest.mark.parametrize(
    ("content", "start"),
    [(MIDDLE, 15 * MIB), (LARGE, 60 * MIB), (LARGE, 90 * MIB)],
    ids=["smaller", "more than a third", "a tenth"],
)
@pytest.mark.parametrize("wrong", [2 * MIB, -5], ids=["before it", "in its end"])
async def test_the_rest_of_a_bad_file_never_looks_complete(
    manager: FillManager, content: bytes, start: int, wrong: int
) -> None:
    source = FakeSource.of(content, Attempt(corrupt=wrong % len(content)))
    data = await received_before_it_broke(manager, source, start)
    assert len(data) <= len(content) - HOLD_BACK - start


@pytest.mark.parametrize("start", [60 * MIB, 90 * MIB])
async def test_the_rest_of_a_good_file_arrives(
    manager: FillManager, publisher: Publisher, start: int
) -> None:
    source = FakeSource.of(LARGE)
    assert await rest_of(manager, source, start) == LARGE[start:]
    assert sum(stop - start for start, stop in source.opened) == len(LARGE)
    await manager.close()
    assert publisher.calls[0][2] == LARGE


class Partly(FakeSource):
    """Gives nothing of what is before `border`."""

    border = 0

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        if start < self.border:
            await asyncio.Event().wait()
        async with super().open(start, stop) as stream:
            yield stream


async def test_the_first_bytes_of_a_rest_wait_for_nothing(manager: FillManager) -> None:
    """HfFileSystem opens its streams anew so."""
    source = Partly.of(LARGE)
    source.border = start = 70 * MIB  # type: ignore[attr-defined]
    part = (start, len(LARGE))
    fill = manager.start(PLACE, lfs(LARGE), source, claim="a", part=part, resumes=True)
    with fill.reader(*part, resumes=True) as reader:
        pieces, data = reader.pieces(), b""
        while len(data) < 20 * MIB:
            data += await asyncio.wait_for(anext(pieces), 30)
    assert LARGE[start:].startswith(data)


async def test_the_open_end_of_a_large_file_costs_its_segments(manager: FillManager) -> None:
    source, start = FakeSource.of(LARGE), len(LARGE) - MIB
    assert await rest_of(manager, source, start) == LARGE[start:]
    assert sum(stop - start for start, stop in source.opened) <= 2 * SEGMENT


async def test_an_end_whose_beginning_is_here_waits_for_the_digest(
    manager: FillManager, folder: Path
) -> None:
    """After a restart nobody has asked for the whole yet, and the beginning may be bad."""
    bad, here = bytearray(LARGE), 95 * MIB
    bad[5] ^= 0xFF
    file = PartialFile(folder / PLACE, lfs(LARGE))
    file.journal.set(Flag.KEEP)
    file.store(0, bytes(bad[:here]), 0, 95)
    file.leave(keep=True)
    data = await received_before_it_broke(manager, FakeSource.of(LARGE), 97 * MIB)
    assert len(data) <= len(LARGE) - HOLD_BACK - 97 * MIB


# What was bad is remembered.


async def test_that_clients_have_bad_bytes_is_remembered_for_long(
    manager: FillManager, folder: Path
) -> None:
    blob = lfs(MIDDLE)
    assert not await manager.was_bad(PLACE, blob)
    assert await received_before_it_broke(manager, FakeSource.of(MIDDLE, Attempt(corrupt=0)))
    assert await manager.was_bad(PLACE, blob)
    assert not await manager.was_bad("other domain", blob)
    await read_and_keep(manager.start(PLACE, blob, FakeSource.of(MIDDLE), claim="a"))
    assert await manager.was_bad(PLACE, blob), "what clients got before stays bad"

    note = folder / PLACE / (blob.key + tombstone.SUFFIX)
    os.utime(note, (0, time.time() - tombstone.MAX_AGE + 60))
    tombstone.clean(folder)
    assert await manager.was_bad(PLACE, blob)
    os.utime(note, (0, time.time() - tombstone.MAX_AGE - 1))
    assert not await manager.was_bad(PLACE, blob)
    tombstone.clean(folder)
    assert not note.exists()


@pytest.mark.parametrize("kind", [lfs, regular])
async def test_bytes_that_reached_nobody_are_not_remembered(
    manager: FillManager, folder: Path, kind: Any
) -> None:
    content = pattern(100_000)
    fill = manager.start(PLACE, kind(content), FakeSource.of(content, Attempt(corrupt=0)), claim=1)
    await fill.ended()
    assert fill.error is not None and not await manager.was_bad(PLACE, kind(content))
    await manager.close()
    assert names(folder) == []


async def test_what_is_bad_again_and_again_reaches_nobody_any_more(manager: FillManager) -> None:
    """Each byte makes hub 2.4 count its attempts from one: it would begin anew for ever."""
    bad = FakeSource.of(MIDDLE, Attempt(corrupt=0))
    for _ in range(tombstone.TOO_OFTEN):
        assert await received_before_it_broke(manager, bad)
    assert await received_before_it_broke(manager, bad) == b""
    assert await received_before_it_broke(manager, bad, 10 * MIB) == b""


async def test_what_was_bad_again_and_again_and_is_good_now_flows_as_before(
    manager: FillManager,
) -> None:
    for _ in range(tombstone.TOO_OFTEN):
        await received_before_it_broke(manager, FakeSource.of(MIDDLE, Attempt(corrupt=0)))
    good = manager.start(PLACE, lfs(MIDDLE), FakeSource.of(MIDDLE), claim=None)
    assert await read_and_keep(good) == MIDDLE
    assert await manager.was_bad(PLACE, lfs(MIDDLE)), "who has the bad bytes is to begin anew"
    go_on = asyncio.Event()
    source = FakeSource.of(MIDDLE, Attempt(hold=go_on, at=8 * MIB))
    fill = manager.start(PLACE, lfs(MIDDLE), source, claim=None)
    with fill.reader(0, len(MIDDLE)) as reader:
        assert await asyncio.wait_for(reader.ready(), 30) > 0
        go_on.set()
