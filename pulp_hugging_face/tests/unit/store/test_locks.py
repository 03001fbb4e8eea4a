"""Locks over all processes of a database: one holder each, and one connection for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest
import pytest_asyncio

from pulp_hugging_face.store.db import Database, connection_parameters
from pulp_hugging_face.store.locks import AdvisoryLocks

pytestmark = pytest.mark.asyncio

NAME = "test of the locks"


def make_locks() -> AdvisoryLocks:
    return AdvisoryLocks({**connection_parameters(), "application_name": NAME})


@pytest_asyncio.fixture
async def locks(database: Database) -> AsyncIterator[AdvisoryLocks]:
    made = make_locks()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def other(database: Database) -> AsyncIterator[AdvisoryLocks]:
    """Another process."""
    made = make_locks()
    yield made
    await made.close()


async def backends(database: Database) -> list[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    return [row["pid"] for row in await database.fetch(query, (NAME,))]


async def terminate(database: Database) -> None:
    """Let the database close the connections of the locks, and wait until it has."""
    for pid in await backends(database):
        await database.fetch("SELECT pg_terminate_backend(%s)", (pid,))
    async with asyncio.timeout(30):
        while await backends(database):
            await asyncio.sleep(0.01)


async def is_free(locks: AdvisoryLocks, key: int) -> bool:
    async with locks.attempt(key) as mine:
        return mine


async def test_many_locks_are_one_connection(locks: AdvisoryLocks, database: Database) -> None:
    async with AsyncExitStack() as stack:
        got = [await stack.enter_async_context(locks.attempt(key)) for key in range(250)]
        assert all(got) and len(await backends(database)) == 1


async def test_a_lock_is_one_s_alone_within_a_process_and_over_all(
    locks: AdvisoryLocks, other: AdvisoryLocks
) -> None:
    async with locks.attempt(1) as mine:
        assert mine
        assert not await is_free(locks, 1) and not await is_free(other, 1)
        assert await is_free(locks, 2) and await is_free(other, 2)
    assert await is_free(other, 1) and await is_free(locks, 1)


async def test_of_many_who_ask_at_once_one_gets_it(locks: AdvisoryLocks) -> None:
    enough = asyncio.Event()

    async def ask() -> bool:
        async with locks.attempt(1) as mine:
            if mine:
                await enough.wait()
            return mine

    asked = [asyncio.create_task(ask()) for _ in range(20)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    enough.set()
    assert sum(await asyncio.gather(*asked)) == 1


async def test_with_the_connection_all_locks_are_lost_and_new_ones_can_be_had(
    locks: AdvisoryLocks, other: AdvisoryLocks, database: Database
) -> None:
    async with locks.attempt(1) as mine, locks.attempt(2):
        assert mine
        await terminate(database)
        async with other.attempt(1) as others:
            assert others
            assert await is_free(locks, 3)
            assert not await is_free(locks, 2)  # still one holder's within the process
    for key in (1, 2, 3):
        assert await is_free(locks, key) and await is_free(other, key)


async def test_who_lost_a_lock_does_not_take_it_from_its_next_holder(
    locks: AdvisoryLocks, other: AdvisoryLocks, database: Database
) -> None:
    async with other.attempt(9):  # its connection is there before
        pass
    async with AsyncExitStack() as stack:
        async with locks.attempt(1):
            await terminate(database)
            assert await stack.enter_async_context(other.attempt(1))
        assert not await is_free(locks, 1)


async def test_who_is_cancelled_while_asking_leaves_nothing_locked(
    locks: AdvisoryLocks, other: AdvisoryLocks
) -> None:
    async def hold(key: int) -> None:
        async with locks.attempt(key):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(hold(key)) for key in range(20)]
    for count, task in enumerate(tasks):
        await asyncio.sleep(0.0005 * (count % 4))
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all([await is_free(other, key) for key in range(20)])


async def test_a_database_that_is_not_there_is_told() -> None:
    locks = AdvisoryLocks({"host": "127.0.0.1", "port": 1, "dbname": "nowhere"})
    with pytest.raises(psycopg.OperationalError):
        await is_free(locks, 1)
    await locks.close()
