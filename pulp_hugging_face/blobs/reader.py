"""One client's way through a growing file."""

import asyncio
from collections.abc import AsyncIterator
from io import FileIO
from typing import TYPE_CHECKING

from pulp_hugging_face.hub.errors import UpstreamUnavailable

from .journal import Flag, Lock, State
from .segments import AHEAD, WINDOW, is_rest
from .verify import mismatch
from .work import Work

if TYPE_CHECKING:
    from .fill import Fill

CHUNK = 1024 * 1024
# Of large files, this much at the end is kept back until the digest matched.
HOLD_BACK = 1024 * 1024


def gone() -> UpstreamUnavailable:
    """Return the error of a fill that ended before a reader had all."""
    return UpstreamUnavailable("The download ended early.", retry_after=5)


class Reader:
    """
    Bytes `start` to `stop` of a fill, as they arrive.

    It holds no bytes: they are read from the file, or sent from it by the kernel. `ahead` is up to
    where bytes are to be fetched on its behalf. `close` must follow.
    """

    def __init__(
        self, fill: "Fill", start: int, stop: int, ahead: int, *, resumes: bool = False
    ) -> None:
        self.position = start
        self.stop = stop
        self._start = start
        self._resumes = resumes
        self._ahead = max(ahead, stop)
        self._fill = fill
        self._work: Work | None = None
        self._sealed = False
        self._released = False
        self._refill = start + WINDOW // 2  # where more is to be fetched ahead
        self._closed = False

    @property
    def file(self) -> FileIO:
        """Return the file, for sendfile. Nobody uses its position."""
        assert self._work is not None
        return self._work.file.raw

    async def ready(self) -> int:
        """
        Wait until there are bytes at the position; return up to where they may be sent.

        Raises the HubError the fill failed with.
        """
        if self.position >= self.stop:
            return self.stop
        work = await self._opened()
        while True:
            end = self._available(work)
            if end <= self.position:
                await self._wait(work)
            elif self._may_leave(work):
                return end
            else:
                await asyncio.sleep(0.002)

    def advance(self, count: int) -> None:
        """Note that bytes were sent."""
        self.position += count
        if self._work is not None and self._refill <= self.position < self.stop:
            self._refill = self.position + WINDOW // 2
            first, last = self._work.layout.span(self.position, self._reach())
            self._fill.want_ahead(first, last)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes, where the kernel cannot send them. Raises the fill's HubError."""
        while self.position < self.stop:
            end = await self.ready()
            assert self._work is not None
            count = min(end - self.position, CHUNK)
            data = await self._work.call(self._work.file.read, self.position, count)
            if not data:
                raise gone()
            yield data
            self.advance(len(data))

    def close(self) -> None:
        """Count this reader out."""
        if not self._closed:
            self._closed = True
            self._fill.detach(self)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside.

    async def _opened(self) -> Work:
        if self._work is None:
            work = await self._fill.opened()
            self._sealed = self._is_sealed(work)
            await self._fill.admit(work, self._start, self.stop)
            self._work = work
        return self._work

    def _is_sealed(self, work: Work) -> bool:
        """
        Tell whether the end waits for the digest: the client will take the file for complete then.

        Other ranges carry the upstream's word only, for what is not verified yet.
        """
        size = work.layout.size
        near = self._start <= work.position() + AHEAD
        if self._resumes and near and self.stop == size:
            self._fill.want_whole()  # what is before is here: the rest is all that it costs
        rest = self._resumes and is_rest(size, self._start, self.stop)
        whole = self.stop - self._start == size
        return whole or (self._fill.whole and (near or rest))

    def _reach(self) -> int:
        return min(self._ahead, self.position + WINDOW)

    def _available(self, work: Work) -> int:
        """Return up to where bytes may be read now. Raises HubError if they are bad."""
        if work.journal.state is State.BAD:
            raise mismatch(work.blob)
        if work.journal.is_good:
            return self.stop
        if self._verifies_first(work):
            return self.position
        stop = min(self.stop, self.position + WINDOW)
        if self._sealed:
            stop = min(stop, work.layout.size - HOLD_BACK)
        return work.edge(self.position, stop) if stop > self.position else self.position

    async def _wait(self, work: Work) -> None:
        """Wait until something happened at the position. Raises the fill's HubError."""
        if self._fill.done:
            raise self._fill.error or gone()
        index = work.layout.index(self.position)
        held_back = self._sealed and self.position >= work.layout.size - HOLD_BACK
        if self._verifies_first(work) or (held_back and work.journal.present(index)):
            await work.waiters.wait(work.verified)
            return
        if not self._fill.covers(index):
            work.kick()
        await work.waiters.wait(index, work.layout.span(self.position, self._reach())[1])

    def _verifies_first(self, work: Work) -> bool:
        return work.verify_first or (self._sealed and work.file.suspect)

    def _may_leave(self, work: Work) -> bool:
        """
        Note that bytes leave before they are verified: from now on they cannot be taken back.

        What was seen before the note was there may be taken back meanwhile; so False once.
        """
        if self._released or work.released or work.journal.is_good:
            self._released = True
            return True
        if work.journal.try_lock(Lock.RELEASE):
            work.journal.set(Flag.RELEASED)
            work.journal.unlock(Lock.RELEASE)
            work.released = True
        return False
