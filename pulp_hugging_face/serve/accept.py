"""
Connections are taken one at a time, so that a crowd is spread over the content processes.

The processes of a content app listen on the same socket. asyncio takes as many waiting connections
at one go as the backlog is long: of two hundred clients that come at once, the process that looks
first gets all, and the other cores stay idle.
"""

import asyncio
from functools import wraps
from typing import Any

# Clients that may wait to be taken; the kernel's own limit is net.core.somaxconn. aiohttp's 128
# would make it drop some of a crowd, which try again after a second.
BACKLOG = 2048


def take_turns(loop: asyncio.AbstractEventLoop) -> None:
    """Let the servers that the loop creates from now on take connections one at a time."""
    create_server = loop.create_server

    @wraps(create_server)
    async def create(*args: Any, backlog: int = 100, **kwargs: Any) -> asyncio.Server:
        server: asyncio.Server = await create_server(*args, backlog=1, **kwargs)
        for listening in server.sockets:
            with listening.dup() as socket:  # of the same queue, whose length it sets
                socket.listen(max(backlog, BACKLOG))
        return server

    loop.create_server = create  # type: ignore[method-assign]
