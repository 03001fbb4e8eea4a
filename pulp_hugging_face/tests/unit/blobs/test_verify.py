"""What is verified is what is kept, whatever the disk and other processes do meanwhile."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.blobs import verify
from pulp_hugging_face.blobs.journal import Journal, Lock, State
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.blobs.segments import Layout
from pulp_hugging_face.hub.errors import GatedRepo

from .sources import MIB, Attempt, FakeSource, Publisher, lfs, pattern, read_all, read_and_keep

pytestmark = pytest.mark.asyncio

CONTENT = pattern(12 * MIB)
BLOB = lfs(CONTENT)
PLACE = "domain"


@dataclass
class Disk:
    """Syncs that have begun, and ended."""

    begun: int = 0
    ended: int = 0


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Every few segments are synced, each time for long."""
    real, disk = os.fsync, Disk()

    def fsync(fd: int) -> None:
        disk.begun += 1
        time.sleep(0.5)
        real(fd)
        disk.ended += 1

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(verify, "SYNC_SEGMENTS", 4)
    return disk


class Late(FakeSource):
    """Everything but the first answer takes its time, as real ones do."""

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        if self.opened:
            await asyncio.sleep(1.0)
        async with super().open(start, stop) as stream:
            yield stream


async def test_bad_bytes_that_are_being_synced_are_fetched_again(
    manager: FillManager, publisher: Publisher, slow_disk: Disk
) -> None:
    source = Late.of(CONTENT, Attempt(corrupt=MIB), Attempt())
    fill = manager.start(PLACE, BLOB, source, claim="a")
    await fill.ended()
    assert slow_disk.begun and fill.published and publisher.calls[0][2] == CONTENT


async def test_a_file_is_not_left_while_it_is_synced(manager: FillManager, slow_disk: Disk) -> None:
    """Who opens it next may begin anew, and must not find marks of bytes that are gone."""
    go_on = asyncio.Event()
    breaks = Attempt(hold=go_on, at=8 * MIB, cut=9 * MIB)
    source = FakeSource.of(CONTENT, breaks, Attempt(refuse=GatedRepo("No longer.")))
    fill = manager.start(PLACE, BLOB, source, claim="a")
    while not slow_disk.begun:
        await asyncio.sleep(0.01)
    go_on.set()
    await fill.ended()
    assert isinstance(fill.error, GatedRepo) and slow_disk.ended == slow_disk.begun


async def test_a_file_that_has_taken_the_name_is_not_published(
    manager: FillManager, publisher: Publisher, folder: Path
) -> None:
    """As seen with a process that had not locked it: the sparse file of somebody else."""
    go_on = asyncio.Event()
    source = FakeSource.of(CONTENT, Attempt(hold=go_on, at=6 * MIB), Attempt())
    fill = manager.start(PLACE, BLOB, source, claim="a")
    reading = asyncio.create_task(read_all(fill))
    while fill.position < 6 * MIB:
        await asyncio.sleep(0.01)
    path = folder / PLACE / f"{BLOB.key}.part"
    path.unlink()
    path.write_bytes(bytes(BLOB.size))
    go_on.set()
    assert await reading == CONTENT
    await fill.ended()
    assert publisher.calls == [] and not fill.published
    assert await read_and_keep(manager.start(PLACE, BLOB, source, claim="a")) == CONTENT
    assert [call[2] for call in publisher.calls] == [CONTENT]


async def test_a_file_that_somebody_is_just_leaving_is_waited_for(
    manager: FillManager, folder: Path
) -> None:
    PartialFile(folder / PLACE, BLOB).close()
    other = Journal(folder / PLACE / f"{BLOB.key}.journal", Layout.of(BLOB.size))
    assert other.try_lock(Lock.ATTACHED)
    asyncio.get_running_loop().call_later(0.3, other.close)
    assert await read_all(manager.start(PLACE, BLOB, FakeSource.of(CONTENT), claim="a")) == CONTENT


async def test_a_claim_that_comes_behind_the_verification_is_kept(
    manager: FillManager, publisher: Publisher
) -> None:
    """A remote with the policy "streamed" and one with "on_demand" ask for the same."""
    content = pattern(200_000)
    fill = manager.start(PLACE, lfs(content), FakeSource.of(content), claim=None)
    while fill._work is None or fill._work.journal.state is not State.VERIFIED:
        await asyncio.sleep(0)
    assert manager.start(PLACE, lfs(content), FakeSource.of(content), claim="a") is fill
    await asyncio.wait_for(fill.ended(), 60)
    assert fill.published and publisher.calls[0][2:] == (content, frozenset({"a"}))
