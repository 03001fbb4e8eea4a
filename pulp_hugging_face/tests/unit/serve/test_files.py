"""Files over HTTP: cold, filling, held, streamed and relayed answers are the same."""

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest
from yarl import URL

from pulp_hugging_face.serve.files import CHUNK
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.tests.hub import FixtureHub, Generated, repo

from .conftest import Client, Serving

pytestmark = pytest.mark.asyncio

P = "/pulp/content/hf"
FILES = [
    "config.json",
    "model.safetensors",
    "empty.txt",
    "sub dir/é #1.txt",
    "fi le#1?%41.txt",
    "%2F.txt",
    "日本語/モデル.txt",
    "a+b&c=d;e.txt",
    "one/two/three/four/five.txt",
]


def at(path: str, revision: str = "main", repo_id: str = "org/repo") -> URL:
    from pulp_hugging_face.hub.names import quote_path, quote_revision

    return URL(f"{P}/{repo_id}/resolve/{quote_revision(revision)}/{quote_path(path)}", encoded=True)


async def get(
    client: Client, url: URL | str, method: str = "GET", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    where = url if isinstance(url, URL) else URL(url, encoded=True)
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, where, headers=wanted, allow_redirects=False) as answer:
        body = await answer.read()
        kept = answer.headers.copy()
        for name in ("Date", "Server"):
            kept.pop(name, None)
        return answer.status, kept, body


@pytest.mark.parametrize("policy", ["on_demand", "streamed"])
async def test_head_cold_and_held_answers_agree(
    serving: Serving, store: Store, hub: FixtureHub, policy: str
) -> None:
    client = await serving(policy=policy)
    sha = hub.sha("org/repo")
    for path in FILES:
        info, truth = hub.file("org/repo", path), hub.bytes_of("org/repo", path)
        hub.reset()
        status, head, body = await get(client, at(path), "HEAD")
        assert (status, body) == (200, b"") and hub.counters().total_blob_bytes == 0
        assert head["X-Repo-Commit"] == sha and head["ETag"] == f'"{info.etag}"'.replace('""', '"')
        assert int(head["Content-Length"]) == info.size
        assert "Location" not in head and "Content-Encoding" not in head
        for _ in range(2):
            assert await get(client, at(path)) == (200, head, truth)
            async with asyncio.timeout(30):  # who comes before it ends shares it
                while store._fills._tasks:
                    await asyncio.sleep(0.01)
        blob_bytes = info.size if policy == "on_demand" else 2 * info.size
        assert hub.counters().total_blob_bytes == blob_bytes


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
async def test_ranges_are_those_of_the_bytes(
    serving: Serving, hub: FixtureHub, path: str, held: bool
) -> None:
    client = await serving(policy="on_demand" if held else "streamed")
    truth = hub.bytes_of("org/repo", path)
    size = len(truth)
    if held:
        await get(client, at(path))
    for header, part in (
        ("bytes=0-0", truth[:1]),
        ("bytes=0-", truth),
        (f"bytes={size - 1}-", truth[-1:]),
        ("bytes=5-20", truth[5:21]),
        ("bytes=-7", truth[-7:]),
        (f"bytes=10-{size * 9}", truth[10:]),
    ):
        status, headers, body = await get(client, at(path), Range=header)
        start = truth.index(part) if part != truth else 0
        start = size - len(part) if header.startswith("bytes=-") or header.endswith("-") else start
        assert (status, body) == (206, part), header
        assert headers["Content-Length"] == str(len(part))
        assert headers["Content-Range"].endswith(f"/{size}")
        assert "X-Repo-Commit" in headers and "ETag" in headers
    for header in ("bytes=0-1,3-4", "bytes=x", "lines=0-1"):
        assert (await get(client, at(path), Range=header))[0::2] == (200, truth)
    for header in (f"bytes={size}-", "bytes=-0"):
        status, headers, _ = await get(client, at(path), Range=header)
        assert status == 416 and headers["Content-Range"] == f"bytes */{size}"


async def test_conditions(serving: Serving, hub: FixtureHub) -> None:
    client = await serving()
    _, headers, _ = await get(client, at("config.json"))
    etag = headers["ETag"]
    status, unchanged, body = await get(client, at("config.json"), If_None_Match=f'W/{etag}, "x"')
    assert (status, body) == (304, b"") and unchanged["ETag"] == etag
    assert "X-Repo-Commit" in unchanged
    for value, expected in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        answer = await get(client, at("config.json"), Range="bytes=0-0", If_Range=value)
        assert answer[0] == expected, value


