"""Who reads a body waits ten seconds and comes back after a 429: both are made use of (§2.2)."""

import asyncio
import uuid

import pytest

from pulp_hugging_face.serve import patience
from pulp_hugging_face.store.flights import PATIENCE
from pulp_hugging_face.tests.hub import FixtureHub, Generated, repo
from pulp_hugging_face.upstream.egress import USER_AGENT

from .conftest import Client, Serving
from .test_files import at, get

pytestmark = pytest.mark.asyncio

STEADY = {"mode": "status", "status": 503, "kind": "cdn_get"}


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients give up soon, and are held only for moments."""
    monkeypatch.setattr("pulp_hugging_face.serve.dispatch.PATIENCE", 2.0)
    monkeypatch.setattr(patience, "PAUSE", 0.05)
    monkeypatch.setattr(patience, "HOLD", PATIENCE - 1.5)


async def cold(hub: FixtureHub, client: Client, size: int = 300_000) -> str:
    """Return the id of a repository of which nothing but a file's bytes is not known yet."""
    repo_id = f"org/cold-{uuid.uuid4().hex[:12]}"
    hub.declare(repo(repo_id, {"w.bin": Generated(size, seed=uuid.uuid4().int % 2**31)}))
    assert (await get(client, at("w.bin", repo_id=repo_id), "HEAD"))[0] == 200
    return repo_id


async def test_a_late_first_byte_is_told_in_time_and_found_by_the_next_request(
    serving: Serving, hub: FixtureHub, hurry: None
) -> None:
    client = await serving()
    repo_id = await cold(hub, client)
    hub.fault("slow_first_byte", kind="cdn_get", seconds=4)
    where, truth = at("w.bin", repo_id=repo_id), hub.bytes_of(repo_id, "w.bin")
    status, headers, _ = await get(client, where)
    assert (status, headers["X-Error-Code"]) == (429, "UpstreamTimeout")
    assert int(headers["Retry-After"]) >= patience.SOON
    async with asyncio.timeout(60):
        while (await get(client, where))[2] != truth:
            await asyncio.sleep(0.1)
    assert len(hub.log(kind="cdn_get")) <= 2


async def test_the_reason_of_a_late_first_byte_is_told_if_it_is_known(
    serving: Serving, hub: FixtureHub, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulp_hugging_face.blobs.transfer.BACKOFF", 60)
    client = await serving()
    repo_id = await cold(hub, client)
    hub.fault(**STEADY)
    status, headers, _ = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, headers["X-Error-Code"]) == (429, "UpstreamUnavailable")
    assert headers["X-Error-Message"] == "The upstream answered 503."


async def test_trouble_that_passes_soon_is_not_noticed(serving: Serving, hub: FixtureHub) -> None:
    client = await serving(max_retries=0)
    repo_id = await cold(hub, client)
    hub.fault(**STEADY, times=1)
    status, _, body = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, body) == (200, hub.bytes_of(repo_id, "w.bin"))


@pytest.mark.parametrize("size", [300_000, 20_000_000])
async def test_trouble_that_stays_is_a_429_for_who_reads(
    serving: Serving, hub: FixtureHub, hurry: None, size: int
) -> None:
    client = await serving(max_retries=0)
    repo_id = await cold(hub, client, size)
    hub.fault(**STEADY)
    status, headers, _ = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, headers["X-Error-Code"]) == (429, "UpstreamUnavailable")
    assert headers["X-Error-Message"] == "The upstream answered 503."
    assert "RateLimit" not in headers and int(headers["Retry-After"]) >= patience.SOON
    assert len(hub.log(kind="cdn_get")) > 1


async def test_what_the_upstream_says_of_later_is_handed_on_at_once(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving(max_retries=0)
    repo_id = await cold(hub, client)
    seconds = int(PATIENCE) + 10
    hub.fault(**STEADY, headers={"Retry-After": str(seconds)})
    status, headers, _ = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, headers["Retry-After"]) == (429, str(seconds))
    assert len(hub.log(kind="cdn_get")) == 1


async def test_older_clients_caches_and_heads_get_the_5xx_that_they_try_again(
    serving: Serving, hub: FixtureHub, hurry: None
) -> None:
    client = await serving(max_retries=0)
    repo_id = await cold(hub, client)
    hub.fault("status", status=503)
    where, unknown = at("w.bin", repo_id=repo_id), at("x", repo_id="org/never-asked-for")
    old = {"User_Agent": "transformers/4.40.0; hf_hub/0.36.0; python/3.11"}
    new = {"User_Agent": "unknown/None; hf_hub/1.0.1; python/3.11"}
    cache = {"User_Agent": USER_AGENT}
    assert (await get(client, where, **old))[0] == 502
    assert (await get(client, where, **cache))[0] == 502
    assert (await get(client, where, **new))[0] == 429
    assert (await get(client, unknown, "HEAD", **new))[0] == 502
    assert (await get(client, unknown, "GET", **new))[0] == 429


async def test_what_is_wrong_is_no_passing_trouble(serving: Serving, hub: FixtureHub) -> None:
    client = await serving(max_retries=0)
    repo_id = await cold(hub, client)
    hub.fault("corrupt", kind="cdn_get")
    status, headers, _ = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, headers["X-Error-Code"]) == (502, "UpstreamInvalid")
    assert "do not match" in headers["X-Error-Message"]


async def test_a_stalled_connection_is_replaced_before_clients_break_theirs(
    serving: Serving, hub: FixtureHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulp_hugging_face.upstream.client.BLOB_READ_TIMEOUT", 1.0)
    client = await serving()
    repo_id = await cold(hub, client, 20_000_000)
    hub.fault("stall", kind="cdn_get", after=5_000_000, seconds=300, times=1)
    async with asyncio.timeout(60):
        status, _, body = await get(client, at("w.bin", repo_id=repo_id))
    assert (status, body) == (200, hub.bytes_of(repo_id, "w.bin"))
    first, second, *_ = (entry.headers.get("Range") for entry in hub.log(kind="cdn_get"))
    assert first is None and int(second[6:].split("-")[0]) > 0
