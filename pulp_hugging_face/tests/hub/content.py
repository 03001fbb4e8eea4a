"""Bytes as values: held in memory, or generated where and when they are read.

A generated file costs no memory whatever its size, can be read at any offset, and differs at
every 64 KiB, so that a misplaced range never goes unnoticed.
"""

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol

BLOCK = 1 << 16
STAMP = 16
HASH_PIECE = 1 << 20


class Content(Protocol):
    """What the fixture serves: a size, random access, a digest and a JSON form."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, length: int) -> bytes: ...

    @property
    def sha256(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Literal:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        return self.data[start : start + length]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {"base64": base64.b64encode(self.data).decode()}


@dataclass(frozen=True)
class Generated:
    """`size` pseudo-random bytes, the same for the same `seed` on every machine."""

    size: int
    seed: int = 0

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        if start >= end:
            return b""
        first, last = start // BLOCK, (end - 1) // BLOCK
        blocks = b"".join(self._block(number) for number in range(first, last + 1))
        return blocks[start - first * BLOCK : end - first * BLOCK]

    def _block(self, number: int) -> bytes:
        stamp = number.to_bytes(8, "big") + self.seed.to_bytes(8, "big")
        return stamp + _filler(self.seed)

    @property
    def sha256(self) -> str:
        return _digest_of_generated(self.size, self.seed)

    def to_json(self) -> dict[str, Any]:
        return {"generated": {"size": self.size, "seed": self.seed}}


EMPTY = Literal(b"")


@lru_cache(maxsize=64)
def _filler(seed: int) -> bytes:
    return random.Random(seed).randbytes(BLOCK - STAMP)


@cache
def _digest_of_generated(size: int, seed: int) -> str:
    digest = hashlib.sha256()
    for piece in pieces(Generated(size, seed)):
        digest.update(piece)
    return digest.hexdigest()


def pieces(content: Content, piece: int = HASH_PIECE) -> Iterator[bytes]:
    """The whole content, a piece at a time."""
    for start in range(0, content.size, piece):
        yield content.read(start, piece)


def content_of(value: "Content | bytes | str") -> Content:
    """What a declaration says in short: text and bytes are taken as they are."""
    if isinstance(value, str):
        return Literal(value.encode())
    if isinstance(value, bytes):
        return Literal(value)
    return value


def content_from_json(data: dict[str, Any]) -> Content:
    if "generated" in data:
        return Generated(**data["generated"])
    if "text" in data:
        return Literal(data["text"].encode())
    return Literal(base64.b64decode(data["base64"]))
