"""
A reverse proxy between clients and a stack: maps one path to another and tells so in headers.

Paths are passed on as they are written. What a client asks for outside of the mapped path is kept:
a client only does so where an answer told it a wrong address.
"""

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# About a connection, not about the message (RFC 9110 §7.6.1).
_OF_A_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host"}


@dataclass(frozen=True)
class Route:
    """What clients see at `outside` is `inside` on the server; `tell` makes the headers of it."""

    outside: str
    inside: str
    tell: Callable[[str], Mapping[str, str]]


@dataclass
class ReverseProxy:
    """Runs on `address` until closed; `address` is also what the server sees as its peer."""

    server: str
    mapping: Route
    address: str = "127.0.0.3"
    asked: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(_Handler):
            pass

        Handler.proxy = proxy
        self._http = ThreadingHTTPServer((self.address, 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Return host and port as clients write them."""
        return f"{self.address}:{self._http.server_address[1]}"

    @property
    def endpoint(self) -> str:
        """Return the HF_ENDPOINT behind which the mapped path is the endpoint itself."""
        return f"http://{self.host}{self.mapping.outside}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: ReverseProxy

    def _pass_on(self) -> None:
        mapping = self.proxy.mapping
        target = self.requestline.split()[1]  # `self.path` has its slashes collapsed
        self.proxy.asked.append(target)
        if not target.startswith(mapping.outside + "/"):
            self.proxy.stray.append(target)
            self.send_error(404)
            return
        self._answer(self._exchange(mapping.inside + target.removeprefix(mapping.outside)))

    do_GET = do_HEAD = do_POST = do_OPTIONS = _pass_on

    def _exchange(self, target: str) -> http.client.HTTPResponse:
        parts = urlsplit(self.proxy.server)
        source = (self.proxy.address, 0)
        self._inner = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=60, source_address=source
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_A_HOP}
        headers |= self.proxy.mapping.tell(self.headers["Host"])
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._inner.request(self.command, target, body or None, headers)
        return self._inner.getresponse()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response_only(answer.status, answer.reason)
        headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in _OF_A_HOP]
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self._inner.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
