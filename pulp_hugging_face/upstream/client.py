"""Questions to a Hub, and its answers as values (hub-protocol §1.6, §2.3)."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

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

from .egress import Egress, Request

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
_RETRY_DELAY = 0.3
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


class HubClient:
    """
    One remote's Hub, asked with one token (None: anonymously).

    Every method raises DefiniteRefusal subclasses for what the Hub refuses, and Trouble subclasses
    (UpstreamUnavailable, UpstreamTimeout, UpstreamBusy, UpstreamInvalid) when it gives no answer.
    """

    def __init__(self, egress: Egress, token: str | None) -> None:
        self._egress = egress
        self._token = token

    async def info(self, repo: RepoId, revision: str) -> InfoAnswer:
        """Return the repository at a revision; renames are followed to the canonical id."""
        data = await self._json("GET", f"{repo.api_path}/revision/{quote_revision(revision)}")
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
        data = await self._json("GET", f"{repo.api_path}/refs?include_prs=1")
        if not isinstance(data, dict):
            raise UpstreamInvalid("The upstream's list of refs is not an object.")
        return data

    async def last_commit(self, repo: RepoId, sha: str) -> dict[str, Any]:
        """Return author, title and date of a commit as the Hub's commit list tells them."""
        data = await self._json("GET", f"{repo.api_path}/commits/{sha}?limit=1")
        return data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}

    async def probe(self, repo: RepoId, sha: str, path: str) -> None:
        """Ask whether this token may read a file. Costs no bytes; raises the refusal if not."""
        target = f"{repo.path}/resolve/{sha}/{quote_path(path)}"
        headers = {"Accept-Encoding": "identity"}
        request = Request("HEAD", target, self._token, headers=headers, follow=False)
        async with self._egress.open(request):
            return

    @asynccontextmanager
    async def open_blob(
        self, repo: RepoId, sha: str, path: str, size: int, start: int, stop: int
    ) -> AsyncIterator[BlobStream]:
        """
        Open the bytes `start` to `stop` of a file of `size` bytes.

        A server that ignores the range yields a stream that starts at 0. Raises UpstreamInvalid
        when the answer is of another size.
        """
        target = f"{repo.path}/resolve/{sha}/{quote_path(path)}"
        headers = {"Accept-Encoding": "identity"}
        if (start, stop) != (0, size):
            headers["Range"] = f"bytes={start}-{stop - 1}"
        request = Request("GET", target, self._token, headers=headers, long=True)
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
                data = await response.json(content_type=None)
            except TimeoutError as error:
                raise UpstreamTimeout("The upstream stopped sending.", retry_after=5) from error
            except (aiohttp.ClientError, OSError) as error:
                raise UpstreamUnavailable("The upstream broke its answer.") from error
            except (ValueError, RecursionError) as error:
                raise UpstreamInvalid("The upstream's answer is not JSON.") from error
            return data, _next_page(response)


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