async def test_many_who_ask_for_a_cold_file_cost_its_bytes_once(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving()
    truth = hub.bytes_of("org/big", "big.bin")
    hub.reset()
    where = at("big.bin", repo_id="org/big")
    answers = await asyncio.gather(*(get(client, where) for _ in range(6)))
    assert all(body == truth for _, _, body in answers)
    assert hub.counters().total_blob_bytes == len(truth)


@pytest.mark.parametrize("mode", ["corrupt", "short", "wrong_length", "mislabelled"])
@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
async def test_wrong_bytes_never_reach_a_client_and_healed_ones_do(
    serving: Serving, hub: FixtureHub, path: str, mode: str
) -> None:
    client = await serving()
    for kind in ("cdn_get", "resolve_cache"):
        hub.fault(mode, kind=kind)
    status, headers, _ = await get(client, at(path))
    assert status == 502 and headers["X-Error-Code"] == "UpstreamInvalid"
    hub.clear_faults()
    assert (await get(client, at(path)))[2] == hub.bytes_of("org/repo", path)


async def test_a_large_corrupt_file_breaks_off(serving: Serving, hub: FixtureHub) -> None:
    client = await serving()
    hub.fault("corrupt", kind="cdn_get", after=100)
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(client, at("big.bin", repo_id="org/big"))
    hub.clear_faults()
    _, _, body = await get(client, at("big.bin", repo_id="org/big"))
    assert body == hub.bytes_of("org/big", "big.bin")


HUGE = 24 * CHUNK


@pytest.fixture
def huge(hub: FixtureHub) -> FixtureHub:
    hub.declare(repo("org/huge", {"huge.bin": Generated(HUGE, seed=5)}))
    hub.reset()
    return hub


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (HUGE - 100, HUGE), (9 * CHUNK, 10 * CHUNK)])
async def test_a_small_range_of_a_large_file_costs_little(
    serving: Serving, huge: FixtureHub, start: int, stop: int
) -> None:
    client = await serving()
    where = at("huge.bin", repo_id="org/huge")
    for _ in range(2):
        status, _, body = await get(client, where, Range=f"bytes={start}-{stop - 1}")
        assert status == 206
        assert body == huge.bytes_of("org/huge", "huge.bin", start=start, length=stop - start)
        assert huge.counters().total_blob_bytes <= CHUNK, "the segment is kept"


@pytest.mark.parametrize(
    "start",
    [
        HUGE - 100,
        pytest.param(
            0,
        ),
    ],
)
async def test_an_upstream_without_ranges_does_not_fetch_the_whole_for_one(
    serving: Serving, huge: FixtureHub, start: int
) -> None:
    client = await serving()
    huge.fault("ignore_range", origin="cdn")
    where = at("huge.bin", repo_id="org/huge")
    try:
        status, _, body = await get(client, where, Range=f"bytes={start}-{start + 99}")
        assert status == 502 or len(body) == 100
    except aiohttp.ClientError:
        pass
    await asyncio.sleep(0.2)
    assert huge.counters().total_blob_bytes < HUGE // 2


@pytest.mark.parametrize(
    ("url", "code", "status"),
    [
        (at("nope"), "EntryNotFound", 404),
        (at("sub dir"), "EntryNotFound", 404),
        (at("x", "nope"), "RevisionNotFound", 404),
        (at("x", repo_id="org/nope"), "RepoNotFound", 401),
        (at("config.json", repo_id="org/gated"), "GatedRepo", 401),
        (f"{P}/org/repo/resolve/main/..%2Fx", "EntryNotFound", 404),
        (f"{P}/org/repo/resolve/a..b/x", "RevisionNotFound", 404),
        (f"{P}/org/re--po/resolve/main/x", "RepoNotFound", 404),
        (f"{P}/org/repo/resolve/main", "EntryNotFound", 404),
        (f"{P}/org/repo/blob/main/x", "EntryNotFound", 404),
        (f"{P}/api/models/org/repo/xet-read-token/main", "NotSupported", 404),
        (f"{P}/api/models/org/repo/jwt", "NotSupported", 404),
        (f"{P}/org/repo.git/info/refs?service=git-upload-pack", "NotSupported", 403),
    ],
    ids=str,
)
async def test_refusals_are_said_in_the_hubs_form(
    serving: Serving, hub: FixtureHub, url: URL | str, code: str, status: int
) -> None:
    client = await serving()
    for method in ("GET", "HEAD"):
        answer = await get(client, url, method)
        assert (answer[0], answer[1]["X-Error-Code"]) == (status, code)
        assert answer[1]["X-Error-Message"]
    assert ("X-Repo-Commit" in answer[1]) == (url in (at("nope"), at("sub dir")))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
async def test_other_methods_are_not_offered(serving: Serving, method: str) -> None:
    client = await serving()
    assert (await get(client, at("config.json"), method))[0] == 405
