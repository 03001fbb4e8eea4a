"""The API of a repository, and nothing in any answer that leads past us."""

import json

import pytest

from . import wire
from .caches import Cache, eventually, fresh_repo, random_file
from .clients.venvs import HUB_036
from .upstream_log import asked


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


def test_a_listing_of_more_than_a_page(hub, machine):
    expected = set(hub.manifest("org/many"))
    entries = machine.do("tree", repo_id="org/many", recursive=True)
    files = [path for path, size in entries if size is not None]
    assert len(entries) == 1237 and len(files) == len(set(files))
    assert set(files) == expected


def test_listings_of_directories(hub, machine):
    top = machine.do("tree", repo_id="org/repo")
    assert {path for path, _ in top} == {path.split("/")[0] for path in hub.manifest("org/repo")}
    inner = machine.do("tree", repo_id="org/repo", path_in_repo="sub dir", revision="refs/pr/1")
    assert {path for path, _ in inner} == {"sub dir/pr.txt", "sub dir/é #1.txt"}
    deep = machine.do("tree", repo_id="org/repo", path_in_repo="one", recursive=True)
    assert {path for path, _ in deep} >= {"one/two", "one/two.json", "one/two/three/four/five.txt"}


def test_every_page_is_linked_on_our_own_base_with_the_prefix(hub, cache):
    base, target = cache.url, "/api/models/org/many/tree/main?recursive=true&expand=false"
    seen: list[str] = []
    pages = 0
    while target:
        reply = cache.get(target)
        assert reply.status == 200
        seen += [entry["path"] for entry in json.loads(reply.body)]
        pages += 1
        link = reply.headers.get("link", "")
        assert link == "" or (link.startswith(f"<{base}/api/") and link.endswith('rel="next"'))
        target = link[1:].split(">")[0].removeprefix(base)
    assert pages == 2 and len(seen) == len(set(seen)) == 1237


def test_a_limit_makes_smaller_pages(hub, cache):
    reply = cache.get("/api/models/org/many/tree/main?recursive=true&limit=7")
    assert len(json.loads(reply.body)) == 7 and "link" in reply.headers


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "cursor=!!!", "cursor=e30="])
def test_nonsense_in_a_query_is_a_400(cache, query):
    reply = cache.get(f"/api/models/org/repo/tree/main?{query}")
    assert reply.status == 400 and reply.error_code


def test_tree_entries_have_the_hubs_own_shape(hub, cache):
    """Whole objects: oid, size and lfs as upstream; never a xetHash (rule 8)."""
    got = json.loads(cache.get("/api/models/org/repo/tree/main?recursive=true").body)
    with wire.connection(hub.url) as upstream:
        answer = upstream.ask("GET", "/api/models/org/repo/tree/main?recursive=true")
    expected = json.loads(answer.body)
    for entry in expected:
        entry.pop("xetHash", None)
    key = lambda entry: entry["path"]  # noqa: E731
    assert sorted(got, key=key) == sorted(expected, key=key)


def test_info_tells_commit_files_and_card(hub, machine):
    sha = hub.sha("org/repo")
    plain, whole, tagged = machine.outcomes(
        ("info", {"repo_id": "org/repo"}),
        ("info", {"repo_id": "org/repo", "files_metadata": True}),
        ("info", {"repo_id": "org/repo", "revision": "v1"}),
    )
    assert (plain["id"], plain["sha"]) == ("org/repo", sha)
    assert set(plain["siblings"]) == set(hub.manifest("org/repo"))
    assert whole["siblings"] == {p: file.size for p, file in hub.manifest("org/repo").items()}
    assert tagged["sha"] == hub.sha("org/repo", "v1")
    assert plain["modified"] == "2024-01-01T02:00:00+00:00"
    assert "fixture" in plain["tags"]


def test_info_of_dataset_and_space(hub, machine):
    for repo_id, kind in (("org/ds", "dataset"), ("org/space", "space")):
        got = machine.do("info", kind=kind, repo_id=repo_id)
        assert got["sha"] == hub.sha(repo_id, type=kind)
        assert set(got["siblings"]) == set(hub.manifest(repo_id, type=kind))


def test_expand_selects_keys(hub, cache):
    reply = cache.get("/api/models/org/repo?expand=sha&expand[]=siblings")
    data = json.loads(reply.body)
    assert set(data) <= {"_id", "id", "sha", "siblings"} and data["sha"] == hub.sha("org/repo")


def test_refs_of_all_kinds(hub, machine):
    got = machine.do("refs", repo_id="org/repo")
    names = ["refs/heads/main", "refs/heads/dev", "refs/heads/feat/x", "refs/tags/v1",
             "refs/pr/1", "refs/pr/2"]  # fmt: skip
    short = {name: name.removeprefix("refs/heads/").removeprefix("refs/tags/") for name in names}
    assert got == {name: hub.sha("org/repo", short[name]) for name in names}
    dataset = machine.do("refs", repo_id="org/ds", repo_type="dataset")
    assert "refs/convert/parquet" in dataset


