"""A run of segments on its way from the upstream into the partial file."""

import asyncio
import logging
import time

from pulp_hugging_face.hub.errors import (
    LoopDetected,
    RedirectRefused,
    Trouble,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)

from .segments import AHEAD
from .source import Source
from .work import Work

log = logging.getLogger("pulp_hugging_face.blobs")

CHUNK = 1024 * 1024
BACKOFF = 0.5
# A rate limit is waited out if it ends within this many seconds of the last byte: clients break
# a connection that is silent for ten (§2.2), and have to begin anew when we do.
BUSY_PATIENCE = 8.0
# What a run brings within so many seconds is not worth a request of its own.
_SOON = 2.0
# Where the number of transfers is limited and others wait, a run ends after so many seconds.
TURN = 2.0


class RangesIgnored(Exception):
    """The upstream answers ranges with the whole file: runs make no sense."""


class Transfer:
    """
    Segments `first` to `last`, which this process has locked.

    Each is marked and given back as it completes. A transfer that breaks is taken up at the byte
    where it broke; without progress it is given up.
    """

    def __init__(self, work: Work, source: Source, first: int, last: int) -> None:
        self.first, self.last = first, last
        self._work = work
        self._source = source
        self._next = first  # the segment under way
        self._position = work.layout.first_byte(first)
        self._stop = work.layout.first_byte(last)
        self._whole_answer = False  # the upstream began at 0 instead of where it was asked to
        self._began = time.monotonic()
        self._opened: float | None = None  # when the upstream began to answer, at last
        self._leaving = False

    async def run(self) -> None:
        """Fetch it all. Raises HubError when that fails, and OSError from the disk."""
        try:
            await self._fetch_all()
        except RangesIgnored:
            log.info("%s: the upstream ignores ranges", self._work.blob.key)
            if not self._work.whole:
                message = "The upstream does not answer ranges."
                raise UpstreamInvalid(message, retry_after=5) from None
            self._work.sequential = True
        finally:
            self._work.leaving -= self._leaving
            self.give_back()
            self._work.kick()

    def is_near(self, index: int) -> bool:
        """Tell whether a segment is no further ahead than what may be on its way already."""
        return self._ahead(index) <= AHEAD

    def is_soon_at(self, index: int) -> bool:
        """Tell whether it gets to a segment about as soon as another request would."""
        start = self._work.layout.first_byte(self.first)
        pace = (self._position - start) / max(time.monotonic() - self._began, 1.0)
        return self._whole_answer or self._ahead(index) <= max(AHEAD, _SOON * pace)

    @property
    def is_waiting(self) -> bool:
        """Tell whether the upstream has not begun to answer."""
        return self._opened is None

    def _ahead(self, index: int) -> int:
        return self._work.layout.first_byte(index) - self._position

    def shorten(self, index: int) -> None:
        """Stop before a segment of which nothing came, and let others fetch what follows."""
        self._work.journal.unlock_segments(index, self.last)
        self.last, self._stop = index, self._work.layout.first_byte(index)

    def give_back(self) -> None:
        """Let others fetch what is still missing."""
        self._work.journal.unlock_segments(self._next, self.last)
        self._work.no_longer(self._next)

    async def _fetch_all(self) -> None:
        failures, source = 0, self._source
        while self._position < self._stop:
            before = self._position
            try:
                await self._fetch(source)
            except UpstreamBusy as error:
                await self._wait_out(error)
            except (UpstreamUnavailable, UpstreamTimeout, UpstreamInvalid) as error:
                self._work.trouble = error
                moved = self._position > before
                failures = 1 if moved else failures + 1
                # A connection that stops is replaced soon. An upstream that needs long for a first
                # byte would never get there that way.
                slow = isinstance(error, UpstreamTimeout) and not moved
                source = self._source.patient() if slow else self._source
                if failures > self._allowed(error):
                    raise
                key, message = self._work.blob.key, error.message
                log.info("%s: %s Resuming at %d", key, message, self._position)
                await asyncio.sleep(BACKOFF * failures)

    async def _wait_out(self, error: UpstreamBusy) -> None:
        """
        Wait for the end of a rate limit in the middle of a file, or raise it when no client would.

        At the beginning it can still be told in so many words, and clients wait by themselves.
        """
        wait = max(float(error.retry_after or 0), BACKOFF)
        late = time.monotonic() - self._work.moved + wait > BUSY_PATIENCE
        if not self._work.arrived or error.retry_after is None or late:
            raise error
        log.info("%s: %s Going on in %.0f s", self._work.blob.key, error.message, wait)
        await asyncio.sleep(wait)

    def _allowed(self, error: Trouble) -> int:
        """Return how many failures in a row are borne: a wrong answer only once."""
        if isinstance(error, RedirectRefused | LoopDetected):
            return 0
        retries = self._work.retries
        return min(1, retries) if isinstance(error, UpstreamInvalid) else retries

    async def _fetch(self, source: Source) -> None:
        """Fetch from the current position until the transfer ends or breaks."""
        async with source.open(self._position, self._stop) as stream:
            skip = self._position - stream.start
            if skip and not self._may_skip():
                raise RangesIgnored
            self._whole_answer, self._opened = skip > 0, time.monotonic()
            async for chunk in stream.chunks(CHUNK):
                data, skip = chunk[skip:], max(0, skip - len(chunk))
                if data:
                    await self._take(data)
                    self._give_way()
                if self._position == self._stop:  # a server that ignores the end goes on
                    return
        raise UpstreamUnavailable("The upstream ended the transfer early.", retry_after=5)

    def _give_way(self) -> None:
        """End with the segment under way if others wait for their turn; the rest queues again."""
        assert self._opened is not None
        layout = self._work.layout
        index = -(-self._position // layout.segment)
        if index >= self.last or self._whole_answer or self._work.sequential:
            return
        had_its_turn = time.monotonic() - self._opened >= TURN
        if had_its_turn and not self._leaving and -self._source.room() > self._work.leaving:
            self._leaving = True
            self._work.leaving += 1
            self.shorten(index)

    def _may_skip(self) -> bool:
        """Tell whether this is all that is missing, so that starting over is no waste."""
        work = self._work
        return work.sequential or (self.last == work.layout.count and self.first <= work.prefix())

    async def _take(self, data: bytes) -> None:
        work = self._work
        if self._position + len(data) > work.layout.size:
            raise UpstreamInvalid("The upstream sent more bytes than the file has.")
        data = data[: self._stop - self._position]
        end = self._position + len(data)
        complete = self.last if end == self._stop else work.layout.index(end)
        await work.store(self._position, data, self._next, complete)
        self._position = end
        work.arrived += len(data)
        work.moved = time.monotonic()
        work.trouble = None
        for index in range(self._next, complete):
            work.no_longer(index)
        self._next = complete
        rest = end - work.layout.first_byte(complete)
        if rest:
            work.partly(complete, rest)
