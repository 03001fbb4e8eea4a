"""Answers for files: from the storage, from a running fill, or a range straight from upstream."""

import asyncio
import io
import logging
from typing import IO

from aiohttp import web
from django.core.files.storage import Storage

from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.hub.errors import HubError, UpstreamInvalid
from pulp_hugging_face.hub.headers import etag_of, file_headers
from pulp_hugging_face.hub.ranges import ByteRange, etag_in, parse_range, range_applies
from pulp_hugging_face.hub.routes import Resolve
from pulp_hugging_face.store.holdings import Held
from pulp_hugging_face.store.service import Store, Wanted
from pulp_hugging_face.store.views import Caller, View

log = logging.getLogger("pulp_hugging_face.serve")

CHUNK = 1024 * 1024
# A range that begins this far ahead of what has arrived is fetched by itself; and a range no longer
# than this does not start the download of a large file at all.
AHEAD = 8 * CHUNK


async def resolve(
    store: Store, view: View, caller: Caller, request: web.Request, route: Resolve
) -> web.StreamResponse:
    """Answer GET and HEAD of a file. HEAD takes the same way and costs no bytes upstream."""
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    wanted = await store.file(view, caller, resolution, route.path)
    store.touched(view, caller, resolution)
    headers = file_headers(wanted.entry, resolution.commit.sha)
    etag = etag_of(wanted.entry)
    if etag_in(request.headers.get("If-None-Match"), etag):
        return web.Response(status=304, headers=headers)
    size = wanted.entry.size
    if request.method == "HEAD":
        return await _head(request, headers, size)
    asked = None
    if range_applies(request.headers.get("If-Range"), etag):
        asked = parse_range(request.headers.get("Range"), size)
    if asked is not None:
        headers["Content-Range"] = asked.content_range
    return await _body(store, request, wanted, headers, asked or ByteRange(0, size, size))


async def _head(request: web.Request, headers: dict[str, str], size: int) -> web.StreamResponse:
    response = web.StreamResponse(status=200, headers=headers)
    response.content_length = size
    await response.prepare(request)
    await response.write_eof()
    return response


def _start(headers: dict[str, str], part: ByteRange) -> web.StreamResponse:
    status = 206 if "Content-Range" in headers else 200
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = part.length
    return response


async def _body(
    store: Store, request: web.Request, wanted: Wanted, headers: dict[str, str], part: ByteRange
) -> web.StreamResponse:
    response = _start(headers, part)
    held = await store.held(wanted)
    if held is not None:
        try:
            return await _send_held(request, response, wanted, held, part)
        except FileNotFoundError:
            await store.drop(held)
    fill = store.running(wanted)
    if _goes_past(fill, part):
        return await _send_relayed(store, request, response, wanted, part)
    return await _send_filling(request, response, fill or store.fill(wanted), part)


def _goes_past(fill: Fill | None, part: ByteRange) -> bool:
    """Tell whether a range is better fetched by itself than waited for."""
    if fill is None:
        return (
            part.size > 2 * AHEAD
            and not part.is_whole
            and (part.length <= AHEAD or part.start > AHEAD)
        )
    return part.start > fill.position + AHEAD


async def _send_held(
    request: web.Request,
    response: web.StreamResponse,
    wanted: Wanted,
    held: Held,
    part: ByteRange,
) -> web.StreamResponse:
    """Send from the storage: by the kernel where the bytes are a local file."""
    loop = asyncio.get_running_loop()
    file, local = await loop.run_in_executor(None, _open, wanted.view.storage, held.name)
    try:
        await response.prepare(request)
        if local and request.transport is not None:
            if part.length:
                await loop.sendfile(request.transport, file, part.start, part.length)
        else:
            await _copy(response, file, part)
        await response.write_eof()
    finally:
        await loop.run_in_executor(None, file.close)
    return response


def _open(storage: Storage, name: str) -> tuple[IO[bytes], bool]:
    """Open an artifact. Returns the file and whether it is one of this machine. Blocking."""
    try:
        path = storage.path(name)
    except NotImplementedError:
        return storage.open(name, "rb"), False
    return open(path, "rb"), True


async def _copy(response: web.StreamResponse, file: IO[bytes], part: ByteRange) -> None:
    """Copy a range of a file that the kernel cannot send (object storage)."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, file.seek, part.start, io.SEEK_SET)
    left = part.length
    while left:
        data = await loop.run_in_executor(None, file.read, min(CHUNK, left))
        if not data:
            raise UpstreamInvalid("The storage ended early.", status=500)
        await response.write(data)
        left -= len(data)


async def _send_filling(
    request: web.Request, response: web.StreamResponse, fill: Fill, part: ByteRange
) -> web.StreamResponse:
    """Send what a fill brings, as it arrives."""
    fill.attach()
    try:
        # The status is only given once there is a first byte: until then it may be an error.
        await fill.wait_for(part.start)
        await response.prepare(request)
        async for data in fill.read(part.start, part.stop):
            await response.write(data)
        await response.write_eof()
    except HubError as error:
        _break_off(request, response, error)
    finally:
        fill.detach()
    return response


async def _send_relayed(
    store: Store,
    request: web.Request,
    response: web.StreamResponse,
    wanted: Wanted,
    part: ByteRange,
) -> web.StreamResponse:
    """Pass a range on from the upstream, without keeping it."""
    log.info("Relaying %s of %s", part.content_range, wanted.entry.blob.key)
    try:
        async with store.relay(wanted, part.start, part.stop) as stream:
            if stream.start != part.start:
                raise UpstreamInvalid("The upstream does not answer ranges.")
            await response.prepare(request)
            left = part.length
            async for data in stream.chunks(CHUNK):
                await response.write(data[:left])
                left -= len(data)
                if left <= 0:  # a server that ignores the end of the range goes on
                    break
            if left > 0:
                raise UpstreamInvalid("The upstream sent another number of bytes than asked for.")
            await response.write_eof()
    except HubError as error:
        _break_off(request, response, error)
    return response


def _break_off(request: web.Request, response: web.StreamResponse, error: HubError) -> None:
    """
    Refuse, or break the connection if the answer has begun: nothing may look complete that is not.
    """
    if not response.prepared:
        raise error
    log.warning("Breaking off an answer: %s", error.message)
    if request.transport is not None:
        request.transport.abort()
