"""Reads that the upstream answers: the same content, on our own addresses, without Xet."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from django.db.models import F
from yarl import URL

from pulp_hugging_face.app.models import KnownAnswer
from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, FixtureHub, repo

from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

ENDPOINT = f"http://pulp.test:24816{P}"
READS = [
    "models",
    "models?limit=3",
    "models?search=repo&limit=2&full=true",
    "models?author=org&sort=lastModified&direction=-1&limit=5&cardData=true",
    "models?filter=pytorch&filter=en&expand=likes&expand=downloads",
    "datasets?limit=2&full=True",
    "spaces?limit=1",
    "models-tags-by-type",
    "datasets-tags-by-type",
    "models/org/repo/commits/main",
    "models/org/repo/commits/main?limit=1",
    "models/org/repo/commits/refs%2Fpr%2F1?expand[]=formatted",
    "datasets/org/ds/commits/main?limit=1&p=1",
    "models/solo/commits/main",
    "models/org/repo/tree/main?expand=true",
    "models/org/repo/tree/main?recursive=true&expand=True",
    "models/org/repo/tree/main/sub%20dir?expand=true",
    "models/org/many/tree/main?expand=true&limit=7",
    "models/org/repo?blobs=true&securityStatus=true",
    "models/org/repo?expand=likes&expand=sha&expand[]=tags",
    "models/org/repo?expand=downloadsAllTime&expand=trendingScore&expand=likes",
    "models/org/repo/revision/v1?expand=safetensors&expand=siblings",
    "models/org/repo?unknown=1&full=true",
    "models/org/links",
    "datasets/org/tables/parquet",
    "datasets/org/tables/parquet/default/train",
    "models/org/mixture/discussions",
    "kernels/kernels-org/activation",
    "kernels/kernels-org/activation/tree/main?recursive=true",
    "kernels/kernels-org/activation/refs",
]


async def truth(hub: FixtureHub, target: str, token: str | None = None) -> tuple[int, Any, Any]:
    """What the Hub itself answers, as it must look on our own endpoint."""
    url = URL(f"{hub.url}/api/{target}", encoded=True)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        text = (await answer.text()).replace(hub.url, ENDPOINT)
        return answer.status, answer.headers, cleaned(json.loads(text), hub.cdn_url)


def cleaned(value: Any, cdn: str) -> Any:
    if isinstance(value, dict):
        return {k: cleaned(v, cdn) for k, v in value.items() if k not in ("xetHash", "xetEnabled")}
    if isinstance(value, list):
        return [cleaned(item, cdn) for item in value]
    return None if isinstance(value, str) and value.startswith(cdn) else value


def sorted_entries(data: Any) -> Any:
    """A listing in one order: ours is that of git, which the Hub's mostly is."""
    if isinstance(data, dict) and "siblings" in data:
        return {**data, "siblings": sorted(data["siblings"], key=lambda item: item["rfilename"])}
    if isinstance(data, list) and data and "path" in data[0]:
        return sorted(data, key=lambda item: item["path"])
    return data


