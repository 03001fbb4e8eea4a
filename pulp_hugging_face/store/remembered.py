"""
Bodies that are computed once: of JSON about a commit, and of small files.

Both are pure functions of their keys, which name a commit or a verified blob, so that nothing is
ever invalidated; whether a caller may see them is decided before, for each request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .holdings import Held
from .lru import Lru

# Files up to this size are sent from memory.
SMALL = 64 * 1024
_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """The body of a JSON answer, and the Link to what follows it."""

    body: bytes
    link: str | None = None


class Remembered:
    """What one content process remembers, within 64 MiB for each of the two."""

    def __init__(self) -> None:
        self.pages: Lru[tuple[object, ...], Page] = Lru(_BYTES, lambda page: len(page.body) + 512)
        self._files: Lru[object, bytes] = Lru(_BYTES, lambda body: len(body) + 512)

    async def small_file(self, held: Held, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the bytes of a small held file, read if need be."""
        body = self._files.get(held.artifact)
        if body is None:
            body = await read()
            self._files.put(held.artifact, body)
        return body
