"""Hosts with one database and working directories of their own take turns at a large file."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from pulp_hugging_face.blobs.fill import AlreadyHeld
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.store.db import Database
from pulp_hugging_face.store.leases import DatabaseLeases
from pulp_hugging_face.tests.unit.blobs.sources import MIB, Attempt, FakeSource, Publisher, read_all

pytestmark = pytest.mark.asyncio

ONE, OTHER = (BlobId(digit * 64, 10) for digit in "ab")


async def test_a_lease_is_one_s_alone_until_it_is_given_back(database: Database) -> None:
    leases = DatabaseLeases(database)
    async with leases.attempt("domain", ONE) as first:
        assert first
        async with (
            leases.attempt("domain", ONE) as second,
            leases.attempt("domain", OTHER) as another_file,
            leases.attempt("other domain", ONE) as another_domain,
        ):
            assert (second, another_file, another_domain) == (False, True, True)
    async with leases.attempt("domain", ONE) as again:
        assert again


async def test_a_file_is_fetched_by_one_of_two_hosts(database: Database, tmp_path: Path) -> None:
    content = bytes(PARALLEL_ABOVE + MIB)
    blob = BlobId(hashlib.sha256(content).hexdigest(), len(content))
    publisher, go_on = Publisher(tmp_path / "kept"), asyncio.Event()
    publisher.folder.mkdir()
    sources = [FakeSource.of(content, Attempt(hold=go_on)), FakeSource.of(content)]
    hosts = []
    for name in "ab":
        (tmp_path / name).mkdir()
        hosts.append(FillManager(tmp_path / name, publisher, leases=DatabaseLeases(database)))
        await hosts[-1].open()
    first = hosts[0].start("domain", blob, sources[0], claim="a")
    while not sources[0].opened:
        await asyncio.sleep(0.005)
    waiting = asyncio.create_task(
        read_all(hosts[1].start("domain", blob, sources[1], claim="b"), 0, MIB)
    )
    await asyncio.sleep(0.3)
    assert sources[1].opened == []
    go_on.set()
    await first.complete()
    with pytest.raises(AlreadyHeld):
        await waiting
    assert sources[1].opened == [] and len(publisher.calls) == 1
    for host in hosts:
        await host.close()


async def test_many_files_under_way_take_one_connection(database: Database, tmp_path: Path) -> None:
    count = "SELECT count(*) AS count FROM pg_stat_activity WHERE backend_type = 'client backend'"

    async def connections() -> int:
        row = await database.fetch_one(count)
        assert row is not None
        return int(row["count"])

    before, content, never = await connections(), bytes(PARALLEL_ABOVE + MIB), asyncio.Event()
    publisher = Publisher(tmp_path / "kept")
    manager = FillManager(tmp_path, publisher, leases=DatabaseLeases(database))
    await manager.open()
    sources = [FakeSource.of(content, Attempt(hold=never)) for _ in range(20)]
    for number, source in enumerate(sources):
        manager.start("domain", BlobId(f"{number:064x}", len(content)), source, claim="a")
    async with asyncio.timeout(60):
        while not all(source.opened for source in sources):
            await asyncio.sleep(0.01)
    assert await connections() < before + 10  # its own, and some of the pool
    await manager.close()
