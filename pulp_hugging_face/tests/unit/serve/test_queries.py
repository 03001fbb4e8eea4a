"""What a request costs the database: nothing, when the same was asked a moment ago."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.tally import add_up
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from pulp_hugging_face.store.holdings import write_claims  # isort: skip

from .conftest import Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

# Written in batches, behind the answers.
_BEHIND = (add_up, write_claims)


@pytest.fixture
def queries(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries sent since the list was last emptied."""
    sent: list[str] = []
    fetch, call = store.database.fetch, store.database.call

    async def counted_fetch(query: str, parameters: Any = ()) -> Any:
        sent.append(query)
        return await fetch(query, parameters)

    async def counted_call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if function not in _BEHIND:
            sent.append(function.__name__)
        return await call(function, *args, **kwargs)

    monkeypatch.setattr(store.database, "fetch", counted_fetch)
    monkeypatch.setattr(store.database, "call", counted_call)
    # As long as this test takes, whatever else the machine is doing.
    monkeypatch.setattr("pulp_hugging_face.store.known.TRUST", 600.0)
    monkeypatch.setattr("pulp_hugging_face.store.holdings.TRUST", 600.0)
    return sent


async def stored(store: Store) -> None:
    """Wait until what clients have got is stored."""
    async with asyncio.timeout(20):
        while store._fills._tasks:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "target",
    [
        "/org/repo/resolve/{sha}/config.json",
        "/org/repo/resolve/{sha}/one/two/three/four/five.txt",
        "/org/repo/resolve/main/config.json",
        "/org/repo/resolve/{sha}/model.safetensors",
        "/org/repo/raw/{sha}/model.safetensors",
        "/api/models/org/repo",
        "/api/models/org/repo/revision/{sha}",
        "/api/models/org/repo/tree/{sha}?recursive=true",
    ],
)
async def test_what_was_asked_a_moment_ago_costs_no_query(
    serving: Serving,
    hub: FixtureHub,
    store: Store,
    queries: list[str],
    method: str,
    target: str,
) -> None:
    client = await serving()
    url = URL(P + target.format(sha=hub.sha("org/repo")), encoded=True)
    for _ in range(2):  # the second finds the file held
        first = await get(client, url, "GET")
        await stored(store)
    await get(client, url, method)
    queries.clear()
    status, _, body = await get(client, url, method)
    assert status == 200 and body == (first[2] if method == "GET" else b"")
    assert queries == []


async def test_what_is_known_to_be_missing_costs_no_query(
    serving: Serving, hub: FixtureHub, queries: list[str]
) -> None:
    client = await serving()
    url = f"{P}/org/repo/resolve/{hub.sha('org/repo')}/adapter_config.json"
    for _ in range(2):  # the second finds the commit listed
        await get(client, url, "HEAD")
    queries.clear()
    status, headers, _ = await get(client, url, "HEAD")
    assert (status, headers["X-Error-Code"], queries) == (404, "EntryNotFound", [])


async def test_a_gated_file_costs_no_query_either(
    serving: Serving,
    hub: FixtureHub,
    store: Store,
    queries: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulp_hugging_face.store.grants.TRUST", 600.0)
    client = await serving(token_mode="client")
    url, token = f"{P}/org/gated/resolve/main/config.json", f"Bearer {OWNER_TOKEN}"
    for _ in range(3):
        assert (await get(client, url, Authorization=token))[0] == 200
        await stored(store)
    queries.clear()
    assert (await get(client, url, Authorization=token))[0] == 200
    assert queries == []
    assert (await get(client, url))[0] == 401


async def test_a_small_file_that_is_gone_from_the_storage_is_fetched_again(
    serving: Serving, hub: FixtureHub, store: Store
) -> None:
    """What is remembered of it goes on for a moment; then its bytes are looked for again."""
    from pulpcore.plugin.models import Artifact

    client, url = await serving(), f"{P}/org/repo/resolve/main/config.json"
    truth = hub.bytes_of("org/repo", "config.json")
    assert (await get(client, url))[2] == truth

    def remove() -> None:
        for artifact in Artifact.objects.filter(size=len(truth)):
            artifact.file.delete(save=False)

    await store.database.call(remove)
    store.remembered = type(store.remembered)()
    assert (await get(client, url))[2] == truth
    assert (await get(client, url))[2] == truth
