"""Fills from the fixture Hub: real connections that really break."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.source import HubFile
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    GatedRepo,
    HubError,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress

from .sources import MIB, Publisher, read_all, read_and_keep
from .test_fill import ended

pytestmark = pytest.mark.asyncio

BIG = ("org/big", "big.bin")  # LFS, 16 MiB
LFS = ("org/repo", "model.safetensors")  # LFS, 3 MB
REGULAR = ("org/repo", "sub dir/é #1.txt")
FILES = [BIG, LFS, REGULAR, ("org/repo", "empty.txt"), ("org/repo", "fi le#1?%41.txt")]
KIND = {BIG: "cdn_get", LFS: "cdn_get", REGULAR: "resolve_cache"}


class Filler:
    """Begins fills of the fixture's files."""

    def __init__(self, hub: FixtureHub, manager: FillManager, egress: Egress) -> None:
        self.hub, self.manager, self.egress = hub, manager, egress

    def begin(self, file: tuple[str, str], token: str | None = None, retries: int = 3) -> Fill:
        repo_id, path = file
        info = self.hub.file(repo_id, path)
        client = HubClient(self.egress, token)
        repo = RepoId(RepoType.MODEL, repo_id)
        source = HubFile(client, repo, self.hub.sha(repo_id), path, info.size)
        blob = BlobId(info.sha256 if info.lfs else info.oid, info.size)
        return self.manager.start("domain", blob, source, claim="a", retries=retries)

    def truth(self, file: tuple[str, str]) -> bytes:
        return self.hub.bytes_of(*file)


@pytest_asyncio.fixture
async def filler(hub: FixtureHub, manager: FillManager) -> AsyncIterator[Filler]:
    config = RemoteConfig("remote", hub.url, redirect_hosts=("127.0.0.2",), sock_read_timeout=0.5)
    egress = Egress(config)
    yield Filler(hub, manager, egress)
    await egress.close()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file[1])
async def test_every_kind_of_file(
    filler: Filler, publisher: Publisher, file: tuple[str, str]
) -> None:
    truth = filler.truth(file)
    fill = filler.begin(file)
    assert await read_all(fill) == truth
    await ended(fill)
    assert publisher.calls[0][1] == hashlib.sha256(truth).hexdigest()


async def test_many_readers_cost_the_bytes_once(filler: Filler) -> None:
    fill, truth = filler.begin(BIG), filler.truth(BIG)
    filler.hub.reset()
    read = await asyncio.gather(*(read_all(fill, n * MIB) for n in range(8)))
    assert all(data == truth[n * MIB :] for n, data in enumerate(read))
    counters = filler.hub.counters()
    assert counters.of("cdn_get") == 1 and counters.total_blob_bytes == len(truth)


@pytest.mark.parametrize("file", [BIG, LFS, REGULAR], ids=lambda file: file[1])
@pytest.mark.parametrize("rst", [False, True])
async def test_a_cut_transfer_resumes(filler: Filler, file: tuple[str, str], rst: bool) -> None:
    truth = filler.truth(file)
    filler.hub.fault("cut", kind=KIND[file], after=len(truth) // 3, times=2, rst=rst)
    assert await read_all(filler.begin(file)) == truth


async def test_what_arrived_is_not_fetched_again(filler: Filler) -> None:
    truth = filler.truth(BIG)
    filler.hub.fault("cut", kind="cdn_get", after=10 * MIB, times=1)
    assert await read_all(filler.begin(BIG)) == truth
    _, second = filler.hub.log(kind="cdn_get")
    start = int(second.headers["Range"].removeprefix("bytes=").partition("-")[0])
    assert 5 * MIB < start <= 10 * MIB
    assert second.blob_bytes == len(truth) - start


async def test_a_server_that_ignores_ranges_still_leads_to_the_end(filler: Filler) -> None:
    filler.hub.fault("cut", kind="cdn_get", after=2 * MIB, times=1)
    filler.hub.fault("ignore_range", kind="cdn_get")
    assert await read_all(filler.begin(BIG)) == filler.truth(BIG)


async def test_a_signed_address_that_expired_is_replaced(filler: Filler) -> None:
    number = filler.hub.fault("hold_body", kind="cdn_get", after=2 * MIB, times=1)
    fill = filler.begin(BIG)
    while fill.position < MIB:
        await asyncio.sleep(0.005)
    filler.hub.expire_urls()
    filler.hub.stop("cdn")
    filler.hub.clear_faults(number)
    filler.hub.start()
    assert await read_all(fill) == filler.truth(BIG)
    assert filler.hub.counters().of("resolve_get") >= 2


@pytest.mark.parametrize("mode", ["offline", "status", "stall"])
async def test_trouble_that_passes_is_borne(filler: Filler, mode: str) -> None:
    filler.hub.fault(mode, kind="cdn_get", times=2, after=1000)
    assert await read_all(filler.begin(LFS)) == filler.truth(LFS)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("offline", UpstreamUnavailable), ("status", UpstreamUnavailable), ("stall", UpstreamTimeout)],
)
async def test_trouble_that_stays_is_told(
    filler: Filler, publisher: Publisher, mode: str, kind: type[HubError]
) -> None:
    filler.hub.fault(mode, kind="cdn_get", after=0)
    with pytest.raises(kind):
        await read_all(filler.begin(LFS, retries=1))
    assert publisher.calls == []


