"""Answers onto the wire, with the faults that happen while a body is sent."""

import asyncio
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from .faults import Armed
from .journal import LogEntry
from .wire import Answer

PIECE = 1 << 16
POLL = 0.02


class ClientGone(Exception):
    """The other side closed the connection, or a fault did."""


@dataclass
class Throttle:
    """A pace in bytes a second: of one response, or shared by all that hold the same object."""

    rate: int
    _free_at: float = 0.0

    async def pace(self, size: int) -> None:
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + size / self.rate
        await asyncio.sleep(self._free_at - now)

    @property
    def piece(self) -> int:
        """About twenty pieces a second, so that the pace is smooth."""
        return max(1, min(PIECE, self.rate // 20))


async def send(
    request: web.BaseRequest,
    answer: Answer,
    entry: LogEntry,
    body_faults: Sequence[Armed] = (),
    throttle: Throttle | None = None,
) -> web.StreamResponse:
    """Write the answer; bodies of HEAD and 304 are announced and not sent."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.headers.pop("Content-Type", None)
    if "Content-Type" in answer.headers:
        response.headers["Content-Type"] = answer.headers["Content-Type"]
    length = answer.body_length
    if answer.chunked:
        response.enable_chunked_encoding()
    elif answer.status != 304 and "Content-Length" not in answer.headers:
        response.content_length = length
    entry.status = answer.status
    await response.prepare(request)
    if request.method != "HEAD" and answer.status != 304:
        stream = _Stream(request, response, answer, entry, body_faults, throttle)
        await stream.run(length)
    await response.write_eof()
    entry.complete = True
    return response


@dataclass
class _Stream:
    request: web.BaseRequest
    response: web.StreamResponse
    answer: Answer
    entry: LogEntry
    faults: Sequence[Armed]
    throttle: Throttle | None

    async def run(self, length: int) -> None:
        sent = 0
        stops = sorted((armed for armed in self.faults), key=lambda armed: armed.fault.after or 0)
        for armed in stops:
            if armed.fault.mode == "throttle":
                self.throttle = Throttle(armed.fault.rate)
                continue
            until = min(_stop_at(armed, length), length)
            await self._copy(sent, until)
            sent = max(sent, until)
            await self._interrupt(armed)
        await self._copy(sent, length)

    async def _copy(self, start: int, end: int) -> None:
        piece = self.throttle.piece if self.throttle else PIECE
        for offset in range(start, end, piece):
            size = min(piece, end - offset)
            if self.throttle:
                await self.throttle.pace(size)
            data = self.answer.body.read(self.answer.start + offset, size)
            await self.response.write(data)
            self.entry.body_bytes += size
            self.entry.blob_bytes += size if self.answer.blob else 0

    async def _interrupt(self, armed: Armed) -> None:
        fault = armed.fault
        if fault.mode == "stall":
            await pause(self.request, fault.seconds)
        elif fault.mode == "hold_body":
            await pause(self.request, fault.seconds, armed.cleared)
        else:
            await hang_up(self.request, rst=fault.rst)


def _stop_at(armed: Armed, length: int) -> int:
    return length // 2 if armed.fault.after is None else armed.fault.after


async def pause(
    request: web.BaseRequest, seconds: float, until: asyncio.Event | None = None
) -> None:
    """Wait, but not longer than the client does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (until and until.is_set()):
        if is_gone(request):
            raise ClientGone
        await asyncio.sleep(min(POLL, max(end - time.monotonic(), 0)))


def is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


async def hang_up(request: web.BaseRequest, *, rst: bool) -> None:
    """End the connection now: what was written still arrives, then FIN or RST."""
    transport = request.transport
    if transport is not None:
        deadline = time.monotonic() + 5
        while transport.get_write_buffer_size() and time.monotonic() < deadline:
            await asyncio.sleep(POLL)
        if rst:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
    raise ClientGone
