"""
HTTP as it is on the wire: nothing normalised, decoded or retried.

requests and yarl rewrite paths (`..`, `%2e`, `//`), which is just what some tests are about.
"""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SECONDS = 60.0


@dataclass(frozen=True)
class Reply:
    """An answer; `broken` tells that the connection ended before the announced end."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    broken: bool = False
    reason: str = ""

    @property
    def good(self) -> bool:
        """Tell whether a client takes it for a complete file (curl exit code 0)."""
        return self.status in (200, 206) and not self.broken

    @property
    def error_code(self) -> str | None:
        return self.headers.get("x-error-code")

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Connection:
    """A connection that is kept alive, so that all its requests reach the same process."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        self._base = parts.path
        self._http = _Unchecked(parts.hostname or "", parts.port, timeout=seconds)

    def open(self) -> None:
        """Connect without asking anything."""
        self._http.connect()

    def close(self) -> None:
        self._http.close()

    @property
    def local_port(self) -> int:
        """Return our end's port, by which the server's end can be found."""
        return int(self._http.sock.getsockname()[1])

    def send(self, method: str, target: str, headers: Mapping[str, str] = {}, body: bytes = b""):
        """Send a request without waiting; `target` is appended to the URL's path as it is."""
        self._http.putrequest(
            method, self._base + target, skip_accept_encoding=True, skip_host=False
        )
        for name, value in headers.items():
            self._http.putheader(name, value)
        if body:
            self._http.putheader("Content-Length", str(len(body)))
        self._http.endheaders(body or None)

    def begin(self) -> http.client.HTTPResponse:
        """Read an answer's head; the body is for the caller to read."""
        return self._http.getresponse()

    def receive(self) -> Reply:
        """Read an answer to its end."""
        answer = self.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        pieces, broken = [], False
        try:
            while piece := answer.read1(1 << 20):
                pieces.append(piece)
            broken = bool(answer.length)
        except (http.client.IncompleteRead, ConnectionError):
            broken = True
        answer.close()
        return Reply(answer.status, headers, b"".join(pieces), broken, answer.reason)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> Reply:
        self.send(method, target, headers, body)
        return self.receive()


class _Unchecked(http.client.HTTPConnection):
    """http.client refuses some targets before they reach the server, which is to refuse them."""

    def _validate_path(self, url: str) -> None:
        pass

    def _encode_request(self, request: str) -> bytes:
        return request.encode()


@contextmanager
def connection(url: str, seconds: float = SECONDS) -> Iterator[Connection]:
    """A connection for some requests."""
    opened = Connection(url, seconds)
    try:
        yield opened
    finally:
        opened.close()


def ask(
    url: str,
    target: str,
    method: str = "GET",
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    seconds: float = SECONDS,
) -> Reply:
    """One request over a connection of its own."""
    with connection(url, seconds) as opened:
        return opened.ask(method, target, headers, body)


def get(url: str, target: str, **headers: str) -> Reply:
    """GET; `if_none_match="…"` is the header If-None-Match."""
    return ask(url, target, "GET", _named(headers))


def head(url: str, target: str, **headers: str) -> Reply:
    return ask(url, target, "HEAD", _named(headers))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def is_listening(host: str, port: int) -> bool:
    """Tell whether anybody takes connections there."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
