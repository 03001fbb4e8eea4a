"""Questions to a Hub, and its answers as values (hub-protocol §1.6, §2.3)."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from yarl import URL

from pulp_hugging_face.hub.digests import BlobId, Digester
from pulp_hugging_face.hub.errors import (
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.manifest import Entry, InvalidManifest, entry_from_json
from pulp_hugging_face.hub.names import (
    InvalidName,
    RepoId,
    is_sha,
    quote_path,
    quote_revision,
)
from pulp_hugging_face.hub.shapes import can_answer

from .config import BLOB_READ_TIMEOUT, DEFAULT_READ_TIMEOUT
from .egress import REDIRECTS, Egress, Request
from .passed import RawAnswer as RawAnswer
from .passed import read_json, require_api_answer, require_other_route

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_SIZE = re.compile(r"[0-9]{1,19}")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_RETRY_DELAY = 0.3
# Headers of an answer that is passed through.
_PASSED = ("Content-Type", "Link", "X-Total-Count", "X-Error-Code", "X-Error-Message", "X-Revision")
# Longer answers of the API are not passed through: they would be held in memory.
_MAX_ANSWER = 64 * 1024 * 1024
# A listing that goes on longer is no listing (ten million entries).
_MAX_PAGES = 10_000


@dataclass(frozen=True)
class InfoAnswer:
    """What the Hub says of a repository at a revision: canonical id, commit, info object."""

    repo: RepoId
    sha: str
    info: dict[str, Any]

    @property
    def visibility(self) -> str:
        """Return "private", "gated" or "public"."""
        if self.info.get("private"):
            return "private"
        return "gated" if self.info.get("gated") else "public"


@dataclass(frozen=True)
class BlobStream:
    """A body on its way: the offset it begins at, and its chunks."""

    start: int
    response: aiohttp.ClientResponse

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        """
        Yield the body in pieces of at most `size` bytes.

        Raises UpstreamUnavailable or UpstreamTimeout when the connection ends early or stalls.
        """
        try:
            async for chunk in self.response.content.iter_chunked(size):
                yield chunk
        except TimeoutError as error:
            raise UpstreamTimeout("The upstream stopped sending.", retry_after=5) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable("The upstream broke the transfer.", retry_after=5) from error


@dataclass(frozen=True)
class PlainStream:
    """A body without a digest: status, what its headers tell of it, and its chunks."""

    status: int
    size: int | None
    content_range: str | None
    content_type: str
    body: BlobStream

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> "PlainStream":
        """Return the answer as values. Raises UpstreamInvalid when it is compressed or no range."""
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            raise UpstreamInvalid("The upstream compressed a file.")
        status = 200 if response.status in REDIRECTS else response.status
        kind, body = headers.get("Content-Type", ""), BlobStream(0, response)
        if status != 206:
            return cls(status, _whole_size(response), None, kind, body)
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        # X-Linked-Size is the size of the whole file here, too.
        size = int(match.group(2)) - int(match.group(1)) + 1 if match else 0
        if match is None or size < 1:
            raise UpstreamInvalid("The upstream answered with something else than a range.")
        return cls(status, size, match.group(0), kind, body)


class HubClient:
    """
    One remote's Hub, asked with one token (None: anonymously).

    Every method raises DefiniteRefusal subclasses for what the Hub refuses, and Trouble subclasses
    (UpstreamUnavailable, UpstreamTimeout, UpstreamBusy, UpstreamInvalid) when it gives no answer.
    """

    def __init__(self, egress: Egress, token: str | None) -> None:
        self._egress = egress
        self._token = token

    async def info(self, repo: RepoId, revision: str | None) -> InfoAnswer:
        """
        Return the repository at a revision (None: the default branch).

        Renames are followed to the canonical id.
        """
        suffix = f"/revision/{quote_revision(revision)}" if revision else ""
        data = await self._json("GET", repo.api_path + suffix)
        try:
            repo_id, sha = data["id"], data["sha"]
            if not isinstance(repo_id, str) or not is_sha(sha):
                raise UpstreamInvalid("The upstream's info object has an invalid id or sha.")
            canonical = RepoId.parse(repo.type, repo_id)
        except (KeyError, TypeError, InvalidName) as error:
            raise UpstreamInvalid("The upstream's info object has no id or sha.") from error
        return InfoAnswer(canonical, sha, data)

    async def tree(
        self, repo: RepoId, sha: str, path: str = "", *, recursive: bool
    ) -> AsyncIterator[list[Entry]]:
        """Yield the pages of a directory's listing; paths are full paths."""
        suffix = "/" + quote_path(path) if path else ""
        query = f"?recursive={'true' if recursive else 'false'}&expand=false"
        target = f"{repo.api_path}/tree/{sha}{suffix}{query}"
        for _ in range(_MAX_PAGES):
            items, link = await self._json_with_link("GET", target)
            yield _entries(items)
            if link is None:
                return
            if link == target:
                break
            target = link
        raise UpstreamInvalid("The upstream's listing does not end.")

    async def paths_info(self, repo: RepoId, sha: str, paths: list[str]) -> list[Entry]:
        """Return the entries of some paths; those that do not exist are left out."""
        items = await self._json(
            "POST", f"{repo.api_path}/paths-info/{sha}", {"paths": paths, "expand": False}
        )
        return _entries(items)

    async def refs(self, repo: RepoId) -> dict[str, list[dict[str, Any]]]:
        """Return branches, converts, tags and pull requests as the Hub lists them."""
        target = f"{repo.api_path}/refs?include_prs=1"
        data = await self._json("GET", target)
        if not can_answer(target, data):
            raise UpstreamInvalid("The upstream's list of refs is none.")
        return dict(data)

    async def last_commit(self, repo: RepoId, sha: str) -> dict[str, Any]:
        """Return author, title and date of a commit as the Hub's commit list tells them."""
        data = await self._json("GET", f"{repo.api_path}/commits/{sha}?limit=1")
        return data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}

    async def fetch(
        self,
        target: str,
        *,
        accept: str = "application/json",
        body: Any = None,
        follow: bool = False,
    ) -> RawAnswer:
        """
        Return the answer to a route below the remote's URL, whatever it says.

        `body` (JSON) makes it a POST. Redirects within the upstream are answers, unless `follow`;
        others are followed. Raises InvalidCredentials, and Trouble for what is no answer of the
        Hub: 429, 5xx, web pages.
        """
        request = Request(
            "GET" if body is None else "POST",
            target,
            self._token,
            headers={"Accept": accept},
            json=body,
            follow=follow,
            refusals=False,
        )
        try:
            return await self._read_answer(request)
        except UpstreamUnavailable:
            await asyncio.sleep(_RETRY_DELAY)
            return await self._read_answer(request)

    async def _read_answer(self, request: Request) -> RawAnswer:
        async with self._egress.open(request) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location and not request.follow:
                return await self._redirected(request, response, location)
            headers = {name: response.headers[name] for name in _PASSED if name in response.headers}
            answer = RawAnswer(response.status, headers, await _read_body(response))
        await require_api_answer(request.target, answer)
        return answer

    async def _redirected(
        self, request: Request, response: aiohttp.ClientResponse, location: str
    ) -> RawAnswer:
        url = response.url.join(URL(location, encoded=True))
        if self._egress.config.is_own(url):
            below = self._egress.config.rewriter.below(str(url)) or "/"
            require_other_route(request.target, below)
            return RawAnswer(response.status, {"Location": str(url)})
        return await self._read_answer(replace(request, follow=True))

    async def pointer(self, repo: RepoId, sha: str, path: str, blob: BlobId) -> bytes:
        """Return what git holds of an LFS file. Raises UpstreamInvalid unless it is that blob."""
        request = Request("GET", f"{repo.path}/raw/{sha}/{quote_path(path)}", self._token)
        async with self._egress.open(request) as response:
            text = await _read_body(response)
        digester = Digester(blob)
        digester.update(text)
        if not digester.matches():
            raise UpstreamInvalid("The upstream's pointer does not match its digest.")
        return text

    @asynccontextmanager
    async def open_plain(
        self, target: str, *, head: bool, byte_range: str | None
    ) -> AsyncIterator["PlainStream"]:
        """
        Open a file that has no digest (of a bucket), for passing it on.

        For a HEAD the answer is that of the Hub's own host, which tells the size of what it
        redirects to. Raises RangeNotSatisfiable.
        """
        headers = {"Accept-Encoding": "identity"}
        # Several ranges may be ignored (RFC 9110, 14.2), and their answer would have another form.
        if byte_range and "," not in byte_range and not head:
            headers["Range"] = byte_range
        method = "HEAD" if head else "GET"
        request = Request(
            method,
            target,
            self._token,
            headers=headers,
            long=not head,
            follow=not head,
            ranged="Range" in headers,
        )
        async with self._egress.open(request) as response:
            yield PlainStream.of(response)

    async def probe(self, repo: RepoId, sha: str, path: str) -> None:
        """Ask whether this token may read a file. Costs no bytes; raises the refusal if not."""
        target = f"{repo.path}/resolve/{sha}/{quote_path(path)}"
        headers = {"Accept-Encoding": "identity"}
        request = Request("HEAD", target, self._token, headers=headers, follow=False)
        async with self._egress.open(request) as response:
            # The Hub says it with every yes (rule 1); a login page in its place does not.
            if response.headers.get("X-Repo-Commit") != sha:
                raise UpstreamInvalid("The upstream's answer is not about this commit.")

    async def auth_check(self, repo: RepoId) -> None:
        """Ask whether this token may read a repository's files; raises the refusal if not."""
        request = Request("GET", f"{repo.api_path}/auth-check", self._token, follow=False)
        async with self._egress.open(request) as response:
            if response.status != 200 or response.content_type == "text/html":
                raise UpstreamInvalid("The upstream's answer is not the Hub's.")

    @property
    def room(self) -> float:
        """Return how many more files may be fetched; below zero, how many wait for that."""
        return self._egress.room

    @asynccontextmanager
    async def open_blob(
        self,
        repo: RepoId,
        sha: str,
        path: str,
        size: int,
        start: int,
        stop: int,
        *,
        patient: bool = False,
    ) -> AsyncIterator[BlobStream]:
        """
        Open the bytes `start` to `stop` of a file of `size` bytes.

        A server that ignores the range yields a stream that starts at 0. Who is not `patient` hears
        of a silent one (UpstreamTimeout) in time to ask again. Raises UpstreamInvalid when the
        answer is of another size.
        """
        target = f"{repo.path}/resolve/{sha}/{quote_path(path)}"
        headers = {"Accept-Encoding": "identity"}
        if (start, stop) != (0, size):
            headers["Range"] = f"bytes={start}-{stop - 1}"
        silence = DEFAULT_READ_TIMEOUT if patient else BLOB_READ_TIMEOUT
        request = Request(
            "GET", target, self._token, headers=headers, long=True, read_timeout=silence
        )
        async with self._egress.open(request) as response:
            yield BlobStream(_offset(response, size, start), response)

    async def _json(self, method: str, target: str, body: Any = None) -> Any:
        return (await self._json_with_link(method, target, body))[0]

    async def _json_with_link(
        self, method: str, target: str, body: Any = None
    ) -> tuple[Any, str | None]:
        request = Request(method, target, self._token, json=body)
        try:
            return await self._read_json(request)
        except UpstreamUnavailable:
            # Kept-alive connections die and balancers hiccup: once more, then it is trouble.
            await asyncio.sleep(_RETRY_DELAY)
            return await self._read_json(request)

    async def _read_json(self, request: Request) -> tuple[Any, str | None]:
        async with self._egress.open(request) as response:
            try:
                body = await response.read()
            except TimeoutError as error:
                raise UpstreamTimeout("The upstream stopped sending.", retry_after=5) from error
            except (aiohttp.ClientError, OSError) as error:
                raise UpstreamUnavailable("The upstream broke its answer.") from error
            return await read_json(body), _next_page(response)


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return a whole body. Raises UpstreamInvalid when it is too long, and other Trouble."""
    pieces, size = [], 0
    async for piece in BlobStream(0, response).chunks(1024 * 1024):
        pieces.append(piece)
        size += len(piece)
        if size > _MAX_ANSWER:
            raise UpstreamInvalid("The upstream's answer is too long to be passed through.")
    return b"".join(pieces)


def _entries(items: Any) -> list[Entry]:
    if not isinstance(items, list):
        raise UpstreamInvalid("The upstream's listing is not an array.")
    try:
        return [entry_from_json(item) for item in _objects(items)]
    except InvalidManifest as error:
        raise UpstreamInvalid(f"The upstream's listing has an invalid entry: {error}") from error


def _objects(items: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for item in items:
        if not isinstance(item, dict):
            raise InvalidManifest("not an object")
        yield item


def _whole_size(response: aiohttp.ClientResponse) -> int | None:
    """Return the size of a file. A redirect tells it of what it leads to, besides its own."""
    own = "" if response.status in REDIRECTS else response.headers.get("Content-Length", "")
    size = response.headers.get("X-Linked-Size", own)
    return int(size) if _SIZE.fullmatch(size) else None


def _next_page(response: aiohttp.ClientResponse) -> str | None:
    """Return the URL of the next page, resolved against this one (egress checks its host)."""
    match = _NEXT.search(response.headers.get("Link", ""))
    if match is None:
        return None
    try:
        return str(response.url.join(URL(match.group(1), encoded=True)))
    except ValueError as error:
        raise UpstreamInvalid("The upstream's link to the next page is invalid.") from error


def _offset(response: aiohttp.ClientResponse, size: int, start: int) -> int:
    """Return the offset a body begins at. Raises UpstreamInvalid for a body of another size."""
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    if response.status == 206:
        if encoded:  # the range would be one of the encoded bytes
            raise UpstreamInvalid("The upstream compressed a range.")
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match.group(1)) != start or int(match.group(3)) != size:
            raise UpstreamInvalid("The upstream answered with another range than asked for.")
        return start
    length = response.headers.get("Content-Length")
    if length is not None and not encoded and int(length) != size:
        raise UpstreamInvalid(f"The upstream's file has {length} bytes instead of {size}.")
    return 0
