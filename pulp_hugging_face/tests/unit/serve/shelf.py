"""A domain whose storage is an S3-speaking server, and something to keep there."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from pulp_hugging_face.tests.hub import FixtureHub, Generated, repo
from pulp_hugging_face.tests.unit.s3 import KEY, SECRET, Gate, client_of, s3_server
from pulp_hugging_face.tests.unit.store.fixtures import Makers

from pulpcore.plugin.models import Domain  # isort: skip (after Django is configured)
from pulpcore.plugin.util import set_domain  # isort: skip
from pulp_hugging_face.app.models import Blob  # isort: skip

from .conftest import Client, Serving
from .test_files import at, get

MIB = 1024 * 1024
# Two parts of an upload, and more than a chunk of ours.
LARGE = 9 * MIB
REGULAR = 100 * 1024
# Clients from 1.20 on take a broken transfer up at the last full 10 MiB (hub-protocol §1.5).
RESUMED = 12 * MIB
# Both signatures of boto3 are tried where redirects are; else the default.
one_signature = pytest.mark.parametrize("domain", [None], ids=[""], indirect=True)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest_asyncio.fixture
async def gate(server: str) -> AsyncIterator[Gate]:
    gate = Gate(server)
    await gate.up()
    yield gate
    gate.open_for_writes.set()
    await gate.down()


class Bucket:
    """A bucket of the test's own, past the gate."""

    def __init__(self, address: str) -> None:
        self.name = f"test-{uuid.uuid4().hex}"
        self._client = client_of(address)
        self._client.create_bucket(Bucket=self.name)

    def keys(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self.name)
        return [item["Key"] for item in found.get("Contents", [])]

    def overwrite(self, content: bytes) -> None:
        for key in self.keys():
            self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def empty(self) -> None:
        for key in self.keys():
            self._client.delete_object(Bucket=self.name, Key=key)

    def remove(self) -> None:
        self.empty()
        self._client.delete_bucket(Bucket=self.name)


@pytest_asyncio.fixture
async def bucket(server: str) -> Bucket:
    return await asyncio.to_thread(Bucket, server)


@pytest_asyncio.fixture(params=[None, "s3v4"], ids=["default-signature", "s3v4"])
async def domain(
    request: pytest.FixtureRequest, postgres: None, gate: Gate, bucket: Bucket
) -> Domain:
    """A domain whose storage is behind the gate."""
    made = await asyncio.to_thread(
        Domain.objects.create,
        name=f"test-{uuid.uuid4().hex}",
        storage_class="storages.backends.s3.S3Storage",
        storage_settings={
            "access_key": KEY,
            "secret_key": SECRET,
            "bucket_name": bucket.name,
            "endpoint_url": gate.url,
            "region_name": "us-east-1",
            "addressing_style": "path",
            "signature_version": request.param,
            "default_acl": "private",
        },
    )
    set_domain(made)
    return made


class Shelf:
    """A repository with a large and a regular file upstream, and the domain that keeps them."""

    def __init__(
        self, hub: FixtureHub, gate: Gate, domain: Domain, serving: Serving, makers: Makers
    ) -> None:
        self.hub, self.gate, self.domain = hub, gate, domain
        self._serving, self._makers = serving, makers
        files = {
            "large.bin": Generated(LARGE, seed=7),
            "regular.txt": Generated(REGULAR, seed=8),
            "small.json": b"{}\n",
            "resumed.bin": Generated(RESUMED, seed=9),
        }
        hub.declare(repo("org/stored", files))
        hub.reset()

    async def serve(self, *, redirects: bool = True, **fields: Any) -> Client:
        remote = await asyncio.to_thread(self._makers.remote_view, metadata_ttl=600, **fields)
        return await self._serving(self._makers.view_of(remote, redirects=redirects))

    def truth(self, path: str) -> bytes:
        return self.hub.bytes_of("org/stored", path)

    async def hold(self, client: Client, *paths: str) -> None:
        """Have files fetched and kept, and forget how."""
        for path in paths:
            assert (await get(client, url_of(path)))[2] == self.truth(path)
            await self.published(path)
        self.gate.asked.clear()
        self.hub.reset()

    async def published(self, path: str) -> None:
        key = self.hub.file("org/stored", path).etag.strip('"')
        async with asyncio.timeout(20):
            while not await self.count(Blob, key=key):
                await asyncio.sleep(0.02)

    async def count(self, model: Any, **fields: Any) -> int:
        rows = model.objects.filter(pulp_domain=self.domain, **fields)
        return int(await asyncio.to_thread(rows.count))


@pytest_asyncio.fixture
async def shelf(
    hub: FixtureHub, gate: Gate, domain: Domain, serving: Serving, makers: Makers
) -> Shelf:
    return Shelf(hub, gate, domain, serving, makers)


def url_of(path: str) -> URL:
    return at(path, repo_id="org/stored")
