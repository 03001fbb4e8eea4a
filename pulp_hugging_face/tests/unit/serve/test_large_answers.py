"""Large JSON is read and written beside the event loop."""

import json
import threading
from typing import Any

import pytest

from pulp_hugging_face.hub import longjson
from pulp_hugging_face.tests.hub import FixtureHub, repo

from .conftest import Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

LARGE = 256 * 1024


@pytest.fixture
def on_the_loop(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the JSON that is read and written in the thread of the event loop."""
    sizes: list[int] = []
    loads, dumps, loop = longjson.loads, longjson.dumps, threading.current_thread()

    def note(size: int) -> None:
        if threading.current_thread() is loop:
            sizes.append(size)

    def reading(body: bytes) -> Any:
        note(len(body))
        return loads(body)

    def writing(data: Any, **options: Any) -> str:
        text = dumps(data, **options)
        note(len(text))
        return text

    monkeypatch.setattr(longjson, "loads", reading)
    monkeypatch.setattr(longjson, "dumps", writing)
    return sizes


async def test_a_list_that_is_passed_on(
    serving: Serving, hub: FixtureHub, on_the_loop: list[int]
) -> None:
    client = await serving()
    items = [{"id": f"org/model-{n}", "tags": ["a" * 100] * 10} for n in range(500)]
    headers = {"Content-Type": "application/json"}
    hub.fault("mislabelled", path="*/api/models*", text=json.dumps(items), headers=headers)
    status, _, body = await get(client, f"{P}/api/models?full=true&limit=1000")
    assert status == 200 and len(body) > LARGE and json.loads(body) == items
    assert not [size for size in on_the_loop if size > LARGE]


async def test_a_repository_with_many_files(
    serving: Serving, hub: FixtureHub, on_the_loop: list[int]
) -> None:
    files = {f"data/part-{n:05}-{'x' * 60}.txt": "" for n in range(4000)}
    hub.declare(repo("org/crowd", files))
    client = await serving()
    for query in ("", "?securityStatus=true", "?expand=siblings"):
        status, _, body = await get(client, f"{P}/api/models/org/crowd{query}")
        names = {sibling["rfilename"] for sibling in json.loads(body)["siblings"]}
        assert status == 200 and len(body) > LARGE and names == set(files)
    assert not [size for size in on_the_loop if size > LARGE]


async def test_what_is_small_is_done_at_once(
    serving: Serving, hub: FixtureHub, on_the_loop: list[int]
) -> None:
    client = await serving()
    assert (await get(client, f"{P}/api/models?limit=2"))[0] == 200
    assert on_the_loop
