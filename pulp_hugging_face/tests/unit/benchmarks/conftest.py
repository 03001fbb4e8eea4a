"""A tiny server to put load on, and a result as a run leaves it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.machine import Machine
from benchmarks.results import Cell, Column, Result

BODY = b"0123456789" * 50_000


class Handler(BaseHTTPRequestHandler):
    """Paths name what happens."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.answer(307, b"elsewhere", Location="/body")
        elif self.path == "/away":
            self.answer(302, b"", Location="http://127.0.0.9:1/body")
        elif self.path == "/linked":
            self.answer(302, b"", Location="http://127.0.0.9:1/body", **{"X-Linked-Size": "7"})
        elif self.path == "/missing":
            self.answer(404, b"no")
        elif self.path == "/cut":
            self.answer(200, BODY, length=len(BODY) + 5)
            self.close_connection = True
        elif self.path == "/once":
            self.close_connection = True
            self.answer(200, b"once")
        elif self.headers.get("Range") == "bytes=-10":
            self.answer(206, BODY[-10:])
        else:
            self.answer(200, BODY)

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """The URL of the tiny server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def result() -> Result:
    """A full run of four servers in a few metrics."""
    machine = Machine(
        processor="A processor",
        cores=2,
        memory_gib=23.5,
        kernel="6.1",
        system="Debian",
        python="3.11.7",
        load_at_start=(0.5, 0.25, 0.125),
        commit="c0ffee",
        versions={"nginx": "1.22.1"},
    )
    return Result(
        machine=machine,
        date="2026-11-21 10:00 UTC",
        mode="full",
        sizes={"workers": 2},
        generators={"GET": "wrk", "HEAD": "own"},
        columns={
            "ours": Column("pulp_hugging_face"),
            "nginx-static": Column("nginx, files"),
            "nginx-cache": Column("nginx, proxy_cache"),
            "olah": Column("Olah", "0.5.4"),
        },
        cells={
            "hot-get": {
                "ours": Cell([4000.0, 3000.0, 5000.0]),
                "nginx-static": Cell([20000.0]),
                "nginx-cache": Cell(reason="preflight: the size is 1 | not <2>"),
                "olah": Cell([10.0]),
            },
            "cold-total": {
                "ours": Cell([2.0]),
                "nginx-cache": Cell([3.0]),
                "olah": Cell(reason="Olah cannot be installed: no network"),
            },
            "snapshot-cold": {
                "ours": Cell([20.0]),
                "nginx-cache": Cell([30.0]),
                "olah": Cell([150.0], note="300 files"),
            },
        },
    )
