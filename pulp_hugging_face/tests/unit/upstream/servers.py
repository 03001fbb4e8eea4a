"""Small servers on loopback for what the fixture Hub does not do, above all the hostile."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Origin:
    """A running server and what it was asked."""

    url: str
    port: int
    seen: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def serving(
    handler: Handler, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Origin]:
    """Run a web server."""
    origin = Origin("", 0)

    async def record(request: web.BaseRequest) -> web.StreamResponse:
        origin.seen.append(Seen(request.method, str(request.rel_url), dict(request.headers)))
        return await handler(request)

    runner = web.ServerRunner(web.Server(record))
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    assert site._server is not None
    origin.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    origin.url = f"{'https' if tls else 'http'}://{host}:{origin.port}"
    try:
        yield origin
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(*answers: bytes, host: str = "127.0.0.1") -> AsyncIterator[Origin]:
    """Run a server that writes raw bytes (the last answer again and again) and hangs up."""
    origin = Origin("", 0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        first, *lines = head.decode().strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        origin.seen.append(Seen(method, target, headers))
        writer.write(answers[min(len(origin.seen), len(answers)) - 1])
        writer.close()

    server = await asyncio.start_server(answer, host, 0)
    origin.port = server.sockets[0].getsockname()[1]
    origin.url = f"http://{host}:{origin.port}"
    async with server:
        yield origin


def response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return a raw response; without a Content-Length among the headers it is the true one."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-enc")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
