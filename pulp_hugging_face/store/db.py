"""
The two ways to the database from the content app (architecture §5).

Reads go through a small pool of async connections with prepared statements. Writes use the ORM in
threads of our own, never in the one thread that pulpcore shares between all its ORM calls.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pulpcore.plugin.models import Domain
from pulpcore.plugin.util import set_domain

from .locks import AdvisoryLocks

T = TypeVar("T")
Row = dict[str, Any]

DATABASE_ERRORS = (psycopg.Error, PoolTimeout, DatabaseError, InterfaceError)
_POOL_SIZE = 4
_THREADS = 4
# Seconds in which a domain's row is not read again.
_DOMAIN_TRUST = 2.0
_domains: dict[str, tuple[Domain, float]] = {}
# What Django adds for its own connections and psycopg's plain connections do not take or need.
_NOT_OURS = {"cursor_factory", "context", "prepare_threshold"}


def connection_parameters() -> dict[str, Any]:
    """Return libpq parameters of Django's default database."""
    parameters = connections["default"].get_connection_params()
    return {key: value for key, value in parameters.items() if key not in _NOT_OURS}


class Database:
    """Reads and writes of one content process."""

    def __init__(self) -> None:
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            kwargs={**connection_parameters(), "autocommit": True, "row_factory": dict_row},
            min_size=1,
            max_size=_POOL_SIZE,
            open=False,
            name="hugging_face",
        )
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-orm")
        self._locks = AdvisoryLocks(connection_parameters())

    async def open(self) -> None:
        """Start connecting; an unreachable database shows at the first query."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._locks.close()
        await self._pool.close()
        self._executor.shutdown(wait=False)

    async def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query, which may be asked again: it must change nothing."""
        for _ in range(_POOL_SIZE):
            async with self._pool.connection(timeout=5) as conn:
                try:
                    return await _rows(conn, query, parameters)
                except psycopg.OperationalError:
                    if not conn.broken:
                        raise
        # All those the database had closed meanwhile are used up.
        async with self._pool.connection(timeout=5) as conn:
            return await _rows(conn, query, parameters)

    async def fetch_one(self, query: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query, or None."""
        rows = await self.fetch(query, parameters)
        return rows[0] if rows else None

    def advisory_lock(self, key: int) -> AbstractAsyncContextManager[bool]:
        """
        Yield whether this is the only holder of a lock, over all processes of the database.

        The lock is gone when the process dies. Raises psycopg.Error.
        """
        return self._locks.attempt(key)

    async def call(self, function: Callable[..., T], *args: Any, domain: str | None = None) -> T:
        """
        Run a blocking function with the ORM in a worker thread, inside a domain (name).

        A connection the database closed meanwhile is replaced once, so `function` must be safe to
        run twice.
        """
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, context.run, _with_connection, function, args, domain
        )


async def _rows(
    conn: psycopg.AsyncConnection[Any], query: str, parameters: Sequence[Any]
) -> list[Row]:
    cursor = await conn.execute(query, parameters)
    return await cursor.fetchall()


def _with_connection(function: Callable[..., T], args: tuple[Any, ...], domain: str | None) -> T:
    try:
        return _in_domain(function, args, domain)
    except (InterfaceError, OperationalError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return _in_domain(function, args, domain)


def _in_domain(function: Callable[..., T], args: tuple[Any, ...], domain: str | None) -> T:
    if domain is not None:
        set_domain(_domain(domain))
    return function(*args)


def _domain(name: str) -> Domain:
    """Return a domain, as it was a moment ago at most."""
    known = _domains.get(name)
    if known is None or time.monotonic() - known[1] > _DOMAIN_TRUST:
        known = Domain.objects.get(name=name), time.monotonic()
        _domains[name] = known
    return known[0]
