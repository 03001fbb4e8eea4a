"""Sources of bytes that behave as a test wants, and a publisher that remembers."""

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import HubError, UpstreamUnavailable

MIB = 1024 * 1024


def pattern(size: int, seed: int = 0) -> bytes:
    """Return bytes that differ everywhere, so that a shifted offset shows."""
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in range(2048))
    return b"".join(b"%016d" % n + block[16:] for n in range(size // len(block) + 1))[:size]


def lfs(content: bytes) -> BlobId:
    return BlobId(hashlib.sha256(content).hexdigest(), len(content))


def regular(content: bytes) -> BlobId:
    key = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return BlobId(key, len(content))


@dataclass
class Attempt:
    """
    How one transfer goes. Offsets count from the beginning of the file.

    cut: it breaks there; end: it ends there as if all were said; extra: bytes too many; corrupt: a
    byte that is wrong; whole: the range is ignored; refuse: this is raised instead of an answer;
    hold: it stops at `at` until the event is set; chunk: bytes a piece.
    """

    cut: int | None = None
    end: int | None = None
    extra: int = 0
    corrupt: int | None = None
    whole: bool = False
    refuse: HubError | None = None
    hold: asyncio.Event | None = None
    at: int = 0
    chunk: int = MIB


@dataclass
class Stream:
    """Stands for upstream's BlobStream."""

    start: int
    content: bytes
    attempt: Attempt

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        attempt = self.attempt
        limits = [len(self.content), attempt.cut, attempt.end]
        stop = min(limit for limit in limits if limit is not None)
        position = self.start
        while position < stop:
            if attempt.hold is not None and position >= attempt.at:
                await attempt.hold.wait()
            count = min(size, attempt.chunk, stop - position)
            if attempt.hold is not None and position < attempt.at:
                count = min(count, attempt.at - position)
            yield self._piece(position, count)
            position += count
            await asyncio.sleep(0)
        if attempt.cut is not None and stop == attempt.cut:
            raise UpstreamUnavailable("The upstream broke the transfer.")
        if attempt.extra and stop == len(self.content):
            yield b"!" * attempt.extra

    def _piece(self, position: int, count: int) -> bytes:
        data = bytearray(self.content[position : position + count])
        wrong = self.attempt.corrupt
        if wrong is not None and position <= wrong < position + count:
            data[wrong - position] ^= 0xFF
        return bytes(data)


@dataclass
class FakeSource:
    """Gives the attempts one after the other, the last one again and again."""

    content: bytes = field(repr=False)  # logging a source is not to cost its size
    attempts: deque[Attempt]
    opened: list[tuple[int, int]] = field(default_factory=list)
    waited: int = 0  # how often somebody was patient

    def patient(self) -> "FakeSource":
        self.waited += 1
        return self

    def room(self) -> float:
        return math.inf

    @classmethod
    def of(cls, content: bytes, *attempts: Attempt) -> "FakeSource":
        return cls(content, deque(attempts or [Attempt()]))

    @asynccontextmanager
    async def open(self, start: int, stop: int) -> AsyncIterator[Any]:
        self.opened.append((start, stop))
        attempt = self.attempts.popleft() if len(self.attempts) > 1 else self.attempts[0]
        await asyncio.sleep(0)
        if attempt.refuse is not None:
            raise attempt.refuse
        yield Stream(0 if attempt.whole else start, self.content, attempt)


@dataclass
class Publisher:
    """Keeps what is published by moving it away, as the store does (blobs.Keeper)."""

    folder: Path
    keeps: bool = True
    error: Exception | None = None
    go_on: asyncio.Event | None = None
    calls: list[tuple[str, str, bytes, frozenset[Any]]] = field(default_factory=list)
    adopted: list[frozenset[Any]] = field(default_factory=list)
    kept: dict[tuple[str, str], Path] = field(default_factory=dict)

    async def publish(self, fill: Fill, path: Path, sha256: str) -> bool:
        claims = frozenset(fill.claims)
        if self.go_on is not None:
            await self.go_on.wait()
        self.calls.append((fill.blob.key, sha256, path.read_bytes(), claims))
        if self.error is not None:
            raise self.error
        if self.keeps:
            path.rename(self.folder / sha256)
            self.kept[fill.scope, fill.blob.key] = self.folder / sha256
        return self.keeps

    async def adopt(self, fill: Fill) -> None:
        self.adopted.append(frozenset(fill.claims))

    async def held(self, fill: Fill) -> bool:
        return (fill.scope, fill.blob.key) in self.kept

    async def recover(self, fill: Fill) -> bool:
        return False


async def read_all(fill: Fill, start: int = 0, stop: int | None = None) -> bytes:
    """Read as a client does; always detached in the end."""
    with fill.reader(start, fill.blob.size if stop is None else stop) as reader:
        return b"".join([piece async for piece in reader.pieces()])


async def read_and_keep(fill: Fill) -> bytes:
    """Read all, and wait until the fill has ended: then it is kept."""
    content = await read_all(fill)
    await fill.ended()
    return content


async def left(manager: FillManager, folder: Path) -> list[str]:
    """Return what lies in the folder after the manager has put everything away."""
    await manager.close()
    return names(folder)


def names(folder: Path) -> list[str]:
    """Return what lies in the folder of the fills, but for the folders of domains."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
