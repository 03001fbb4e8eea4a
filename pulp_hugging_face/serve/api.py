"""The API of a repository, answered from the held commit (hub-protocol §2.3, §2.4)."""

from typing import Any

from aiohttp import web

from pulp_hugging_face.hub.errors import BadRequest, EntryNotFound
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.names import InvalidName, check_path
from pulp_hugging_face.hub.paging import decode_cursor, encode_cursor, next_link, page_size
from pulp_hugging_face.hub.payloads import (
    info_object,
    refs_object,
    select_keys,
    sibling,
    tree_item,
)
from pulp_hugging_face.hub.routes import Info, PathsInfo, Refs, TreeListing
from pulp_hugging_face.store.resolver import Resolution
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from .replies import json_reply, public_url

# Longer listings are left out of info objects: clients then ask for the tree (§2.4).
MAX_SIBLINGS = 50_000
MAX_PATHS = 1000


def _flag(request: web.Request, name: str) -> bool:
    """Return a boolean parameter; 0.x clients write "True", later ones "true"."""
    return request.query.get(name, "").lower() in ("true", "1")


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
    data = info_object(commit.info, commit.repo.id, commit.sha)
    expand = _list(request, "expand")
    if not expand or "siblings" in expand:
        siblings = await _siblings(store, view, caller, resolution, blobs=_flag(request, "blobs"))
        if siblings is not None:
            data["siblings"] = siblings
    if expand:
        data = select_keys(data, expand)
    return json_reply(data, {"X-Repo-Commit": commit.sha})


async def _siblings(
    store: Store, view: View, caller: Caller, resolution: Resolution, *, blobs: bool
) -> list[dict[str, Any]] | None:
    """Return all files, or None where there are too many."""
    entries = await store.entries(view, caller, resolution, recursive=True, limit=2 * MAX_SIBLINGS)
    files = [entry for entry in entries if not entry.is_dir]
    if len(files) > MAX_SIBLINGS:
        return None
    return [sibling(entry, blobs=blobs) for entry in files]


async def tree(
    store: Store, view: View, caller: Caller, request: web.Request, route: TreeListing
) -> web.Response:
    """Answer with one page of a directory listing, and a Link to the next on our own base."""
    size = page_size(request.query.get("limit"), expanded=_flag(request, "expand"))
    after = decode_cursor(request.query.get("cursor"))
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    store.touched(view, caller, resolution)
    page = await store.entries(
        view,
        caller,
        resolution,
        route.path,
        recursive=_flag(request, "recursive"),
        after=after,
        limit=size + 1,
    )
    headers = {"X-Repo-Commit": resolution.commit.sha}
    if len(page) > size:
        url = public_url(request, request.rel_url.raw_path)
        cursor = encode_cursor(page[size - 1].path)
        headers["Link"] = next_link(url, list(request.query.items()), cursor)
    return json_reply([tree_item(entry) for entry in page[:size]], headers)


async def paths_info(
    store: Store, view: View, caller: Caller, request: web.Request, route: PathsInfo
) -> web.Response:
    """Answer with the entries of some paths; unknown ones are left out, not an error."""
    paths = await _paths(request)
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    found = [await _entry_or_none(store, view, caller, resolution, path) for path in paths]
    items = [tree_item(entry) for entry in found if entry is not None]
    return json_reply(items, {"X-Repo-Commit": resolution.commit.sha})


async def _paths(request: web.Request) -> list[str]:
    """Return the paths of a form (Python clients) or JSON body (JS). Raises BadRequest."""
    if request.content_type == "application/json":
        try:
            body = await request.json()
            paths = body["paths"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadRequest("The body must be JSON with a list of paths.") from error
        paths = [paths] if isinstance(paths, str) else paths
    else:
        paths = [str(path) for path in (await request.post()).getall("paths", [])]
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadRequest("paths must be a list of strings.")
    if len(paths) > MAX_PATHS:
        raise BadRequest(f"At most {MAX_PATHS} paths may be asked for at once.")
    return paths


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
    found = await store.refs(view, caller, route.repo)
    wanted = _flag(request, "include_prs") or _flag(request, "include_pull_requests")
    return json_reply(refs_object(found, pull_requests=wanted))
