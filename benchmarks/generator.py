"""
The load itself, in a process of its own: `python -m benchmarks.generator` reads a job from stdin.

One thread with an epoll loop over raw sockets: it has to cost less than what it measures. Bodies
are counted and dropped inside the kernel (MSG_TRUNC) where that is possible, as if they had been
read on another machine.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

PIECE = 1 << 20
HEAD_LIMIT = 1 << 16
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
LOCATION = re.compile(rb"\r\nlocation: *(\S+)", re.IGNORECASE)
LINKED_SIZE = re.compile(rb"\r\nx-linked-size: *\d+", re.IGNORECASE)
REDIRECTS = (301, 302, 303, 307, 308)
DROP = getattr(socket, "MSG_TRUNC", 0) if sys.platform == "linux" else 0


class BadAnswer(Exception):
    """What came is no answer that counts."""


@dataclass
class Client:
    """
    One connection that asks the same `times` over (None: until the end).

    Redirects to the same host are followed, and belong to the time of an answer.
    """

    url: str
    method: str
    headers: Mapping[str, str]
    statuses: tuple[int, ...]
    times: int | None
    address: tuple[str, int] = field(init=False)
    request: bytes = field(init=False)
    sock: socket.socket = field(init=False)
    seen: bytearray = field(default_factory=bytearray)
    to_drop: int = -1
    redirect: str = ""
    answers: int = 0
    received: int = 0
    asked_at: float = 0.0
    first_byte: float = 0.0
    latencies: list[float] = field(default_factory=list)
    error: str = ""

    def __post_init__(self) -> None:
        self.address, self.request = make_request(self.method, self.url, self.headers)

    def open(self) -> None:
        self.sock = socket.create_connection(self.address, timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        self.asked_at = time.perf_counter()
        self._send(self.request)

    def _send(self, request: bytes) -> None:
        self.seen.clear()
        self.to_drop = -1
        self.sock.sendall(request)

    def read(self, scratch: bytearray) -> bool:
        """Take what has come; True when an answer is complete."""
        if self.to_drop >= 0:
            return self._drop(scratch)
        data = self.sock.recv(HEAD_LIMIT)
        if not data:
            raise BadAnswer("closed before the headers")
        self.seen += data
        end = self.seen.find(b"\r\n\r\n")
        if end < 0:
            return False
        return self._begin_body(end)

    def _begin_body(self, end: int) -> bool:
        head = bytes(self.seen[: end + 2])
        self.redirect = self._redirected(head)
        status = int(head[9:12])
        if not self.redirect and status not in (*self.statuses, *REDIRECTS):
            raise BadAnswer(f"status {status}")
        said = LENGTH.search(head)
        if said is None and self.method != "HEAD":
            raise BadAnswer("no Content-Length")
        length = int(said[1]) if said and self.method != "HEAD" else 0
        here = len(self.seen) - end - 4
        self._count(here)
        self.to_drop = length - here
        return self._complete()

    def _redirected(self, head: bytes) -> str:
        """Return where to go on; clients take the size from a HEAD's redirect to another place."""
        if int(head[9:12]) not in REDIRECTS:
            return ""
        found = LOCATION.search(head)
        target = urljoin(self.url, found[1].decode()) if found else ""
        if self.method == "HEAD" and LINKED_SIZE.search(head):
            return ""
        if urlsplit(target).netloc != urlsplit(self.url).netloc:
            raise BadAnswer("redirected to another host")
        return target

    def _count(self, count: int) -> None:
        if count and not self.redirect:
            self.first_byte = self.first_byte or time.perf_counter()
            self.received += count

    def _drop(self, scratch: bytearray) -> bool:
        count = self.sock.recv_into(scratch, min(self.to_drop, PIECE), DROP)
        if not count:
            raise BadAnswer(f"cut with {self.to_drop} bytes to come")
        self._count(count)
        self.to_drop -= count
        return self._complete()

    def _complete(self) -> bool:
        if self.to_drop:
            return False
        if self.redirect:
            self._send(make_request(self.method, self.redirect, self.headers)[1])
            return False
        self.latencies.append(time.perf_counter() - self.asked_at)
        self.answers += 1
        return True

    @property
    def has_more(self) -> bool:
        return self.times is None or self.answers < self.times


def run(clients: list[Client], seconds: float | None, patience: float) -> float:
    """Let all clients go at once, until they are through or the time is; returns its length."""
    selector = selectors.DefaultSelector()
    scratch = bytearray(PIECE)
    for client in clients:
        client.open()
        selector.register(client.sock, selectors.EVENT_READ, client)
    began = time.perf_counter()
    end = began + (patience if seconds is None else seconds)
    for client in clients:
        client.ask()
    while selector.get_map() and (now := time.perf_counter()) < end:
        for key, _ in selector.select(end - now):
            _turn(selector, key.data, scratch)
    for key in list(selector.get_map().values()):
        if seconds is None:
            key.data.error = f"not done after {patience:.0f} s"
        key.data.sock.close()
    return time.perf_counter() - began


def _turn(selector: selectors.BaseSelector, client: Client, scratch: bytearray) -> None:
    try:
        if client.read(scratch):
            if client.has_more:
                client.ask()
            else:
                selector.unregister(client.sock)
                client.sock.close()
    except (BadAnswer, OSError) as error:
        if client.answers and "before the headers" in str(error):
            _again(selector, client)  # a server may end a connection between two requests
            return
        client.error = str(error) or type(error).__name__
        selector.unregister(client.sock)
        client.sock.close()


def _again(selector: selectors.BaseSelector, client: Client) -> None:
    selector.unregister(client.sock)
    client.sock.close()
    client.open()
    selector.register(client.sock, selectors.EVENT_READ, client)
    client.ask()


def make_request(
    method: str, url: str, headers: Mapping[str, str]
) -> tuple[tuple[str, int], bytes]:
    """Return where to connect to and what to send."""
    where = urlsplit(url)
    target = where.path + (f"?{where.query}" if where.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {where.netloc}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join([*lines, "", ""])
    return (where.hostname or "", where.port or 80), text.encode()


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: `clients` connections, each sending `method url`, see `load.Job`."""
    about = (job["url"], job["method"], job["headers"], tuple(job["statuses"]), job["times"])
    clients = [Client(*about) for _ in range(job["clients"])]
    began_at = time.perf_counter()
    seconds = run(clients, job["seconds"], job["patience"])
    firsts = [client.first_byte - began_at for client in clients if client.first_byte]
    errors = [client.error for client in clients if client.error]
    return {
        "seconds": seconds,
        "answers": sum(client.answers for client in clients),
        "bytes": [client.received for client in clients],
        "first_byte": min(firsts, default=0.0),
        "latencies": [spent for client in clients for spent in client.latencies][:100_000],
        "errors": sorted(set(errors))[:5],
        "failed": len(errors),
    }


def main() -> None:
    print(json.dumps(work(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
