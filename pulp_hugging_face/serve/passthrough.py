"""Routes that only the upstream can answer: lists, searches, whoami, and all we do not know."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from pulp_hugging_face.hub.errors import UpstreamInvalid
from pulp_hugging_face.hub.headers import CORS, content_disposition
from pulp_hugging_face.hub.paging import decode_cursor, encode_cursor, next_link, page_size
from pulp_hugging_face.hub.routes import BucketFile, BucketPaths, ListRepos, PassThrough, WhoAmI
from pulp_hugging_face.hub.search import Query, page, search, shown
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from . import bodies
from .base import base_of, below
from .replies import json_reply, passed, rewriter_of

_CHUNK = 1024 * 1024
# The Hub answers this type with Xet coordinates, which are not offered (§1.6).
_XET_TYPE = "application/vnd.xet-fileinfo+json"


async def pass_through(
    store: Store, view: View, caller: Caller, request: web.Request, route: PassThrough
) -> web.Response:
    """Answer with what the upstream says."""
    answered = await store.questions.pass_through(
        view,
        caller,
        _target(request),
        shared=route.shared,
        repo=route.repo,
        accept=_accept(request.headers),
    )
    return await passed(
        request, view, answered, null_xet=below(request).startswith("/api/buckets/")
    )


async def list_repos(
    store: Store, view: View, caller: Caller, request: web.Request, route: ListRepos
) -> web.Response:
    """Answer a list or search: the upstream's where there is one, else of what is held."""
    if view.remote is None:
        return await _list_held(store, view, request, route)
    answered = await store.questions.pass_through(view, caller, _target(request), shared=True)
    return await passed(request, view, answered)


async def _list_held(
    store: Store, view: View, request: web.Request, route: ListRepos
) -> web.Response:
    query = Query(list(request.query.items()))
    found = search(await store.infos(view, route.type), query)
    size = page_size(query.value("limit"), expanded=False)
    chosen, last = page(found, decode_cursor(query.value("cursor")), size)
    headers = {}
    if last is not None:
        url = base_of(request).url(below(request))
        headers["Link"] = next_link(url, query.pairs, encode_cursor(last))
    items = [shown(info, query) for info in chosen]
    return json_reply(rewriter_of(request, view).data(items), headers)


async def whoami(
    store: Store, view: View, caller: Caller, request: web.Request, _route: WhoAmI
) -> web.Response:
    """Answer whose the caller's token is."""
    return await passed(request, view, await store.questions.whoami(view, caller))


def _target(request: web.Request) -> str:
    """Return path and query below the endpoint, slashes collapsed (§6)."""
    path = "/".join(part for part in below(request).split("/") if part)
    query = request.rel_url.raw_query_string
    return f"{path}?{query}" if query else path


def _accept(headers: Mapping[str, str]) -> str:
    accept = headers.get("Accept", "")
    sane = accept.isascii() and len(accept) < 256
    return accept if accept and sane and _XET_TYPE not in accept else "*/*"


async def bucket_paths(
    store: Store, view: View, caller: Caller, request: web.Request, route: BucketPaths
) -> web.Response:
    """Answer with the entries of some paths of a bucket."""
    body = await bodies.json_of(request)
    target = f"api/buckets/{route.bucket}/paths-info"
    answered = await store.questions.pass_through(view, caller, target, shared=True, body=body)
    return await passed(request, view, answered, null_xet=True)


async def bucket_file(
    store: Store, view: View, caller: Caller, request: web.Request, route: BucketFile
) -> web.StreamResponse:
    """Pass a bucket's file on: it has no digest by which it could be kept."""
    head = request.method == "HEAD"
    # No file of a bucket is answered with an ETag, so none can be the one of If-Range.
    wanted = None if "If-Range" in request.headers else request.headers.get("Range")
    opened = store.questions.bucket_file(
        view, caller, route.bucket, route.path, head=head, wanted=wanted
    )
    async with opened as stream:
        response = web.StreamResponse(status=stream.status, headers=_file_headers(stream, route))
        if stream.size is not None:
            response.content_length = stream.size
        await response.prepare(request)
        if not head:
            await _copy(response, stream)
        await response.write_eof()
    return response


def _file_headers(stream: Any, route: BucketFile) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": content_disposition(route.path.rpartition("/")[2]),
        "X-Content-Type-Options": "nosniff",
        **CORS,
    }
    if stream.content_range:
        headers["Content-Range"] = stream.content_range
    return headers


async def _copy(response: web.StreamResponse, stream: Any) -> None:
    """Send the body; one that ends early must not look complete, also where no length is told."""
    left = stream.size
    async for data in stream.body.chunks(_CHUNK):
        await response.write(data)
        left = None if left is None else left - len(data)
    if left:
        raise UpstreamInvalid("The upstream sent another number of bytes than announced.")
