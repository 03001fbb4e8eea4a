"""One listening origin: sockets, and the way a request becomes an answer on the wire."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
BACKLOG = 256
GRACE = 0.2


class Origin:
    """Listens on an address it keeps while closed, so that nobody else can take the port."""

    def __init__(self, name: str, host: str, port: int, handler: Handler) -> None:
        self.name = name
        self._handler = handler
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._socket = _bound(host, port)
        self.host, self.port = self._socket.getsockname()[:2]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def is_open(self) -> bool:
        return self._runner is not None

    async def open(self) -> None:
        if self._runner is None:
            self._server = web.Server(self._handler)
            self._runner = web.ServerRunner(self._server, access_log=None, shutdown_timeout=GRACE)
            await self._runner.setup()
            await web.SockSite(self._runner, self._socket, backlog=BACKLOG).start()

    async def close(self) -> None:
        """Refuse new connections and reset the running ones."""
        if self._runner is not None and self._server is not None:
            runner, self._runner = self._runner, None
            for site in list(runner.sites):
                await site.stop()
            for connection in list(self._server.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.wait_for(runner.cleanup(), timeout=GRACE + 2)
            self._socket = _bound(self.host, self.port)


def _bound(host: str, port: int) -> socket.socket:
    """Bound but not listening: the kernel refuses connections."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock
