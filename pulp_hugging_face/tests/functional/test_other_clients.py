"""The request patterns of clients that are not written in Python (hub-protocol §1.8, §2)."""

import json

import pytest

from . import wire
from .caches import Cache, fresh_repo
from .upstream_log import asked


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


def test_javascript_asks_for_one_byte_and_then_for_all(hub, cache):
    """@huggingface/hub: fileDownloadInfo, then downloadFile; both GET the resolve URL."""
    repo_id = fresh_repo(hub)
    for path in ("config.json", "small.bin", "large.bin"):
        file = hub.file(repo_id, path)
        target = f"/{repo_id}/resolve/main/{path}"
        accept = "application/vnd.xet-fileinfo+json, */*"
        probe = wire.ask(cache.url, target, headers={"Range": "bytes=0-0", "Accept": accept})
        assert (probe.status, len(probe.body)) == (206, 1)
        assert probe.headers["content-range"] == f"bytes 0-0/{file.size}"
        assert probe.headers["etag"] == f'"{file.etag}"'
        assert cache.get(target, accept=accept).body == hub.bytes_of(repo_id, path)


def test_javascript_writes_revisions_raw_in_tree_and_json_in_paths_info(hub, cache):
    listing = cache.get("/api/models/org/repo/tree/refs/pr/1?recursive=true")
    assert "sub dir/pr.txt" in {entry["path"] for entry in json.loads(listing.body)}
    info = cache.get("/api/models/org/repo/revision/HEAD?expand[]=sha&expand[]=siblings")
    assert json.loads(info.body)["sha"] == hub.sha("org/repo")
    body = json.dumps({"paths": ["config.json"], "expand": True}).encode()
    headers = {"Content-Type": "application/json"}
    reply = wire.ask(cache.url, "/api/models/org/repo/paths-info/main", "POST", headers, body)
    assert [entry["path"] for entry in json.loads(reply.body)] == ["config.json"]


def test_rust_asks_for_one_byte_and_reads_metadata_from_it(hub, cache):
    """hf-hub 0.3 to 0.5: etag, commit and Content-Range must be on the very first answer."""
    for path in ("config.json", "model.safetensors"):
        file = hub.file("org/repo", path)
        reply = cache.get(f"/org/repo/resolve/main/{path}", range="bytes=0-0")
        assert reply.status == 206
        assert reply.headers.get("x-linked-etag", reply.headers["etag"]) == f'"{file.etag}"'
        assert reply.headers["x-repo-commit"] == hub.sha("org/repo")
        assert reply.headers["content-range"].rpartition("/")[2] == str(file.size)


def test_llama_cpp_lists_refs_and_the_tree_of_a_commit(hub, cache):
    refs = json.loads(cache.get("/api/models/org/gguf/refs").body)
    main = next(ref for ref in refs["branches"] if ref["name"] == "main")
    sha = main["targetCommit"]
    assert sha == hub.sha("org/gguf")
    listing = json.loads(cache.get(f"/api/models/org/gguf/tree/{sha}?recursive=true").body)
    weights = next(entry for entry in listing if entry["path"].endswith(".gguf"))
    assert weights["type"] == "file"
    assert weights["lfs"]["oid"] == hub.file("org/gguf", weights["path"]).sha256
    reply = cache.get(f"/org/gguf/resolve/{sha}/{weights['path']}")
    assert reply.body == hub.bytes_of("org/gguf", weights["path"])


def test_safetensors_metadata_is_read_by_ranges(hub, cache):
    target = "/org/repo/resolve/main/model.safetensors"
    head = cache.get(target, range="bytes=0-100000")
    truth = hub.bytes_of("org/repo", "model.safetensors")
    assert (head.status, head.body) == (206, truth[:100_001])
    length = int.from_bytes(truth[:8], "little")
    assert cache.get(target, range=f"bytes=8-{7 + length}").body == truth[8 : 8 + length]


def test_browsers_may_ask(cache):
    """transformers.js: a preflight, and answers that a page may read."""
    headers = {"Origin": "https://page.test", "Access-Control-Request-Method": "GET",
               "Access-Control-Request-Headers": "range, authorization"}  # fmt: skip
    reply = wire.ask(cache.url, "/org/repo/resolve/main/config.json", "OPTIONS", headers)
    assert reply.status in (200, 204)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "range" in reply.headers["access-control-allow-headers"].lower()
    for target in ("/org/repo/resolve/main/config.json", "/org/repo/resolve/main/nope"):
        assert cache.get(target).headers["access-control-allow-origin"] == "*"


def test_http_1_0_and_closing_connections(hub, cache):
    reply = cache.get("/org/repo/resolve/main/config.json", connection="close")
    assert reply.body == hub.bytes_of("org/repo", "config.json")


def test_the_first_call_of_newer_clients_is_answered(cache):
    reply = cache.get("/api/agent-harnesses")
    assert reply.status == 200 and isinstance(json.loads(reply.body), dict)


def test_telemetry_is_taken_and_dropped(hub, cache):
    assert cache.head("/api/telemetry/examples").status == 200
    assert asked(hub) == []
