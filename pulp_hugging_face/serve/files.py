"""Answers for files: held, or from a fill as it grows."""

import asyncio
import logging
from io import FileIO

from aiohttp import web

from pulp_hugging_face.blobs.fill import AlreadyHeld, Fill
from pulp_hugging_face.blobs.reader import Reader
from pulp_hugging_face.hub.errors import EntryNotFound, HubError, Trouble
from pulp_hugging_face.hub.headers import STALE, etag_of, file_headers
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.ranges import ByteRange, etag_in, parse_range, range_applies
from pulp_hugging_face.hub.routes import Raw, Resolve
from pulp_hugging_face.store.resolver import Resolution
from pulp_hugging_face.store.service import Store, Wanted
from pulp_hugging_face.store.views import Caller, View

from .patience import Late, hold_on, in_time, told_to_readers
from .resume import begins_anew
from .storage import send_held, start

log = logging.getLogger("pulp_hugging_face.serve")

CHUNK = 1024 * 1024
# Sent by one call to the kernel; between two of them it is looked whether the bytes are still good.
_PIECE = 8 * CHUNK
# A file that is published between the look for it and its fill is looked up again, so often.
_LOOKS = 3


async def resolve(
    store: Store, view: View, caller: Caller, request: web.Request, route: Resolve
) -> web.StreamResponse:
    """Answer GET and HEAD of a file. HEAD takes the same way and costs no bytes upstream."""
    with told_to_readers(request):
        resolution = await store.resolve(view, caller, route.repo, route.revision)
        wanted = await _wanted(store, view, caller, resolution, route.path)
        store.touched(view, caller, resolution)
        return await _answer(store, request, wanted)


async def _wanted(
    store: Store, view: View, caller: Caller, resolution: Resolution, path: str
) -> Wanted:
    """Return the file; that there is none is stale, too, if the commit is."""
    try:
        return await store.file(view, caller, resolution, path)
    except EntryNotFound as error:
        error.stale = resolution.stale
        raise


async def raw(
    store: Store, view: View, caller: Caller, request: web.Request, route: Raw
) -> web.StreamResponse:
    """Answer GET and HEAD of what git holds: the same but for LFS files, which are pointers."""
    with told_to_readers(request):
        return await _raw(store, view, caller, request, route)


async def _raw(
    store: Store, view: View, caller: Caller, request: web.Request, route: Raw
) -> web.StreamResponse:
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    wanted = await _wanted(store, view, caller, resolution, route.path)
    if wanted.entry.lfs is None:
        return await _answer(store, request, wanted)
    entry = wanted.entry.as_pointer()
    headers = _headers(wanted, entry)
    if etag_in(request.headers.get("If-None-Match"), etag_of(entry)):
        return web.Response(status=304, headers=headers)
    text = await in_time(caller, store.pointer(wanted))
    asked = _asked_range(request, entry)
    if asked is None:
        return web.Response(body=text, headers=headers)
    headers["Content-Range"] = asked.content_range
    return web.Response(status=206, body=text[asked.start : asked.stop], headers=headers)


def _headers(wanted: Wanted, entry: Entry) -> dict[str, str]:
    headers = file_headers(entry, wanted.resolution.commit.sha)
    return headers | STALE if wanted.resolution.stale else headers


def _asked_range(request: web.Request, entry: Entry) -> ByteRange | None:
    """Return the range to answer, None for the whole. Raises RangeNotSatisfiable."""
    if request.method == "HEAD" or not range_applies(
        request.headers.get("If-Range"), etag_of(entry)
    ):
        return None
    return parse_range(request.headers.get("Range"), entry.size)


async def _answer(store: Store, request: web.Request, wanted: Wanted) -> web.StreamResponse:
    headers = _headers(wanted, wanted.entry)
    if etag_in(request.headers.get("If-None-Match"), etag_of(wanted.entry)):
        return web.Response(status=304, headers=headers)
    size = wanted.entry.size
    if request.method == "HEAD":
        return await _head(request, headers, size)
    asked = _asked_range(request, wanted.entry)
    if asked is not None and await begins_anew(store, request, wanted, asked):
        asked = None
    if asked is not None:
        headers["Content-Range"] = asked.content_range
    return await _body(store, request, wanted, headers, asked or ByteRange(0, size, size))


async def _head(request: web.Request, headers: dict[str, str], size: int) -> web.StreamResponse:
    response = web.StreamResponse(status=200, headers=headers)
    response.content_length = size
    await response.prepare(request)
    await response.write_eof()
    return response


async def _body(
    store: Store, request: web.Request, wanted: Wanted, headers: dict[str, str], part: ByteRange
) -> web.StreamResponse:
    looks = 0
    while True:
        held = await store.held(wanted)
        if held is not None:
            try:
                return await send_held(store, request, wanted, held, headers, part)
            except FileNotFoundError:
                await store.drop(held)
        try:
            fill = store.fill(wanted, (part.start, part.stop), resumes=part.resumes)
            response = start(headers, part)
            return await _send_filling(request, response, fill, part, wanted.caller)
        except AlreadyHeld:  # it was published between the two looks
            looks += 1
            if looks == _LOOKS:
                raise
        except Trouble as error:
            await hold_on(wanted.caller, error)


async def _send_filling(
    request: web.Request,
    response: web.StreamResponse,
    fill: Fill,
    part: ByteRange,
    caller: Caller,
) -> web.StreamResponse:
    """Send what a fill brings, as it arrives."""
    with fill.reader(part.start, part.stop, resumes=part.resumes) as reader:
        try:
            # The status is only given once there is a first byte: until then it may be an error.
            await _first_byte(reader, fill, caller)
            await response.prepare(request)
            await _send_growing(request, response, reader)
            await response.write_eof()
        except HubError as error:
            _break_off(request, response, error)
    return response


async def _first_byte(reader: Reader, fill: Fill, caller: Caller) -> None:
    """Wait for a byte as long as clients do; the fill goes on, and they will find it."""
    try:
        await in_time(caller, reader.ready())
    except Late as late:
        raise fill.trouble or late from None


async def _send_growing(request: web.Request, response: web.StreamResponse, reader: Reader) -> None:
    """Send what is there by the kernel: nothing is copied, however many readers there are."""
    if request.transport is not None and request.transport.get_extra_info("sslcontext"):
        async for data in reader.pieces():
            await response.write(data)
        return
    while reader.position < reader.stop:
        count = min(await reader.ready() - reader.position, _PIECE)
        await _sendfile(request, reader.file, reader.position, count)
        reader.advance(count)


async def _sendfile(request: web.Request, file: FileIO, start: int, count: int) -> None:
    """Let the kernel send a part of a file."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("The client has gone")
    await asyncio.get_running_loop().sendfile(transport, file, start, count)


def _break_off(request: web.Request, response: web.StreamResponse, error: HubError) -> None:
    """
    Refuse, or break the connection if the answer has begun: nothing may look complete that is not.
    """
    if not response.prepared:
        raise error
    log.warning("Breaking off an answer: %s", error.message)
    if request.transport is not None:
        request.transport.abort()