@pytest.mark.parametrize("file", [LFS, REGULAR], ids=lambda file: file[1])
@pytest.mark.parametrize("mode", ["corrupt", "short", "wrong_length", "mislabelled"])
async def test_bytes_that_stay_wrong_reach_nobody(
    filler: Filler, publisher: Publisher, file: tuple[str, str], mode: str
) -> None:
    filler.hub.fault(mode, kind=KIND[file])
    with pytest.raises((UpstreamInvalid, UpstreamUnavailable)):
        await read_all(filler.begin(file))
    assert publisher.calls == []
    filler.hub.clear_faults()
    assert await read_all(filler.begin(file)) == filler.truth(file)


@pytest.mark.parametrize("file", [LFS, REGULAR], ids=lambda file: file[1])
@pytest.mark.parametrize("mode", ["corrupt", "short", "wrong_length", "mislabelled"])
async def test_bytes_that_were_wrong_once_are_replaced(
    filler: Filler, publisher: Publisher, file: tuple[str, str], mode: str
) -> None:
    filler.hub.fault(mode, kind=KIND[file], times=1)
    assert await read_and_keep(filler.begin(file)) == filler.truth(file)
    assert len(publisher.calls) == 1


async def test_a_corrupt_large_file_breaks_its_readers(
    filler: Filler, publisher: Publisher
) -> None:
    filler.hub.fault("corrupt", kind="cdn_get", after=100)
    fill = filler.begin(BIG)
    received = 0
    with fill.reader(0, fill.blob.size) as reader, pytest.raises(UpstreamInvalid):
        async for piece in reader.pieces():
            received += len(piece)
    assert received < fill.blob.size and publisher.calls == []


async def test_a_length_that_is_not_said_does_no_harm(filler: Filler) -> None:
    filler.hub.fault("chunked", kind="cdn_get")
    assert await read_all(filler.begin(LFS)) == filler.truth(LFS)


async def test_compression_on_the_way_does_no_harm(filler: Filler) -> None:
    filler.hub.settings(compress=True)
    assert await read_all(filler.begin(REGULAR)) == filler.truth(REGULAR)


async def test_a_gated_file_needs_the_right_token(filler: Filler) -> None:
    gated = ("org/gated", "model.safetensors")
    with pytest.raises(GatedRepo):
        await read_all(filler.begin(gated))
    assert await read_all(filler.begin(gated, OWNER_TOKEN)) == filler.truth(gated)


async def test_a_file_that_is_gone_is_no_entry(filler: Filler) -> None:
    filler.hub.fault(
        "status", kind="resolve_get", status=404, headers={"X-Error-Code": "EntryNotFound"}
    )
    with pytest.raises(EntryNotFound):
        await read_all(filler.begin(LFS))


async def test_a_busy_upstream_is_not_pressed(filler: Filler) -> None:
    filler.hub.fault("status", kind="resolve_get", status=429, headers={"Retry-After": "7"})
    filler.hub.reset()
    with pytest.raises(UpstreamBusy) as failed:
        await read_all(filler.begin(LFS))
    assert failed.value.retry_after == 7
    assert filler.hub.counters().of("resolve_get") == 1


async def test_the_token_is_not_in_what_is_logged(
    filler: Filler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "pulp_hugging_face")
    await read_all(filler.begin(("org/priv", "model.safetensors"), OWNER_TOKEN))
    assert "Filling" in caplog.text
    assert OWNER_TOKEN not in caplog.text and "Signature" not in caplog.text
    assert filler.hub.cdn_url not in caplog.text
