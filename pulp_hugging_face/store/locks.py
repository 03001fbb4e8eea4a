"""
Advisory locks of one process: all of them by one connection.

A connection for each would be as many as there are large files under way, and PostgreSQL takes a
hundred by default.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

log = logging.getLogger("pulp_hugging_face.store")

# Seconds for a word with the database: a connection that is silent for longer is given up.
_PATIENCE = 5.0
_LOCK_MASK = (1 << 64) - 1

_Connection = psycopg.AsyncConnection[Any]


class AdvisoryLocks:
    """
    Locks one process of a database has alone; they are gone when the process dies.

    They are the connection's. When that breaks all are lost, and their holders do not notice: who
    needs to know must not rely on them. Within the process they are still one holder's alone.
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = {**parameters, "autocommit": True}
        self._connection: _Connection | None = None
        # Who has what, and by which connection: to the database all in here are one, and it would
        # give the same lock to a second holder.
        self._held: dict[int, _Connection | None] = {}
        self._talking = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def attempt(self, key: int) -> AsyncIterator[bool]:
        """Yield whether this is the only holder of a lock. Raises psycopg.Error."""
        signed = (key & _LOCK_MASK) - (1 << 63)
        if signed in self._held:
            yield False
            return
        self._held[signed] = None
        # Nobody who is cancelled leaves a question without its answer: what is locked then would
        # stay locked. So both run to their ends by themselves.
        taking = asyncio.ensure_future(self._take(signed))
        try:
            yield await asyncio.shield(taking)
        finally:
            leaving = asyncio.ensure_future(self._leave(signed, taking))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            await asyncio.shield(leaving)

    async def close(self) -> None:
        """Give all locks back."""
        if self._leaving:
            await asyncio.wait(self._leaving)
        async with self._talking:
            await self._drop()

    async def _take(self, key: int) -> bool:
        async with self._talking:
            try:
                return await self._try(key)
            except psycopg.OperationalError:  # closed by the database meanwhile, most often
                await self._drop()
                return await self._try(key)

    async def _try(self, key: int) -> bool:
        if self._connection is None:
            async with _patiently():
                self._connection = await psycopg.AsyncConnection.connect(**self._parameters)
        if await self._ask("SELECT pg_try_advisory_lock(%s)", key):
            self._held[key] = self._connection
            return True
        return False

    async def _leave(self, key: int, taking: "asyncio.Task[bool]") -> None:
        """Give a lock back, unless it went with its connection. Never raises."""
        await asyncio.gather(taking, return_exceptions=True)
        async with self._talking:
            connection = self._held.pop(key)
            if connection is None or connection is not self._connection:
                return
            try:
                await self._ask("SELECT pg_advisory_unlock(%s)", key)
            except psycopg.Error as error:
                # Whatever it was: without the connection the lock is gone for certain.
                log.warning("The connection of the locks broke: %s", type(error).__name__)
                await self._drop()

    async def _ask(self, query: str, key: int) -> bool:
        assert self._connection is not None
        async with _patiently():
            cursor = await self._connection.execute(query, (key,))
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


@asynccontextmanager
async def _patiently() -> AsyncIterator[None]:
    """Wait for the database, but not for ever. Raises psycopg.OperationalError."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except TimeoutError as error:
        raise psycopg.OperationalError("The database does not answer.") from error
