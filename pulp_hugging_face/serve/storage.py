"""
How held bytes leave: from memory, by the kernel, by the object storage itself, or through us.

An object storage is asked by ranges and answers clients itself where that is a different host for
them: many take a redirect within one host for a redirect of the Hub (hub-protocol §1.2, rule 5).
"""

import asyncio
import os
from contextlib import aclosing
from typing import IO
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from django.core.files.storage import Storage

from pulp_hugging_face.hub.headers import redirect_headers
from pulp_hugging_face.hub.ranges import ByteRange
from pulp_hugging_face.store.holdings import Held
from pulp_hugging_face.store.objects import local_path
from pulp_hugging_face.store.remembered import SMALL
from pulp_hugging_face.store.service import Store, Wanted

from .base import base_of

# What clients repeat to whom they are sent. The storage has other ETags and dates than we: by its
# dates it would call a file unchanged that is another one on this branch now.
_CONDITIONS = (
    hdrs.IF_MATCH,
    hdrs.IF_NONE_MATCH,
    hdrs.IF_MODIFIED_SINCE,
    hdrs.IF_UNMODIFIED_SINCE,
    hdrs.IF_RANGE,
)


async def send_held(
    store: Store,
    request: web.Request,
    wanted: Wanted,
    held: Held,
    headers: dict[str, str],
    part: ByteRange,
) -> web.StreamResponse:
    """
    Answer a GET with held bytes.

    Raises FileNotFoundError before anything is sent when they are not where they should be, and
    StorageUnavailable at any time.
    """
    storage = wanted.view.storage
    if part.size <= SMALL:
        return await _from_memory(store, storage, held, headers, part)
    path = local_path(storage, held.name)
    if path is not None:
        return await _by_kernel(request, path, headers, part)
    url = await _address(store, request, wanted, held, headers, part)
    if url:
        await store.objects.require(storage, held.name, part.size)
        return web.Response(status=302, headers=redirect_headers(headers, wanted.entry, url))
    return await _through_us(store, request, storage, held, headers, part)


async def _from_memory(
    store: Store, storage: Storage, held: Held, headers: dict[str, str], part: ByteRange
) -> web.Response:
    body = await store.remembered.small_file(
        held, lambda: store.objects.whole(storage, held.name, part.size)
    )
    return web.Response(status=_status(headers), headers=headers, body=body[part.start : part.stop])


async def _by_kernel(
    request: web.Request, path: str, headers: dict[str, str], part: ByteRange
) -> web.StreamResponse:
    """Send a file of this machine (sendfile)."""
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, _open, path, part.size)
    try:
        response = start(headers, part)
        await response.prepare(request)
        if part.length and request.transport is not None:
            await loop.sendfile(request.transport, file, part.start, part.length)
        await response.write_eof()
    finally:
        await loop.run_in_executor(None, file.close)
    return response


def _open(path: str, size: int) -> IO[bytes]:
    if os.stat(path).st_size != size:
        raise FileNotFoundError(f"{path} has another size than {size}")
    return open(path, "rb")


async def _through_us(
    store: Store,
    request: web.Request,
    storage: Storage,
    held: Held,
    headers: dict[str, str],
    part: ByteRange,
) -> web.StreamResponse:
    """Pass a range on from an object storage."""
    response = start(headers, part)
    async with aclosing(store.objects.chunks(storage, held.name, part)) as chunks:
        # The status is only given once there are bytes: until then it may be an error.
        async for data in chunks:
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)
    await response.write_eof()
    return response


async def _address(
    store: Store,
    request: web.Request,
    wanted: Wanted,
    held: Held,
    headers: dict[str, str],
    part: ByteRange,
) -> str:
    """
    Return where the client is to get the bytes itself, "" where it gets them through us.

    Short ranges are not worth another round trip; and clients which ask for one byte to learn of a
    file read ETag and size from the last answer (@huggingface/hub, §1.8), which must be ours.
    """
    asked_conditions = any(name in request.headers for name in _CONDITIONS)
    # A Range that we ignore would be repeated, and answered.
    ignored = hdrs.RANGE in request.headers and hdrs.CONTENT_RANGE not in headers
    if not wanted.view.redirects or part.length <= SMALL or asked_conditions or ignored:
        return ""
    url = await store.objects.url(
        wanted.view.storage, held.name, headers["Content-Disposition"], headers["Content-Type"]
    )
    return url if _leaves(base_of(request).origin, url) else ""


def _leaves(origin: str, url: str) -> bool:
    """
    Tell whether a redirect leads to another host, by name: clients from 1.30 to 2.1 look at
    nothing else, and would send their token along (§1.2). Never from https to http.
    """
    here, there = urlsplit(origin), urlsplit(url)
    if not there.hostname or there.hostname == here.hostname:
        return False
    return there.scheme == "https" or (there.scheme, here.scheme) == ("http", "http")


def _status(headers: dict[str, str]) -> int:
    return 206 if "Content-Range" in headers else 200


def start(headers: dict[str, str], part: ByteRange) -> web.StreamResponse:
    """Return an answer, not yet begun, for a part of a file or all of it."""
    response = web.StreamResponse(status=_status(headers), headers=headers)
    response.content_length = part.length
    return response