def test_paths_info_by_form_and_by_json(hub, machine, cache):
    paths = ["config.json", "sub dir", "sub dir/é #1.txt", "nope"]
    assert machine.do("paths_info", repo_id="org/repo", paths=paths) == sorted(paths[:3])
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"paths": paths, "expand": False}).encode()
    reply = wire.ask(cache.url, "/api/models/org/repo/paths-info/main", "POST", headers, body)
    assert sorted(entry["path"] for entry in json.loads(reply.body)) == sorted(paths[:3])


def test_a_held_commit_answers_everything_without_the_upstream(hub, cache):
    sha = hub.sha("org/repo")
    assert cache.get(f"/api/models/org/repo/revision/{sha}").status == 200
    hub.reset()
    for target in (
        f"/api/models/org/repo/revision/{sha}",
        f"/api/models/org/repo/tree/{sha}?recursive=true",
        f"/api/models/org/repo/tree/{sha}/sub%20dir",
        f"/org/repo/resolve/{sha}/no-such-file",
    ):
        assert cache.get(target).status in (200, 404)
    assert cache.head(f"/org/repo/resolve/{sha}/model.safetensors").status == 200
    assert asked(hub) == []


EVERY_ANSWER = [
    "/org/repo/resolve/main/config.json",
    "/org/repo/resolve/main/model.safetensors",
    "/org/repo/resolve/main/nope",
    "/org/repo/resolve/nope/config.json",
    "/org/nope/resolve/main/config.json",
    "/org/gated/resolve/main/config.json",
    "/org/priv/resolve/main/config.json",
    "/gpt2/resolve/main/config.json",
    "/api/models/org/repo",
    "/api/models/org/repo?blobs=true&securityStatus=true",
    "/api/models/org/repo/revision/main",
    "/api/models/org/many/tree/main?recursive=true",
    "/api/models/org/repo/tree/main?recursive=true&expand=true",
    "/api/models/org/repo/refs?include_prs=1",
    "/api/models/org/repo/xet-read-token/main",
    "/api/models/org/disabled",
    "/api/datasets/org/ds",
    "/api/spaces/org/space",
    "/api/whoami-v2",
    "/api/models?search=org",
    "/nonsense",
    "/",
]


def scan(hub, reply: wire.Reply) -> list[str]:
    """Return what leads past us: addresses of the upstream, hints at Xet."""
    headers = "\n".join(f"{name}: {value}" for name, value in reply.headers.items())
    text = f"{headers}\n{reply.text}".lower()
    addresses = [hub.url, hub.cdn_url, "127.0.0.2", hub.url.removeprefix("http://")]
    return [hint for hint in (*addresses, "xet") if hint in text]


@pytest.mark.parametrize("target", EVERY_ANSWER)
def test_no_answer_names_the_upstream_or_xet(hub, cache, target):
    for method in ("GET", "HEAD"):
        reply = wire.ask(cache.url, target, method)
        if target.endswith("xet-read-token/main"):
            assert reply.status == 404
            continue
        assert scan(hub, reply) == [], reply.text[:500]


@pytest.mark.parametrize("status", [500, 503, 429, 403, 418])
def test_no_answer_in_trouble_names_the_upstream(hub, new_cache, status):
    cache = new_cache(max_retries=0)
    hub.fault("status", status=status, text=f"see {hub.url} or {hub.cdn_url}/signed")
    repo_id = fresh_repo(hub, {"a.bin": random_file(1000)})
    reply = cache.get(f"/{repo_id}/resolve/main/a.bin")
    assert reply.status >= 400 and scan(hub, reply) == []
    hub.clear_faults()
    hub.fault("status", status=status, origin="cdn", text=hub.cdn_url)
    answer = eventually(lambda: _unless_paused(cache, f"/{repo_id}/resolve/main/a.bin", status))
    assert answer.status >= 400 and scan(hub, answer) == []


def _unless_paused(cache, target: str, status: int) -> wire.Reply | None:
    """A refusal of the whole repository is remembered for a second: it says nothing of the CDN."""
    reply = cache.get(target)
    return None if reply.status == 403 and status == 403 else reply


def test_no_client_asks_for_xet(hub, new_machine, client_kind, cache):
    """All of them have hf_xet installed, and none is led to use it."""
    machine = new_machine(client_kind, cache)
    machine.do("snapshot", repo_id="org/repo")
    assert machine.do("versions")["hf_xet"]
    assert hub.counters().of("xet_token", "xet_cas") == 0
    if client_kind is not HUB_036:
        assert (
            machine.do("metadata", repo_id="org/repo", filename="model.safetensors")["xet"] is False
        )
