"""
Object storage for tests: an S3-speaking server, and a gate before it that sees and spoils traffic.

Clients and content app know the gate's address only.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDictProxy
from yarl import URL

# Loopback all the same, but another host than the content app's: clients compare names (§1.2).
HOST = "127.0.0.3"
KEY, SECRET = "AKIA0123456789EXAMPLE", "secret-of-the-storage-0123456789"
_OWN = (hdrs.TRANSFER_ENCODING, hdrs.CONNECTION, hdrs.KEEP_ALIVE)


@contextmanager
def s3_server() -> Iterator[str]:
    """Run the server; yield its address."""
    command = [sys.executable, "-m", f"{__package__}.s3_process", HOST]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()


@dataclass(frozen=True)
class Asked:
    """A request that reached the storage."""

    method: str
    url: URL
    headers: "CIMultiDictProxy[str]"

    @property
    def range(self) -> str | None:
        return self.headers.get(hdrs.RANGE)


class Gate:
    """A proxy before the server that remembers what was asked, and can cut, hold and go down."""

    def __init__(self, upstream: str) -> None:
        self._upstream = URL(upstream)
        self.asked: list[Asked] = []
        # After so many bytes the next answers to GET that are longer break off, one for each.
        self.cuts: list[int] = []
        # While it is not set, what is written waits here.
        self.open_for_writes = asyncio.Event()
        self.open_for_writes.set()
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def gets(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "GET"]

    async def up(self) -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{tail:.*}", self._pass_on)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None and self._session is not None:
            await runner.cleanup()
            await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        self.asked.append(Asked(request.method, request.rel_url, request.headers))
        body = await request.read()
        if request.method in ("PUT", "POST"):
            await self.open_for_writes.wait()
        url = URL(str(self._upstream) + request.raw_path, encoded=True)
        headers = {k: v for k, v in request.headers.items() if k.title() not in _OWN}
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.title() not in _OWN}
            cut = self._cut(request.method, answer.content_length or 0)
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for data in answer.content.iter_chunked(64 * 1024):
                await response.write(data if cut is None else data[:cut])
                if cut is not None and (cut := cut - len(data)) <= 0:
                    assert request.transport is not None
                    await asyncio.sleep(0)
                    request.transport.close()  # what was written arrives, and no more
                    raise ConnectionResetError
            await response.write_eof()
        return response

    def _cut(self, method: str, length: int) -> int | None:
        if method != "GET" or not self.cuts or self.cuts[0] >= length:
            return None
        return self.cuts.pop(0)


def client_of(address: str) -> Any:
    """Return a client of the storage, past the gate. Blocking."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