async def ask(client: Client, target: str, token: str | None = None) -> tuple[int, Any, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await get(client, f"{P}/api/{target}", **headers)


@pytest.mark.parametrize("target", READS)
async def test_reads_are_those_of_the_hub(serving: Serving, hub: FixtureHub, target: str) -> None:
    client = await serving()
    status, headers, body = await ask(client, target)
    true_status, true_headers, true_data = await truth(hub, target)
    assert (status, true_status) == (200, 200)
    assert sorted_entries(json.loads(body)) == sorted_entries(true_data)
    assert headers.get("X-Total-Count") == true_headers.get("X-Total-Count")
    assert ("Link" in headers) == ("Link" in true_headers)
    for text in (body.decode(), str(headers)):
        assert hub.url not in text and hub.cdn_url not in text
        assert "xet" not in text.lower()


@pytest.mark.parametrize(
    "target",
    ["models?limit=4", "models/org/repo/commits/main?limit=1",
     "models/org/many/tree/main?expand=true&recursive=true&limit=50"],
)  # fmt: skip
async def test_pages_lead_over_our_own_endpoint(
    serving: Serving, hub: FixtureHub, target: str
) -> None:
    client, ours, theirs, following = await serving(), [], [], target
    for _ in range(40):
        _, headers, body = await ask(client, following)
        ours += json.loads(body)
        if "Link" not in headers:
            break
        link = headers["Link"]
        assert link.startswith(f"<{ENDPOINT}/api/") and link.endswith('>; rel="next"')
        following = link.partition("/api/")[2].partition(">")[0]
    following = target
    while following:
        _, true_headers, true_data = await truth(hub, following)
        theirs += true_data
        following = true_headers.get("Link", "").partition("/api/")[2].partition(">")[0]
    assert ours == theirs and len(ours) > 2


@pytest.mark.parametrize("target", READS)
async def test_reads_go_on_without_the_hub(serving: Serving, hub: FixtureHub, target: str) -> None:
    client = await serving(metadata_ttl=0)
    before = await ask(client, target)
    hub.stop()
    try:
        status, headers, body = await ask(client, target)
    finally:
        hub.start()
    assert (status, body) == (before[0], before[2])
    assert headers["X-HF-Warning"].startswith("stale;")
    assert "X-HF-Warning" not in before[1]


async def test_an_answer_is_asked_for_once_while_it_is_fresh(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving()
    for target in ("models?limit=2", "models/org/repo/commits/main", "models-tags-by-type"):
        await ask(client, target)
        hub.reset()
        await ask(client, target)
        assert hub.counters().requests == 0


async def test_whoami_is_about_the_callers_own_token(serving: Serving, hub: FixtureHub) -> None:
    for fields in ({}, {"hf_token": OWNER_TOKEN}):
        client = await serving(**fields)
        for token in (OWNER_TOKEN, NOBODY_TOKEN, OWNER_TOKEN):
            status, _, body = await ask(client, "whoami-v2", token)
            assert (status, json.loads(body)) == (await truth(hub, "whoami-v2", token))[::2]
        status, headers, _ = await ask(client, "whoami-v2")
        assert status == 401 and headers["X-Error-Message"]


@pytest.mark.parametrize(
    "target",
    ["settings/webhooks", "notifications", "settings/billing/usage", "jobs/owner",
     "models/org/priv/user-access-request/pending", "buckets/me", "buckets/owner/vault/settings"],
)  # fmt: skip
async def test_a_shared_token_shows_nothing_of_its_owner(
    serving: Serving, hub: FixtureHub, target: str
) -> None:
    client = await serving(hf_token=OWNER_TOKEN)
    hub.reset()
    for token in (None, NOBODY_TOKEN):
        status, _, _ = await ask(client, target, token)
        assert status in (401, 403, 404)
    assert all(entry.authorization is None for entry in hub.log())


@pytest.mark.parametrize("name", ["logs", "tree", "refs", "parquet", "raw", "resolve"])
async def test_a_repository_may_be_called_as_a_verb_or_a_marker(
    serving: Serving, hub: FixtureHub, name: str
) -> None:
    hub.declare(repo(f"org/{name}", {"a.txt": "a\n"}, private=True))
    client, sha = await serving(hf_token=OWNER_TOKEN), hub.sha(f"org/{name}")
    base = f"models/org/{name}"
    targets = [f"{base}/revision/main", f"{base}/tree/main", f"{base}/refs"]
    # These two may stand alone behind a legacy id.
    for target in targets if name in ("refs", "parquet") else [base, *targets]:
        status, _, body = await ask(client, target)
        assert status == 200 and (sha in body.decode() or "a.txt" in body.decode()), target
    assert (await get(client, f"{P}/org/{name}/resolve/main/a.txt"))[::2] == (200, b"a\n")


async def test_one_callers_answers_are_not_anothers(serving: Serving, hub: FixtureHub) -> None:
    client = await serving(token_mode="client")
    targets = ("models?author=org", "models/org/priv/commits/main", "models/org/priv/discussions")
    for target in targets:
        shown = await ask(client, target, OWNER_TOKEN)
        assert shown[0] == 200 and (b"org/priv" in shown[2] or "org/priv" in target)
        for token in (None, NOBODY_TOKEN):
            status, _, body = await ask(client, target, token)
            assert status == (await truth(hub, target, token))[0] or "org/priv/" in target
            assert b"org/priv" not in body.lower()
    hub.stop()
    try:
        for target in targets:
            assert (await ask(client, target, OWNER_TOKEN))[0] == 200
            for token in (None, NOBODY_TOKEN):
                status, _, body = await ask(client, target, token)
                assert status != 200 or b"org/priv" not in body
    finally:
        hub.start()


async def test_what_only_a_token_was_shown_counts_as_long_as_a_grant_without_the_hub(
    serving: Serving, hub: FixtureHub, settings: Any
) -> None:
    settings.HUGGING_FACE_GRANT_MAX_AGE = 3600
    shared = await serving(hf_token=OWNER_TOKEN)
    own, nobodys = await serving(token_mode="client"), await serving()
    known = [(shared, "models/org/mixture/discussions", None), (nobodys, "models?author=org", None)]
    closed = [
        (shared, "models/org/priv/discussions", None),
        (shared, "models?author=org", None),
        (own, "models/org/priv/discussions", OWNER_TOKEN),
        (own, "models?author=org", OWNER_TOKEN),
        (own, "whoami-v2", OWNER_TOKEN),
    ]
    await ask(shared, "models/org/mixture")  # so that it is known to be public
    for client, target, token in known + closed:
        assert (await ask(client, target, token))[0] == 200
    hub.stop()
    await asyncio.to_thread(age_answers, 3500)
    for client, target, token in known + closed:
        assert (await ask(client, target, token))[0] == 200, target
    await asyncio.to_thread(age_answers, 200)
    for client, target, token in known:
        assert (await ask(client, target, token))[0] == 200, target
    for client, target, token in closed:
        status, headers, _ = await ask(client, target, token)
        assert (status, headers["X-Error-Code"]) == (502, "UpstreamUnavailable"), target


def age_answers(seconds: float) -> None:
    then = timedelta(seconds=seconds)
    KnownAnswer.objects.update(checked_at=F("checked_at") - then)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/api/repos/create", "/api/models/org/repo/commit/main", "/api/models/org/repo",
     "/api/models/org/repo/discussions/1/merge", "/org/repo.git/info/lfs/objects/batch"],
)  # fmt: skip
async def test_writes_are_refused_and_reach_nobody(
    serving: Serving, hub: FixtureHub, method: str, path: str
) -> None:
    client = await serving(token_mode="client")
    hub.reset()
    status, headers, body = await get(
        client, P + path, method, Authorization=f"Bearer {OWNER_TOKEN}"
    )
    assert (status, headers["X-Error-Code"]) == (403, "ReadOnly")
    assert json.loads(body)["error"] == headers["X-Error-Message"]
    assert hub.counters().requests == 0


