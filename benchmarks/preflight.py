"""Is it right at all? Bytes, sizes, digests and commits, before a number counts."""

import hashlib
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from pulp_hugging_face.tests.hub import FileInfo

from .servers import Server
from .upstream import Upstream

SECONDS = 120.0
REDIRECTS = (301, 302, 303, 307, 308)
METADATA = ("x-repo-commit", "x-linked-size", "x-linked-etag")
PIECE = 1 << 20


class Refused(Exception):
    """A server gave a wrong answer; its numbers in this row would mean nothing."""


@dataclass(frozen=True)
class Reply:
    """An answer whose body was digested as it came; `body` is kept of short ones only.

    `headers` are those of the first hop that has them, as clients take them; `url` is the last.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    size: int
    sha256: str
    body: bytes = field(repr=False)


@contextmanager
def connected(url: str) -> Iterator[http.client.HTTPConnection]:
    """Open a connection to the host of a URL; what goes wrong on it is a refusal."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=SECONDS)
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"no answer: {error or type(error).__name__}") from error
    finally:
        connection.close()


def ask(url: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Reply:
    """Send a request; redirects are followed as clients do: HEAD only to relative places."""
    reply = _ask_once(url, method, headers or {})
    target = reply.headers.get("location", "")
    relative = not urlsplit(target).netloc
    if reply.status not in REDIRECTS or not (relative or method == "GET"):
        return reply
    if not relative and urlsplit(target).netloc != urlsplit(url).netloc:
        raise Refused("it redirects to another host")
    last = ask(urljoin(url, target), method, headers)
    kept = {name: value for name, value in reply.headers.items() if name in METADATA}
    return replace(last, headers={**last.headers, **kept})


def _ask_once(url: str, method: str, headers: Mapping[str, str]) -> Reply:
    where = urlsplit(url)
    target = where.path + (f"?{where.query}" if where.query else "")
    with connected(url) as connection:
        connection.request(method, target, headers=dict(headers))
        response = connection.getresponse()
        digest, size, kept = hashlib.sha256(), 0, bytearray()
        while data := response.read(PIECE):
            digest.update(data)
            size += len(data)
            kept += data if size <= 16 * PIECE else b""
        said = {name.lower(): value for name, value in response.getheaders()}
        return Reply(url, response.status, said, size, digest.hexdigest(), bytes(kept))


def expect(what: str, found: object, wanted: object) -> None:
    """Refuse what is not as it has to be."""
    if found != wanted:
        raise Refused(f"{what} is {found!r:.80}, not {wanted!r:.80}")


def check_file(upstream: Upstream, server: Server, repo_id: str, path: str) -> None:
    """Compare GET and HEAD of a file with the truth."""
    truth = upstream.file(repo_id, path)
    url = server.file(repo_id, path)
    reply = ask(url)
    expect("the status of GET", reply.status, 200)
    expect("the size", reply.size, truth.size)
    expect("the sha256", reply.sha256, truth.sha256)
    _check_headers(upstream, server, repo_id, truth, reply)
    check_head(upstream, server, repo_id, path)


def check_head(upstream: Upstream, server: Server, repo_id: str, path: str) -> None:
    """Compare HEAD with the truth."""
    truth = upstream.file(repo_id, path)
    reply = ask(server.file(repo_id, path), "HEAD")
    linked = reply.headers.get("x-linked-size")
    expect("the status of HEAD", reply.status if not linked else 200, 200)
    size = linked or reply.headers.get("content-length")
    expect("the size that HEAD tells", size, str(truth.size))
    _check_headers(upstream, server, repo_id, truth, reply)


def _check_headers(
    upstream: Upstream, server: Server, repo_id: str, truth: FileInfo, reply: Reply
) -> None:
    if server.static:
        return
    expect("X-Repo-Commit", reply.headers.get("x-repo-commit"), upstream.sha(repo_id))
    tag = reply.headers.get("x-linked-etag") or reply.headers.get("etag", "")
    expect("the ETag", tag.removeprefix("W/").strip('"'), truth.etag)


def check_range(upstream: Upstream, server: Server, repo_id: str, path: str, last: int) -> None:
    """Compare the end of a file with the truth."""
    truth = upstream.file(repo_id, path)
    reply = ask(server.file(repo_id, path), headers={"Range": f"bytes=-{last}"})
    expect("the status of a range", reply.status, 206)
    wanted = upstream.bytes_of(repo_id, path, start=truth.size - last)
    expect("the sha256 of a range", reply.sha256, hashlib.sha256(wanted).hexdigest())


def check_info(upstream: Upstream, server: Server, repo_id: str) -> None:
    """Compare the info object of a model with the truth."""
    reply = ask(f"{server.url}/api/models/{repo_id}")
    expect("the status of the info", reply.status, 200)
    try:
        said = json.loads(reply.body)
        names = {sibling["rfilename"] for sibling in said["siblings"]}
        expect("the commit of the info", said["sha"], upstream.sha(repo_id))
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"the info object cannot be read: {error!r}") from error
    expect("the files of the info", names, set(upstream.manifest(repo_id)))


def listed(server: Server, repo_id: str) -> list[str]:
    """Page through the recursive listing of a repository, as clients do, by `Link`."""
    url = f"{server.url}/api/models/{repo_id}/tree/main?recursive=true"
    paths: list[str] = []
    with connected(url) as connection:
        while url:
            connection.request("GET", url.removeprefix(f"http://{urlsplit(url).netloc}"))
            response = connection.getresponse()
            body = response.read()
            if response.status in REDIRECTS:
                url = urljoin(url, response.headers["Location"])
            else:
                expect("the status of a page", response.status, 200)
                paths += _paths(body)
                url = _next(response.headers["Link"])
            if url and urlsplit(url).netloc != urlsplit(server.url).netloc:
                raise Refused("the next page of the listing is said to be at the upstream")
    return paths


def _paths(page: bytes) -> list[str]:
    try:
        return [entry["path"] for entry in json.loads(page)]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"the listing cannot be read: {error!r}") from error


def _next(link: str | None) -> str:
    if not link or 'rel="next"' not in link:
        return ""
    return link.partition("<")[2].partition(">")[0]
