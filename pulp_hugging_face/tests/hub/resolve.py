"""Files: `resolve`, `raw` and the `resolve-cache` hop (hub-protocol.md §1)."""

import time
from urllib.parse import quote

from . import errors
from .content import Literal
from .gitmodel import Blob, Commit
from .repos import Repo
from .wire import (
    CORS,
    Answer,
    Ask,
    etag_matches,
    file_answer,
    json_answer,
    not_modified,
    redirect_answer,
)
from .world import World, revision_of

XET_FILE_INFO = "application/vnd.xet-fileinfo+json"
TEXT = "text/plain; charset=utf-8"


def resolve(world: World, ask: Ask, repo: Repo, revision: str, path: str) -> Answer:
    """GET and HEAD of a file, by the table in §1.6."""
    world.check_content(repo, ask)
    commit, blob = find_file(repo, revision, path)
    if blob.lfs:
        return _lfs(world, ask, repo, commit, path, blob)
    headers = _regular_headers(commit, path, blob)
    if etag_matches(ask, headers["ETag"]):
        return not_modified(headers)
    if served_directly(world, repo, blob):
        return file_answer(ask, blob.content, headers)
    return _to_cache(ask, repo, commit, path, blob, headers)


def find_file(repo: Repo, revision: str, path: str) -> tuple[Commit, Blob]:
    """A directory is no file; both misses name the commit (rule 1)."""
    commit = revision_of(repo, revision)
    blob = commit.files.get(path)
    if blob is None:
        raise errors.entry_not_found(commit.sha)
    return commit, blob


def served_directly(world: World, repo: Repo, blob: Blob) -> bool:
    """§1.6: private, gated, single-segment and empty files have no resolve-cache hop.

    Neither have kernels: the Hub's OpenAPI description names the hop for the other types only.
    """
    special = repo.private or bool(repo.gated) or "/" not in repo.id or blob.size == 0
    special = special or repo.type == "kernel"
    return special or not world.settings.small_file_redirect


def _regular_headers(commit: Commit, path: str, blob: Blob) -> dict[str, str]:
    return {
        **CORS,
        "Content-Type": TEXT,
        "X-Repo-Commit": commit.sha,
        "ETag": f'"{blob.oid}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(path),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _to_cache(
    ask: Ask, repo: Repo, commit: Commit, path: str, blob: Blob, headers: dict[str, str]
) -> Answer:
    """The path-relative 307; live captures show the etag, but no size, on this hop."""
    target = f"/api/resolve-cache/{repo.type}s/{repo.id}/{commit.sha}/{quote(path)}"
    original = quote(ask.raw_path, safe="")
    location = f"{target}?{original}=&etag={quote(headers['ETag'], safe='')}"
    carried = {key: value for key, value in headers.items() if key != "ETag"}
    return redirect_answer(307, location, {**carried, "X-Linked-ETag": headers["ETag"]})


def resolve_cache(world: World, ask: Ask, repo: Repo, sha: str, path: str) -> Answer:
    """The immutable second hop: metadata and bytes."""
    world.check_content(repo, ask)
    commit, blob = find_file(repo, sha, path)
    headers = _regular_headers(commit, path, blob)
    headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if etag_matches(ask, headers["ETag"]):
        return not_modified(headers)
    return file_answer(ask, blob.content, headers)


def _lfs(world: World, ask: Ask, repo: Repo, commit: Commit, path: str, blob: Blob) -> Answer:
    """302 to the CDN with all metadata on the 302 (§1.3)."""
    assert blob.lfs is not None
    headers = {
        **CORS,
        "X-Repo-Commit": commit.sha,
        "X-Linked-Size": str(blob.size),
        "X-Linked-ETag": f'"{blob.lfs.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
    }
    if world.settings.xet:
        headers["X-Xet-Hash"] = blob.lfs.xet_hash
        token = f"{world.hub_url}{repo.api_path}/xet-read-token/{commit.sha}"
        headers["Link"] = xet_links(world, token, blob.lfs.xet_hash)
        if XET_FILE_INFO in ask.headers.get("Accept", ""):
            return _xet_file_info(blob, headers)
    location = world.sign(repo, blob, disposition(path), time.time)
    return redirect_answer(302, location, headers)


def xet_links(world: World, token: str, xet_hash: str) -> str:
    """Where a Xet client gets its token, and what it may do with it (§1.3)."""
    rebuild = f"{world.cdn_url}/cas/v1/reconstructions/{xet_hash}"
    return f'<{token}>; rel="xet-auth", <{rebuild}>; rel="xet-reconstruction-info"'


def _xet_file_info(blob: Blob, headers: dict[str, str]) -> Answer:
    """What JS asks for on every download: a descriptor in place of the bytes (§1.6)."""
    assert blob.lfs is not None
    answer = json_answer({"hash": blob.lfs.xet_hash, "size": blob.size}, headers)
    answer.headers["Content-Type"] = XET_FILE_INFO
    answer.headers["ETag"] = headers["X-Linked-ETag"]
    return answer


def raw(world: World, ask: Ask, repo: Repo, revision: str, path: str) -> Answer:
    """The git object itself: pointer text for LFS; never 304 (§1.6)."""
    world.check_content(repo, ask)
    commit, blob = find_file(repo, revision, path)
    content = Literal(blob.lfs.pointer) if blob.lfs else blob.content
    return file_answer(ask, content, _regular_headers(commit, path, blob))


def disposition(path: str) -> str:
    """`inline; filename*=UTF-8''…; filename="…";` with the trailing semicolon (§1.3)."""
    name = path.rpartition("/")[2]
    plain = name.encode("ascii", "replace").decode().replace('"', "%22")
    return f"inline; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"
