"""The API over HTTP, against the fixture Hub's own answers."""

import json
import re
from typing import Any

import aiohttp
import pytest
from yarl import URL

from pulp_hugging_face.tests.hub import FixtureHub

from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio


async def ask(client: Client, target: str, **headers: str) -> Any:
    status, _, body = await get(client, f"{P}/api/{target}", **headers)
    assert status == 200
    return json.loads(body)


async def truth(hub: FixtureHub, target: str) -> Any:
    url = URL(f"{hub.url}/api/{target}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return json.loads((await answer.text()).replace(hub.url, f"http://pulp.test:24816{P}"))


def without_xet(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "xetHash"}


@pytest.mark.parametrize(
    "target",
    [
        "models/org/repo/tree/main",
        "models/org/repo/tree/main?recursive=true",
        "models/org/repo/tree/main?recursive=True",
        "models/org/repo/tree/main/sub%20dir",
        "models/org/repo/tree/main/one%2Ftwo?recursive=true",
        "models/org/repo/tree/main/one/two",
        "models/org/repo/tree/refs%2Fpr%2F1?recursive=true",
        "models/org/repo/tree/v1",
        "datasets/org/ds/tree/main?recursive=true",
        "models/solo/tree/main",
    ],
)
async def test_listings_are_those_of_the_hub(
    serving: Serving, hub: FixtureHub, target: str
) -> None:
    ours, theirs = await ask(await serving(), target), await truth(hub, target)
    assert sorted(ours, key=lambda item: str(item["path"])) == sorted(
        map(without_xet, theirs), key=lambda item: str(item["path"])
    )
    assert "xet" not in json.dumps(ours).lower()


@pytest.mark.parametrize("limit", ["", "&limit=7", "&limit=1000"])
async def test_pages_of_a_listing_join_by_links_on_our_own_base(
    serving: Serving, hub: FixtureHub, limit: str
) -> None:
    client = await serving()
    target = f"{P}/api/models/org/many/tree/main?recursive=true{limit}"
    paths: list[str] = []
    while target and len(paths) < 2000:
        status, headers, body = await get(client, target)
        assert status == 200
        paths += [item["path"] for item in json.loads(body)]
        match = re.fullmatch(
            r'<http://pulp\.test:24816([^>]+)>; rel="next"', headers.get("Link", "<>")
        )
        assert match is not None or "Link" not in headers
        target = match[1] if match else ""
        assert "recursive=true" in target or not target
    assert set(paths) >= set(hub.manifest("org/many")) and len(paths) == len(set(paths))


@pytest.mark.parametrize(
    "target",
    ["models/org/repo", "models/org/repo/revision/dev", "datasets/org/ds", "spaces/org/space"],
)
async def test_info_objects_are_those_of_the_hub(
    serving: Serving, hub: FixtureHub, target: str
) -> None:
    ours, theirs = await ask(await serving(), target), await truth(hub, target)
    assert sorted(item["rfilename"] for item in ours.pop("siblings")) == sorted(
        item["rfilename"] for item in theirs.pop("siblings")
    )
    theirs.pop("xetEnabled", None)
    assert ours == theirs


async def test_siblings_with_blobs(serving: Serving, hub: FixtureHub) -> None:
    ours = await ask(await serving(), "models/org/repo?blobs=true")
    manifest = hub.manifest("org/repo")
    for item in ours["siblings"]:
        info = manifest[item["rfilename"]]
        assert (item["size"], item["blobId"]) == (info.size, info.oid)
        assert ("lfs" in item) == info.lfs


async def test_expand(serving: Serving, hub: FixtureHub) -> None:
    client = await serving()
    data = await ask(client, "models/org/repo?expand=sha&expand=siblings")
    assert {"id", "sha", "siblings"} <= set(data) <= {"_id", "id", "sha", "siblings"}
    assert "siblings" not in await ask(client, "models/org/repo?expand[]=likes")


async def test_refs(serving: Serving, hub: FixtureHub) -> None:
    client = await serving()
    for target in ("models/org/repo/refs", "models/org/repo/refs?include_prs=1"):
        assert await ask(client, target) == await truth(hub, target)


@pytest.mark.parametrize("form", [True, False])
async def test_paths_info_of_a_form_and_of_json(
    serving: Serving, hub: FixtureHub, form: bool
) -> None:
    client = await serving()
    paths = ["config.json", "sub dir", "nope", "sub dir/é #1.txt", "../x", "", "a\0b", "x/../y"]
    body: Any = (
        {"data": [("paths", path) for path in paths]} if form else {"json": {"paths": paths}}
    )
    async with client.post(f"{P}/api/models/org/repo/paths-info/main", **body) as answer:
        assert answer.status == 200
        items = await answer.json()
    assert [item["path"] for item in items] == ["config.json", "sub dir", "sub dir/é #1.txt"]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"5", b'{"paths": 5}', b'{"paths": [5]}', b'{"paths": {}}',
             b'{"x": 1}', json.dumps({"paths": ["x"] * 2001}).encode(),
             pytest.param(b'"\xff"', id="not utf-8"),
            pytest.param(b"[" * 100_000, id="nested")]
)  # fmt: skip
async def test_a_body_that_is_none_is_a_bad_request(serving: Serving, body: bytes) -> None:
    client = await serving()
    url = f"{P}/api/models/org/repo/paths-info/main"
    async with client.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400 and answer.headers["X-Error-Code"]


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "cursor=x", "cursor=eyJhZnRlciI6NX0="])
async def test_a_query_that_is_none_is_a_bad_request(serving: Serving, query: str) -> None:
    status, headers, _ = await get(await serving(), f"{P}/api/models/org/repo/tree/main?{query}")
    assert (status, headers["X-Error-Code"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/gpt2/resolve/main/config.json", "/openai-community/gpt2/resolve/main/config.json"),
        ("/gpt2/resolve/main/onnx/config.json?download=true",
         "/openai-community/gpt2/resolve/main/onnx/config.json?download=true"),
        ("/api/models/gpt2", "/api/models/openai-community/gpt2"),
        ("/api/models/gpt2/tree/main?recursive=true&expand=false",
         "/api/models/openai-community/gpt2/tree/main?recursive=true&expand=false"),
        ("/api/models/gpt2/revision/refs%2Fheads%2Fmain",
         "/api/models/openai-community/gpt2/revision/refs%2Fheads%2Fmain"),
        ("/api/datasets/ds-legacy/tree/main", "/api/datasets/org/ds/tree/main"),
        ("/datasets/ds-legacy/resolve/main/data/train.csv",
         "/datasets/org/ds/resolve/main/data/train.csv"),
        ("//gpt2//resolve/main/config.json", "/openai-community/gpt2/resolve/main/config.json"),
        ("/old-org/renamed/resolve/main/sub%20dir/%C3%A9%20%231.txt",
         "/org/repo/resolve/main/sub%20dir/%C3%A9%20%231.txt"),
        ("/api/models/gpt2/refs", "/api/models/openai-community/gpt2/refs"),
    ],
)  # fmt: skip
async def test_an_old_name_is_redirected_with_prefix_and_query(
    serving: Serving, hub: FixtureHub, target: str, location: str
) -> None:
    for method in ("GET", "HEAD"):
        status, headers, _ = await get(await serving(), P + target, method)
        assert (status, headers["Location"]) == (307, P + location)


