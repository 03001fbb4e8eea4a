"""Storage buckets: files without revisions, known by their Xet hash alone (hub-protocol.md §1.1).

A bucket is declared as a repository of the type `bucket`; its files are those on main. Shapes and
the meaning of a prefix are what huggingface_hub 2.4 reads (`_buckets`, `hf_file_system`).
"""

import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from . import errors, owned
from .gitmodel import Blob
from .paging import paged
from .repos import Repo
from .resolve import disposition, xet_links
from .wire import CORS, Answer, Ask, file_answer, json_answer, redirect_answer
from .world import World

PAGE = 100


def of_namespace(world: World, ask: Ask, namespace: str) -> Answer:
    """`/api/buckets/{namespace}`; `me` is the caller (hf_api.list_buckets)."""
    if namespace == "me":
        namespace = owned.caller(world, ask).name
    user, words = world.user_of(ask), ask.value("search").lower()
    found = [
        repo
        for repo in world.repos("bucket")
        if repo.author == namespace and words in repo.id.lower() and world.may_see(repo, user)
    ]
    page, headers = paged(world, ask, [_shape(repo) for repo in found], PAGE)
    return json_answer(page, headers)


def info(world: World, ask: Ask, repo: Repo) -> Answer:
    return json_answer(_shape(repo))


def _shape(repo: Repo) -> dict[str, Any]:
    files = _files(repo)
    return {
        "_id": repo.object_id,
        "id": repo.id,
        "author": repo.author,
        "private": repo.private,
        "createdAt": repo.history(repo.head)[-1].date if repo.head else "2024-01-01T00:00:00.000Z",
        "updatedAt": _date(repo),
        "size": sum(blob.size for blob in files.values()),
        "totalFiles": len(files),
    }


def _files(repo: Repo) -> dict[str, Blob]:
    return dict(sorted(repo.head.files.items())) if repo.head else {}


def _date(repo: Repo) -> str:
    return repo.head.date if repo.head else "2024-01-01T00:00:00.000Z"


def tree(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """Files whose path begins with a prefix, letter by letter; folders unless recursive."""
    prefix = unquote("/".join(rest))
    found = [path for path in _files(repo) if path.startswith(prefix)]
    if not ask.flag("recursive"):
        found = list(dict.fromkeys(_first_level(path, prefix) for path in found))
    page, headers = paged(world, ask, found, world.settings.page_size)
    return json_answer([_entry(repo, path) for path in page], headers)


def _first_level(path: str, prefix: str) -> str:
    """The path, or the folder on the way to it that follows the prefix."""
    start = len(prefix) + (path[len(prefix) :].startswith("/"))
    cut = path.find("/", start)
    return path if cut < 0 else path[:cut]


def _entry(repo: Repo, path: str) -> dict[str, Any]:
    blob = _files(repo).get(path)
    if blob is None:
        return {"type": "directory", "path": path, "uploadedAt": _date(repo)}
    assert blob.lfs is not None
    dates = {"mtime": _date(repo), "uploadedAt": _date(repo)}
    facts = {"type": "file", "path": path, "size": blob.size, "xetHash": blob.lfs.xet_hash}
    return {**facts, **dates, "contentType": "application/octet-stream"}


def paths_info(world: World, ask: Ask, repo: Repo) -> Answer:
    """POST of `{"paths": […]}`; files only, unknown ones left out."""
    try:
        paths: Iterable[str] = json.loads(ask.body)["paths"]
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request("Invalid JSON") from error
    return json_answer([_entry(repo, path) for path in paths if path in _files(repo)])


def resolve(world: World, ask: Ask, repo: Repo, path: str) -> Answer:
    """A small file itself, a large one by a redirect to the CDN; Xet headers on both.

    There is no commit to name, so no `X-Repo-Commit`, and no digest but the Xet hash.
    """
    blob = _files(repo).get(path)
    if blob is None:
        raise errors.HubError(404, "Entry not found", "EntryNotFound")
    assert blob.lfs is not None
    headers = {**CORS, "ETag": f'"{blob.lfs.xet_hash}"', "X-Linked-Size": str(blob.size)}
    if world.settings.xet:
        headers["X-Xet-Hash"] = blob.lfs.xet_hash
        token = f"{world.hub_url}{repo.api_path}/xet-read-token"
        headers["Link"] = xet_links(world, token, blob.lfs.xet_hash)
    if blob.size <= world.settings.bucket_direct_size:
        kind = {"Content-Type": "application/octet-stream"}
        return file_answer(ask, blob.content, {**headers, **kind})
    return redirect_answer(302, world.sign(repo, blob, disposition(path), time.time), headers)
