"""The API of a repository, answered from the held commit (hub-protocol §2.3, §2.4)."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from pulp_hugging_face.hub.errors import (
    BadRequest,
    EntryNotFound,
    ReadOnly,
    UpstreamInvalid,
)
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.names import InvalidName, RepoType, check_path
from pulp_hugging_face.hub.paging import decode_cursor, encode_cursor, next_link, page_size
from pulp_hugging_face.hub.payloads import (
    info_object,
    refs_object,
    select_keys,
    sibling,
    tree_item,
)
from pulp_hugging_face.hub.routes import AuthCheck, Info, PathsInfo, Refs, TreeListing
from pulp_hugging_face.store.remembered import Page
from pulp_hugging_face.store.resolver import Resolution
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from . import bodies, expanded
from .base import base_of, below
from .replies import json_bytes, json_reply, off_loop, page_reply, rewriter_of

# Longer listings are left out of info objects: clients then ask for the tree (§2.4).
MAX_SIBLINGS = 50_000
# The Hub's own limit (its OpenAPI description).
MAX_PATHS = 2000
# What a form has besides them, generously.
_OTHER_FIELDS = 10
# About what one of them takes in an answer.
_ENTRY_BYTES = 128
# Keys of info objects that are ours to fill.
_OWN = {"id", "sha", "siblings", "xetEnabled"}


def _flag(request: web.Request, name: str) -> bool:
    """Return a boolean parameter; 0.x clients write "True", later ones "true"."""
    values = _list(request, name)
    return bool(values) and _is_true(values[0])


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _list(request: web.Request, name: str) -> list[str]:
    """Return a list parameter, written `name=a&name=b` or `name[]=a`."""
    return [*request.query.getall(name, []), *request.query.getall(f"{name}[]", [])]


async def info(
    store: Store, view: View, caller: Caller, request: web.Request, route: Info
) -> web.Response:
    """Answer with the repository's info object."""
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    store.touched(view, caller, resolution)
    commit = resolution.commit
    key = _info_key(request, view, resolution, route.revision)
    page = store.remembered.pages.get(key)
    if page is not None:
        return page_reply(page, commit.sha, stale=resolution.stale)
    told = await store.info(view, resolution, route.revision)
    data = info_object(told, commit.repo.id, commit.sha)
    expand = _list(request, "expand")
    query = _lacking(data, expand, security=_flag(request, "securityStatus"))
    more, stale = await _from_upstream(store, view, caller, resolution, query)
    data |= more
    files = None
    if "siblings" in expand or (not expand and commit.repo.type is not RepoType.KERNEL):
        files = await _files(store, view, caller, resolution)
    blobs, rewriter = _flag(request, "blobs"), rewriter_of(request, view)

    def body() -> bytes:
        siblings = {"siblings": [sibling(file, blobs=blobs) for file in files or ()]}
        whole = data if files is None else data | siblings
        return json_bytes(rewriter.data(select_keys(whole, expand) if expand else whole))

    page = Page(await off_loop(_ENTRY_BYTES * len(files or ()), body))
    if not query:  # else it may change without a commit
        store.remembered.pages.put(key, page)
    return page_reply(page, commit.sha, stale=stale or resolution.stale)


def _info_key(
    request: web.Request, view: View, resolution: Resolution, revision: str | None
) -> tuple[object, ...]:
    """Return all that an info object depends on: what was told, when, and by whom."""
    known = resolution.known
    told = (view.remote.pk, known.ref_checked_at) if view.remote and known else None
    return (
        "info",
        resolution.commit.pk,
        revision,
        told,
        view.remote.config if view.remote else None,
        request.rel_url.raw_query_string,
        base_of(request),
    )


def _lacking(data: dict[str, Any], expand: list[str], *, security: bool) -> str:
    """Return the query for what only the upstream knows of a commit, "" for nothing."""
    words = [word for word in expand if word not in data and word not in _OWN]
    pairs = [("expand", word) for word in words]
    if security:
        pairs.append(("securityStatus", "true"))
    return urlencode(pairs)


async def _from_upstream(
    store: Store, view: View, caller: Caller, resolution: Resolution, query: str
) -> tuple[dict[str, Any], bool]:
    """Return the keys the upstream adds to an info object, and whether it could not be asked."""
    if not query:
        return {}, False
    suffix = f"revision/{resolution.commit.sha}?{query}"
    ttl = float(view.remote.metadata_ttl) if view.remote else 0.0
    try:
        answered = await store.questions.about_commit(view, caller, resolution, suffix, ttl=ttl)
    except expanded.NOBODY_CAN_SAY:
        return {}, True
    if answered is None:
        return {}, False
    if answered.answer.status >= 400:
        raise BadRequest(answered.answer.headers.get("X-Error-Message", "Invalid parameters"))
    data = await off_loop(len(answered.answer.body), answered.json)
    if not isinstance(data, dict):
        raise UpstreamInvalid("The upstream's info object is no object.")
    return {key: value for key, value in data.items() if key not in _OWN}, answered.stale