async def test_a_method_that_no_file_has_is_refused(serving: Serving) -> None:
    client = await serving()
    status, headers, _ = await get(client, f"{P}/org/repo/resolve/main/config.json", "PUT")
    assert status == 405 and headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_yaml_is_taken_for_valid(serving: Serving) -> None:
    client = await serving()
    async with client.post(f"{P}/api/validate-yaml", json={"content": "x"}) as answer:
        assert answer.status == 200
        assert await answer.json() == {"errors": [], "warnings": []}


async def test_the_right_to_files_is_told(serving: Serving, hub: FixtureHub) -> None:
    client = await serving(token_mode="client")
    cases = [
        ("org/repo", None, 200, None),
        ("org/priv", OWNER_TOKEN, 200, None),
        ("org/priv", NOBODY_TOKEN, 404, "RepoNotFound"),
        ("org/priv", None, 401, "RepoNotFound"),
        ("org/gated", OWNER_TOKEN, 200, None),
        ("org/gated", NOBODY_TOKEN, 403, "GatedRepo"),
        ("org/gated", None, 401, "GatedRepo"),
    ]
    for repo_id, token, status, code in cases:
        answer = await ask(client, f"models/{repo_id}/auth-check", token)
        assert (answer[0], answer[1].get("X-Error-Code")) == (status, code), (repo_id, token)
    answer = await ask(client, "models/org/repo/auth-check/write", OWNER_TOKEN)
    assert (answer[0], answer[1]["X-Error-Code"]) == (403, "ReadOnly")


