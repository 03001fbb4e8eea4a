"""Reads of the content app from the database."""

import asyncio

import psycopg
import pytest

from pulp_hugging_face.store.db import Database, connection_parameters

pytestmark = pytest.mark.asyncio


async def backends(database: Database) -> list[int]:
    """Return the server's processes for connections of the pool, all of them in use at once."""
    rows = await asyncio.gather(
        *(database.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.3)") for _ in range(4))
    )
    return [row[0]["pid"] for row in rows]


async def test_connections_that_the_database_closed_are_replaced_unnoticed(
    database: Database,
) -> None:
    pids = await backends(database)
    assert len(set(pids)) == 4
    async with await psycopg.AsyncConnection.connect(
        **connection_parameters(), autocommit=True
    ) as other:
        for pid in pids:
            await other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    for _ in range(8):
        assert await database.fetch_one("SELECT 1 AS one") == {"one": 1}
    assert not set(pids) & set(await backends(database))


async def test_an_error_of_the_query_is_told_at_once(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        await database.fetch("SELECT * FROM nowhere")