async def test_an_old_name_in_percent_signs_is_redirected(serving: Serving) -> None:
    status, headers, _ = await get(await serving(), f"{P}/gpt%32/resolve/main/config.json")
    assert status == 307
    assert headers["Location"] == f"{P}/openai-community/gpt2/resolve/main/config.json"


async def test_an_old_name_of_a_pinned_hop_is_redirected(serving: Serving, hub: FixtureHub) -> None:
    sha = hub.sha("openai-community/gpt2")
    target = f"{P}/api/resolve-cache/models/gpt2/{sha}/config.json"
    status, headers, _ = await get(await serving(), target)
    assert status == 307
    status, _, body = await get(await serving(), headers["Location"])
    assert (status, body) == (200, hub.bytes_of("openai-community/gpt2", "config.json"))


async def test_what_needs_no_repository(serving: Serving) -> None:
    client = await serving()
    assert json.loads((await get(client, P))[2]) == {"HF_ENDPOINT": f"http://pulp.test:24816{P}"}
    assert (await get(client, f"{P}/api/agent-harnesses"))[0] == 200
    for method in ("GET", "HEAD", "POST"):
        assert (await get(client, f"{P}/api/telemetry/x/y", method))[0] == 200
    status, headers, _ = await get(client, f"{P}/org/repo/resolve/main/x", "OPTIONS")
    assert status == 204 and headers["Access-Control-Allow-Origin"] == "*"
