"""
A process that fills, for tests of several: `python -m … <folder> <seed> <readers> [only ranges]`.

The folder has `truth` (the bytes); every byte that is taken from it goes into `upstream`, a record
for each piece, so that it counts what was fetched by the dead, too. Exit code 0: all readers got
exactly their bytes.
"""

import asyncio
import hashlib
import math
import os
import random
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pulp_hugging_face.blobs.fill import AlreadyHeld, Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import UpstreamUnavailable

RECORD = struct.Struct("<QQQ")  # process, offset, length
PIECE = 128 * 1024


class FileSource:
    """The upstream: a file, at a pace, with transfers that break now and then."""

    def __init__(self, folder: Path, rate: float, chance: random.Random | None = None) -> None:
        self._truth = (folder / "truth").open("rb")
        self._log = os.open(folder / "upstream", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._pause = PIECE / rate
        self._chance = chance

    def room(self) -> float:
        return math.inf

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        await asyncio.sleep(0.005)
        yield _Stream(self, start, stop)

    async def pieces(self, start: int, stop: int) -> AsyncIterator[bytes]:
        while start < stop:
            await asyncio.sleep(self._pause)
            if self._chance is not None and self._chance.random() < 0.005:
                raise UpstreamUnavailable("The upstream broke the transfer.")
            data = os.pread(self._truth.fileno(), min(PIECE, stop - start), start)
            os.write(self._log, RECORD.pack(os.getpid(), start, len(data)))
            yield data
            start += len(data)


class _Stream:
    def __init__(self, source: FileSource, start: int, stop: int) -> None:
        self.start = start
        self._source, self._stop = source, stop

    def chunks(self, size: int) -> AsyncIterator[bytes]:
        return self._source.pieces(self.start, self._stop)


class FolderKeeper:
    """The storage: a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kept"
        self.folder.mkdir(exist_ok=True)

    async def publish(self, fill: Fill, path: Path, sha256: str) -> bool:
        os.rename(path, self.folder / sha256)
        return True

    async def adopt(self, fill: Fill) -> None:
        assert await self.held(fill)

    async def held(self, fill: Fill) -> bool:
        return (self.folder / fill.blob.key).exists()

    async def recover(self, fill: Fill) -> bool:
        return False


def fetched(folder: Path) -> list[tuple[int, int, int]]:
    """Return what was taken from the upstream: process, offset, length."""
    path = folder / "upstream"
    written = path.read_bytes() if path.exists() else b""
    whole = len(written) - len(written) % RECORD.size  # the last may be half written this moment
    return list(RECORD.iter_unpack(written[:whole]))


def blob_of(folder: Path) -> BlobId:
    with (folder / "truth").open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    return BlobId(key, (folder / "truth").stat().st_size)


async def _read(manager: FillManager, folder: Path, blob: BlobId, part: tuple[int, int]) -> None:
    """Read a part as a client does, and compare every byte with the truth."""
    start, stop = part
    for _ in range(20):
        held = folder / "kept" / blob.key
        if held.exists():
            with held.open("rb") as file:
                _compare(folder, start, os.pread(file.fileno(), stop - start, start))
            return
        source = FileSource(folder, 24e6, random.Random(start))
        fill = manager.start("domain", blob, source, claim="claim", part=part, retries=20)
        try:
            with fill.reader(start, stop) as reader:
                async for piece in reader.pieces():
                    _compare(folder, reader.position, piece)
            return
        except AlreadyHeld:
            continue
    raise AssertionError("neither held nor filled")


def _compare(folder: Path, offset: int, data: bytes) -> None:
    with (folder / "truth").open("rb") as file:
        assert os.pread(file.fileno(), len(data), offset) == data, f"wrong bytes at {offset}"


async def main(folder: Path, seed: int, readers: int, *, ranges: bool) -> None:
    blob, chance = blob_of(folder), random.Random(seed)
    manager = FillManager(folder, FolderKeeper(folder))
    await manager.open()
    parts = [] if ranges else [(0, blob.size)]
    while len(parts) < readers:
        start = chance.randrange(blob.size)
        parts.append((start, min(blob.size, start + chance.choice([1, 5000, 3_000_000]))))
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(_read(manager, folder, blob, part))
    # A process that ends throws away the segments under way: not what is counted here.
    while (fill := manager.running("domain", blob)) and fill._runs and fill._runs.under_way:
        await asyncio.sleep(0.01)
    await manager.close()


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), ranges=len(sys.argv) > 4)
    )
