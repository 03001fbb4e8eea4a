"""A crowd of connections is not taken by one process all at once."""

import asyncio
import socket

import pytest

from pulp_hugging_face.serve.accept import take_turns

pytestmark = pytest.mark.asyncio
CROWD = 40


async def test_connections_are_taken_one_at_a_time_and_none_is_lost() -> None:
    loop, taken = asyncio.get_running_loop(), []
    take_turns(loop)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken.append(transport)

    server = await loop.create_server(Protocol, sock=listening, backlog=128)
    # Blocking, so that the loop finds all of them waiting.
    clients = [socket.create_connection(listening.getsockname(), 5) for _ in range(CROWD)]
    try:
        for _ in range(4):
            await asyncio.sleep(0)
        assert len(taken) < 8  # the others are left to other processes meanwhile
        async with asyncio.timeout(10):
            while len(taken) < CROWD:
                await asyncio.sleep(0.001)
    finally:
        for client in clients:
            client.close()
        server.close()
