"""Who goes on behind bytes that were bad is kept from it; nobody else notices."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from pulp_hugging_face.serve.files import CHUNK
from pulp_hugging_face.tests.hub import FixtureHub, Generated, repo

from .conftest import Client, Serving
from .test_files import at, get

pytestmark = pytest.mark.asyncio

SIZE = 24 * CHUNK
URL = at("weights.bin", repo_id="org/weights")
HUB = "unknown/None; hf_hub/2.4.0; python/3.12"


@pytest_asyncio.fixture
async def bad(serving: Serving, hub: FixtureHub) -> AsyncIterator[Client]:
    """A file that was sent in part and then was bad; the upstream is well again."""
    hub.declare(repo("org/weights", {"weights.bin": Generated(SIZE, seed=6)}))
    client = await serving()
    hub.fault("corrupt", kind="cdn_get", after=100)
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(client, URL)
    hub.clear_faults()
    yield client


@pytest.mark.parametrize("held", [False, True])
async def test_the_client_library_begins_anew(bad: Client, hub: FixtureHub, held: bool) -> None:
    truth = hub.bytes_of("org/weights", "weights.bin")
    if held:
        assert (await get(bad, URL))[2] == truth
    status, headers, body = await get(bad, URL, Range=f"bytes={20 * CHUNK}-", User_Agent=HUB)
    assert (status, body) == (200, truth)
    assert "Content-Range" not in headers


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    ("agent", "start"),
    [("Wget/1.21.3", 20 * CHUNK), (HUB, 12_345_678)],
    ids=["wget", "a stream of HfFileSystem"],
)
async def test_who_would_take_the_whole_for_the_rest_is_refused(
    bad: Client, hub: FixtureHub, agent: str, start: int, held: bool
) -> None:
    if held:
        assert (await get(bad, URL))[0] == 200
    status, headers, _ = await get(bad, URL, Range=f"bytes={start}-", User_Agent=agent)
    assert (status, headers["X-Error-Code"]) == (409, "ResumeRefused")
    assert "force_download=True" in headers["X-Error-Message"]


async def test_who_makes_it_a_condition_gets_the_whole(bad: Client, hub: FixtureHub) -> None:
    etag = (await get(bad, URL, "HEAD"))[1]["ETag"]
    status, _, body = await get(bad, URL, Range="bytes=12345-", If_Range=etag)
    assert (status, body) == (200, hub.bytes_of("org/weights", "weights.bin"))


@pytest.mark.parametrize("asked", ["bytes=5000000-5000099", "bytes=-100", "bytes=0-99"])
async def test_other_ranges_are_answered(bad: Client, hub: FixtureHub, asked: str) -> None:
    status, _, body = await get(bad, URL, Range=asked)
    assert (status, len(body)) == (206, 100)


async def test_all_of_it_from_the_first_byte_is_answered(bad: Client, hub: FixtureHub) -> None:
    status, _, body = await get(bad, URL, Range="bytes=0-")
    assert (status, body) == (206, hub.bytes_of("org/weights", "weights.bin"))