async def test_raw_files_are_what_git_holds(serving: Serving, hub: FixtureHub) -> None:
    client = await serving()
    for path in ("config.json", "model.safetensors", "empty.txt"):
        url = f"{hub.url}/org/repo/raw/main/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            pointer = await answer.read()
        status, head, _ = await get(client, f"{P}/org/repo/raw/main/{path}", "HEAD")
        assert (status, head["Content-Length"]) == (200, str(len(pointer)))
        status, headers, body = await get(client, f"{P}/org/repo/raw/main/{path}")
        assert (status, body) == (200, pointer)
        assert headers["ETag"] == head["ETag"] == f'"{hub.file("org/repo", path).oid}"'
        assert headers["X-Repo-Commit"] == hub.sha("org/repo")
        assert "X-Linked-Size" not in headers
    status, headers, body = await get(
        client, f"{P}/org/repo/raw/main/model.safetensors", Range="bytes=8-14"
    )
    assert (status, body) == (206, b"https:/")
    status, headers, _ = await get(client, f"{P}/org/repo/raw/main/nope")
    assert (status, headers["X-Error-Code"]) == (404, "EntryNotFound")


async def test_redirects_of_the_api_stay_below_the_endpoint(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving()
    status, headers, _ = await ask(client, "datasets/org/tables/parquet/default/train/0.parquet")
    assert status in (302, 307)
    assert headers["Location"].startswith(f"{P}/datasets/org/tables/resolve/refs%2Fconvert")
    status, headers, body = await get(client, headers["Location"])
    assert status == 200 and body[:4] == b"PAR1"


async def test_error_messages_name_no_address(serving: Serving, hub: FixtureHub) -> None:
    client = await serving(token_mode="client")
    status, headers, body = await get(
        client,
        f"{P}/org/gated/resolve/main/config.json",
        Authorization=f"Bearer {NOBODY_TOKEN}",
    )
    assert (status, headers["X-Error-Code"]) == (403, "GatedRepo")
    assert "Visit org/gated on the Hub" in headers["X-Error-Message"]
    assert hub.url not in str(headers) + body.decode()


async def test_an_expanded_listing_goes_on_plainly_when_the_hub_goes_away(
    serving: Serving, hub: FixtureHub
) -> None:
    """Between two pages: nothing is left out, and nothing comes twice."""
    client = await serving()
    target = "models/org/many/tree/main?recursive=true&expand=true&limit=50"
    await ask(client, "models/org/many/tree/main?recursive=true")
    _, headers, body = await ask(client, target)
    items = json.loads(body)
    hub.stop()
    try:
        while "Link" in headers:
            following = headers["Link"].partition("/api/")[2].partition(">")[0]
            status, headers, body = await ask(client, following)
            assert status == 200 and headers["X-HF-Warning"]
            items += json.loads(body)
    finally:
        hub.start()
    files = sorted(item["path"] for item in items if item["type"] == "file")
    assert files == sorted(hub.manifest("org/many"))
    assert "lastCommit" in items[0] and "lastCommit" not in items[-1]


async def test_that_there_is_no_such_file_may_be_out_of_date_too(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving(metadata_ttl=0)
    url, pinned = (
        f"{P}/org/repo/resolve/main/nope",
        f"{P}/org/repo/resolve/{hub.sha('org/repo')}/nope",
    )
    assert "X-HF-Warning" not in (await get(client, url))[1]
    hub.stop()
    try:
        status, headers, _ = await get(client, url)
        _, lasting, _ = await get(client, pinned)
    finally:
        hub.start()
    assert (status, headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert headers["X-HF-Warning"].startswith("stale;") and "X-HF-Warning" not in lasting


@pytest.mark.parametrize("target", ["/tree/main?expand=true", "/commits/main?limit=9",
                                    "?expand=downloadsAllTime"])  # fmt: skip
async def test_a_rename_that_was_not_noticed_yet_changes_nothing_about_a_commit(
    serving: Serving, hub: FixtureHub, target: str
) -> None:
    client = await serving()
    hub.declare(repo("org/to-be-renamed", {"config.json": "{}\n", "sub/b.txt": "b\n"}))
    assert (await ask(client, "models/org/to-be-renamed"))[0] == 200
    hub.rename_repo("org/to-be-renamed", "org/renamed-since")
    status, headers, body = await ask(client, f"models/org/to-be-renamed{target}")
    assert status == 200 and "X-HF-Warning" not in headers
    _, _, expected = await truth(hub, f"models/org/renamed-since{target}")
    data = json.loads(body)
    if isinstance(expected, dict):
        data, expected = data["downloadsAllTime"], expected["downloadsAllTime"]
    assert data == expected
