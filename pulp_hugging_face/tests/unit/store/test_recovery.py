"""Bytes are not fetched twice because the database, the storage or a process failed meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from django.db import connection
from pulpcore.plugin.models import Artifact, Domain

from pulp_hugging_face.app.models import Blob, Commit
from pulp_hugging_face.blobs.fill import AlreadyHeld, Fill
from pulp_hugging_face.blobs.manager import FOLDER, FillManager
from pulp_hugging_face.hub.errors import DatabaseUnavailable
from pulp_hugging_face.store.db import Database, connection_parameters
from pulp_hugging_face.store.holdings import Claim, Holdings, write_down
from pulp_hugging_face.store.publish import Publisher
from pulp_hugging_face.tests.unit.blobs.sources import (
    MIB,
    Attempt,
    FakeSource,
    lfs,
    names,
    pattern,
    read_all,
    read_and_keep,
)

from .test_holdings import Bench, bench

__all__ = ["bench"]
pytestmark = pytest.mark.asyncio

CONTENT = pattern(6 * MIB)
BLOB = lfs(CONTENT)


class Outage:
    """A database that takes no connections for a while. Blocking."""

    def __init__(self) -> None:
        parameters = {**connection_parameters(), "dbname": "postgres", "autocommit": True}
        self._connection = psycopg.connect(**parameters)

    def begin(self) -> None:
        self._connection.execute("ALTER DATABASE pulp ALLOW_CONNECTIONS false")
        self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'pulp'"
        )

    def end(self) -> None:
        self._connection.execute("ALTER DATABASE pulp ALLOW_CONNECTIONS true")

    def close(self) -> None:
        self.end()
        self._connection.close()


@pytest.fixture
def outage(postgres: None) -> Iterator[Outage]:
    made = Outage()
    yield made
    made.close()
    connection.close()  # that of the tests themselves: it is made anew


class Host:
    """One process of a server."""

    def __init__(self, database: Database, domain: Domain, folder: Path) -> None:
        self.domain, self.folder = domain, folder
        self.holdings = Holdings(database)
        self.fills = FillManager(folder, self.holdings, target_of=self.holdings.folder_of)

    def fill(self, source: FakeSource, claim: Claim, part: tuple[int, int] | None = None) -> Fill:
        return self.fills.start(str(self.domain.pk), BLOB, source, claim=claim, part=part)

    async def close(self) -> None:
        await self.fills.close()
        await self.holdings.close()


@pytest_asyncio.fixture
async def host(database: Database, domain: Domain, tmp_path: Path) -> AsyncIterator[Host]:
    made = Host(database, domain, tmp_path)
    await made.fills.open()
    yield made
    await made.close()


def place(host: Host) -> Path:
    """Return where the bytes are in the storage."""
    media = host.folder / "media" / "artifact" / str(host.domain.pk)
    return media / BLOB.key[:2] / BLOB.key[2:]


async def is_held(bench: Bench, claim: Claim) -> bool:
    return await Holdings(bench.database).find(bench.domain.pk, BLOB, claim) is not None


async def new_claim(bench: Bench) -> Claim:
    return bench.claim(await bench.commit())


async def test_what_was_moved_is_written_down_when_the_database_is_back(
    bench: Bench, host: Host, outage: Outage
) -> None:
    claim, calls = await new_claim(bench), []

    def restarting(rows: list[object]) -> None:
        calls.append(rows)
        if len(calls) == 1:
            outage.begin()
            threading.Timer(1, outage.end).start()
        write_down(rows)

    host.holdings._publisher = Publisher(bench.database, restarting)
    fill = host.fill(FakeSource.of(CONTENT), claim)
    assert await read_and_keep(fill) == CONTENT
    assert fill.published and len(calls) > 2 and await is_held(bench, claim)


async def test_a_database_that_stays_away_costs_no_second_download(
    bench: Bench, host: Host, outage: Outage
) -> None:
    claim, hold = await new_claim(bench), asyncio.Event()
    source = FakeSource.of(CONTENT, Attempt(hold=hold, at=MIB))
    fill = host.fill(source, claim)
    reading = asyncio.create_task(read_and_keep(fill))
    while fill.position < MIB:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(outage.begin)
    hold.set()
    assert await reading == CONTENT
    assert not fill.published and f"{BLOB.key}.part" in names(host.folder / FOLDER)
    await asyncio.to_thread(outage.end)
    again = host.fill(source, claim)
    assert await read_and_keep(again) == CONTENT
    assert again.published and len(source.opened) == 1 and await is_held(bench, claim)


async def test_without_a_database_clients_are_told_so(
    bench: Bench, host: Host, outage: Outage
) -> None:
    claim, source = await new_claim(bench), FakeSource.of(CONTENT)
    await asyncio.to_thread(outage.begin)
    with pytest.raises(DatabaseUnavailable) as refused:
        await read_all(host.fill(source, claim))
    assert refused.value.status == 503 and source.opened == []


async def test_who_was_to_write_down_what_it_moved_is_succeeded(
    bench: Bench, host: Host, database: Database
) -> None:
    claim, moved, hold = await new_claim(bench), asyncio.Event(), asyncio.Event()

    class Dying(Holdings):
        async def publish(self, fill: Fill, path: Path, sha256: str) -> bool:
            place(host).parent.mkdir(parents=True)
            path.rename(place(host))
            moved.set()
            await asyncio.Event().wait()
            return False

    dying = Host(database, host.domain, host.folder)
    dying.fills = FillManager(host.folder, Dying(database))
    await dying.fills.open()
    source = FakeSource.of(CONTENT, Attempt(hold=hold, at=5 * MIB))
    first = asyncio.create_task(read_all(dying.fill(source, claim)))
    while not source.opened:
        await asyncio.sleep(0.01)
    fill = host.fill(FakeSource.of(b""), claim)
    second = asyncio.create_task(read_and_keep(fill))
    await fill.opened()
    hold.set()
    await moved.wait()
    assert await first == CONTENT
    for task in list(dying.fills._tasks):
        task.cancel()
    assert await second == CONTENT
    assert fill.published and await is_held(bench, claim)
    await dying.close()


def stored(host: Host, content: bytes) -> None:
    place(host).parent.mkdir(parents=True)
    place(host).write_bytes(content)


def noted(host: Host) -> None:
    name = str(place(host).relative_to(host.folder / "media"))
    Artifact(file=name, size=BLOB.size, sha256=BLOB.key, pulp_domain=host.domain).save()


async def test_bytes_that_lost_their_process_are_adopted(bench: Bench, host: Host) -> None:
    claim, source = await new_claim(bench), FakeSource.of(CONTENT)
    stored(host, CONTENT)
    with pytest.raises(AlreadyHeld):
        await read_all(host.fill(source, claim))
    assert source.opened == [] and await is_held(bench, claim)
    assert len(await bench.rows(await commit_of(bench, claim))) == 1


async def commit_of(bench: Bench, claim: Claim) -> Commit:
    return await bench.database.call(lambda: Commit.objects.get(pk=claim.commit))


@pytest.mark.parametrize("wrong", [bytes(BLOB.size), CONTENT[:-1], b""])
async def test_other_bytes_in_their_place_are_replaced(
    bench: Bench, host: Host, wrong: bytes
) -> None:
    claim, source = await new_claim(bench), FakeSource.of(CONTENT)
    stored(host, wrong)
    assert await read_and_keep(host.fill(source, claim)) == CONTENT
    assert source.opened and await is_held(bench, claim)
    assert place(host).read_bytes() == CONTENT


async def test_an_artifact_of_others_is_used(bench: Bench, host: Host) -> None:
    """Of an upload, a sync of another plugin, or a repository that was removed."""
    claim, source = await new_claim(bench), FakeSource.of(CONTENT)
    stored(host, CONTENT)
    await bench.database.call(noted, host)
    with pytest.raises(AlreadyHeld):  # of a range, too: nothing is read for it
        await read_all(host.fill(source, claim, (0, 5)), 0, 5)
    assert source.opened == [] and await is_held(bench, claim)
    count: Callable[[], int] = Artifact.objects.filter(pulp_domain=host.domain).count
    assert await bench.database.call(count) == 1


async def test_an_artifact_without_its_bytes_is_fetched(bench: Bench, host: Host) -> None:
    claim, source = await new_claim(bench), FakeSource.of(CONTENT)
    stored(host, CONTENT)
    await bench.database.call(noted, host)
    place(host).unlink()
    assert await read_and_keep(host.fill(source, claim)) == CONTENT
    assert source.opened and place(host).read_bytes() == CONTENT
    count: Callable[[], int] = Blob.objects.filter(pulp_domain=host.domain).count
    assert await bench.database.call(count) == 1


async def test_where_a_large_file_is_to_get_is_known_before(bench: Bench, host: Host) -> None:
    claim, never = await new_claim(bench), asyncio.Event()
    fill = host.fill(FakeSource.of(CONTENT, Attempt(hold=never)), claim)
    assert await host.holdings.folder_of(fill) == host.folder / "media"