async def _files(
    store: Store, view: View, caller: Caller, resolution: Resolution
) -> list[Entry] | None:
    """Return all files, or None where there are too many."""
    entries = await store.entries(view, caller, resolution, recursive=True, limit=2 * MAX_SIBLINGS)
    files = [entry for entry in entries if not entry.is_dir]
    return files if len(files) <= MAX_SIBLINGS else None


async def tree(
    store: Store, view: View, caller: Caller, request: web.Request, route: TreeListing
) -> web.Response:
    """Answer with one page of a directory listing, and a Link to the next on our own base."""
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    store.touched(view, caller, resolution)
    degraded = False
    if _flag(request, "expand"):
        answered = await expanded.tree_page(store, view, caller, request, resolution, route.path)
        if answered is not None:
            return answered
        degraded = view.remote is not None
    return await _tree_page(store, view, caller, request, resolution, route.path, degraded=degraded)


async def _tree_page(
    store: Store,
    view: View,
    caller: Caller,
    request: web.Request,
    resolution: Resolution,
    path: str,
    *,
    degraded: bool,
) -> web.Response:
    size = page_size(request.query.get("limit"), expanded=_flag(request, "expand"))
    stale = degraded or resolution.stale
    key = (
        "tree",
        resolution.commit.pk,
        path,
        request.rel_url.raw_query_string,
        below(request),
        base_of(request),
    )
    known = store.remembered.pages.get(key)
    if known is not None:
        return page_reply(known, resolution.commit.sha, stale=stale)
    page = await store.entries(
        view,
        caller,
        resolution,
        path,
        recursive=_flag(request, "recursive"),
        after=decode_cursor(request.query.get("cursor")),
        limit=size + 1,
    )
    link = None
    if len(page) > size:
        url = base_of(request).url(below(request))
        cursor = encode_cursor(page[size - 1].path)
        link = next_link(url, list(request.query.items()), cursor)
    answer = Page(json_bytes([tree_item(entry) for entry in page[:size]]), link)
    store.remembered.pages.put(key, answer)
    return page_reply(answer, resolution.commit.sha, stale=stale)


async def paths_info(
    store: Store, view: View, caller: Caller, request: web.Request, route: PathsInfo
) -> web.Response:
    """Answer with the entries of some paths; unknown ones are left out, not an error."""
    paths, expand = await _paths(request)
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    headers = {"X-Repo-Commit": resolution.commit.sha}
    degraded = False
    if expand and paths:
        found = await expanded.paths(store, view, caller, resolution, paths)
        if found is not None:
            items, stale = found
            return json_reply(items, headers, stale=stale or resolution.stale)
        degraded = view.remote is not None
    entries = [await _entry_or_none(store, view, caller, resolution, path) for path in paths]
    items = [tree_item(entry) for entry in entries if entry is not None]
    return json_reply(items, headers, stale=degraded or resolution.stale)


async def _paths(request: web.Request) -> tuple[list[str], bool]:
    """
    Return the paths of a form (Python clients) or JSON body (JS), and whether to expand them.

    Raises BadRequest.
    """
    if request.content_type == bodies.JSON:
        body = await bodies.json_of(request)
        if not isinstance(body, dict) or "paths" not in body:
            raise BadRequest("The body must be JSON with a list of paths.")
        paths, expand = body["paths"], bool(body.get("expand"))
        paths = [paths] if isinstance(paths, str) else paths
    elif request.content_type == bodies.FORM or not request.body_exists:
        form = await bodies.form_of(request, most=MAX_PATHS + _OTHER_FIELDS)
        paths = [value for name, value in form if name in ("paths", "paths[]")]
        expand = any(name in ("expand", "expand[]") and _is_true(value) for name, value in form)
    else:
        raise BadRequest("The body must be a form or JSON.")
    if isinstance(paths, list) and len(paths) > MAX_PATHS:
        raise BadRequest(f"At most {MAX_PATHS} paths may be asked for at once.")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadRequest("paths must be a list of strings.")
    return paths, expand


async def _entry_or_none(
    store: Store, view: View, caller: Caller, resolution: Resolution, path: str
) -> Entry | None:
    try:
        check_path(path.strip("/"))
        entry = await store.entry(view, caller, resolution, path.strip("/"))
    except (EntryNotFound, InvalidName):
        return None
    return entry if entry.path else None


async def refs(
    store: Store, view: View, caller: Caller, request: web.Request, route: Refs
) -> web.Response:
    """Answer with the branches, tags, converts and, if asked for, pull requests."""
    found, stale = await store.refs(view, caller, route.repo)
    wanted = _flag(request, "include_prs") or _flag(request, "include_pull_requests")
    return json_reply(refs_object(found, pull_requests=wanted), stale=stale)


async def auth_check(
    store: Store, view: View, caller: Caller, request: web.Request, route: AuthCheck
) -> web.Response:
    """Answer whether the caller may have the repository's files; nobody may write here."""
    resolution = await store.resolve(view, caller, route.repo, None)
    await store.check_access(view, caller, resolution, ".gitattributes")
    if route.write:
        raise ReadOnly
    return json_reply({"ok": True}, stale=resolution.stale)
