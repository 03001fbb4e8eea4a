"""Revisions, odd file names and legacy ids, in every form clients write them."""

import json
from urllib.parse import quote

import pytest

from . import wire
from .caches import Cache, fresh_repo


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


REVISIONS = {
    "main": ("org/repo", "config.json", "model"),
    "dev": ("org/repo", "config.json", "model"),
    "v1": ("org/repo", "config.json", "model"),
    "feat/x": ("org/repo", "feature.txt", "model"),
    "refs/pr/1": ("org/repo", "sub dir/pr.txt", "model"),
    "refs/convert/parquet": ("org/ds", "default/train/0000.parquet", "dataset"),
}
ODD_NAMES = [
    "sub dir/é #1.txt",
    "fi le#1?%41.txt",
    "%2F.txt",
    "日本語/モデル.txt",
    "a+b&c=d;e.txt",
    "one/two/three/four/five.txt",
    "run.sh",
]


def test_clients_get_every_kind_of_revision(hub, machine):
    wanted = {
        revision: {"repo_id": repo, "filename": path, "repo_type": kind, "revision": revision}
        for revision, (repo, path, kind) in REVISIONS.items()
    }
    wanted["sha"] = {
        "repo_id": "org/repo", "filename": "README.md", "revision": hub.sha("org/repo", "main~1"),
    }  # fmt: skip
    got = machine.do("downloads", wanted=wanted)
    for name, ask in wanted.items():
        kind, revision = ask.get("repo_type", "model"), ask["revision"]
        file = hub.file(ask["repo_id"], ask["filename"], revision, kind)
        assert got[name]["sha256"] == file.sha256, name
        assert got[name]["commit"] == hub.sha(ask["repo_id"], revision, kind), name


def test_clients_get_files_with_odd_names(hub, machine):
    wanted = {path: {"repo_id": "org/repo", "filename": path} for path in ODD_NAMES}
    got = machine.do("downloads", wanted=wanted)
    assert {path: got[path]["sha256"] for path in ODD_NAMES} == {
        path: hub.file("org/repo", path).sha256 for path in ODD_NAMES
    }


@pytest.mark.parametrize("path", ODD_NAMES)
def test_odd_names_in_a_raw_path(hub, cache, path):
    reply = cache.get(f"/org/repo/resolve/main/{quote(path, safe='/')}")
    assert reply.body == hub.bytes_of("org/repo", path)


HOSTILE_NAMES = [
    'quote".txt',
    "back\\slash.txt",
    "tab\tname.txt",
    "line\r\nX-Evil: 1.txt",
    "%0d%0aX-Evil: 1.txt",
    "emoji 😀.txt",
    ".hidden",
    " leading and trailing ",
    "semi;colon, comma'.txt",
    "<script>alert(1)</script>.html",
    "resolve/main/tree/main.txt",
    "api/models/x.txt",
    "..hidden/...",
    "~user/$HOME/`id`",
    "/".join(["deep"] * 60) + "/end.txt",
    "long-" + "x" * 200,
]


def test_hostile_names_are_names_like_others(hub, cache):
    """Headers are not to be broken out of, nor routes to be confused."""
    repo_id = fresh_repo(hub, {name: f"content of {n}\n" for n, name in enumerate(HOSTILE_NAMES)})
    for name in HOSTILE_NAMES:
        # The fixture cannot send the bytes of a name with line breaks.
        methods = ["HEAD"] if "\n" in name else ["HEAD", "GET"]
        for method in methods:
            target = f"/{repo_id}/resolve/main/{quote(name, safe='/')}"
            reply = wire.ask(cache.url, target, method)
            assert reply.status == 200, name
            assert "x-evil" not in reply.headers, name
            assert reply.headers["etag"] == f'"{hub.file(repo_id, name).oid}"', name
            assert reply.headers["content-disposition"].count('"') == 2, name
        if "GET" in methods:
            assert reply.body == hub.bytes_of(repo_id, name), name
        assert "html" not in reply.headers["content-type"], name
    listing = cache.get(f"/api/models/{repo_id}/tree/main?recursive=true")
    paths = {entry["path"] for entry in json.loads(listing.body) if entry["type"] == "file"}
    assert paths == set(HOSTILE_NAMES)


def test_letter_case_of_an_id_is_corrected_by_a_redirect(cache):
    reply = cache.get("/ORG/Repo/resolve/main/config.json")
    assert reply.status == 307
    assert reply.headers["location"].endswith("/org/repo/resolve/main/config.json")


def test_every_character_of_a_name_may_be_encoded(hub, cache):
    everything = "".join(f"%{byte:02x}" for byte in b"config.json")
    reply = cache.get(f"/org/repo/resolve/main/{everything}")
    assert reply.body == hub.bytes_of("org/repo", "config.json")


def test_unencoded_utf8_in_a_request_line_is_a_clean_400(cache):
    """It is no HTTP (RFC 9112 §3.2): the parser of aiohttp refuses it before we are asked."""
    assert cache.get("/org/repo/resolve/main/日本語/モデル.txt").status == 400


@pytest.mark.parametrize("revision", ["refs/pr/1", "refs%2Fpr%2F1", "refs%2fpr%2f1"])
def test_pull_requests_encoded_and_raw(hub, cache, revision):
    reply = cache.get(f"/org/repo/resolve/{revision}/sub%20dir/pr.txt")
    assert reply.body == hub.bytes_of("org/repo", "sub dir/pr.txt", "refs/pr/1")
    assert reply.headers["x-repo-commit"] == hub.sha("org/repo", "refs/pr/1")
    listing = cache.get(f"/api/models/org/repo/tree/{revision}/sub%20dir")
    assert listing.status == 200 and "pr.txt" in listing.text


@pytest.mark.parametrize("revision", ["refs/convert/parquet", "refs%2Fconvert%2Fparquet"])
def test_converts_encoded_and_raw(hub, cache, revision):
    path = "default/train/0000.parquet"
    reply = cache.get(f"/datasets/org/ds/resolve/{revision}/{path}")
    assert reply.body == hub.bytes_of("org/ds", path, "refs/convert/parquet", "dataset")


def test_a_branch_with_a_slash(hub, cache):
    reply = cache.get("/org/repo/resolve/feat%2Fx/feature.txt")
    assert reply.body == hub.bytes_of("org/repo", "feature.txt", "feat/x")
    assert cache.get("/api/models/org/repo/revision/feat%2Fx").status == 200


@pytest.mark.parametrize("revision", ["HEAD", "refs%2Fheads%2Fmain", "refs/heads/main"])
def test_other_names_of_the_default_branch(hub, cache, revision):
    reply = cache.get(f"/org/repo/resolve/{revision}/config.json")
    assert reply.headers.get("x-repo-commit") == hub.sha("org/repo")
    info = cache.get(f"/api/models/org/repo/revision/{revision}")
    assert info.status == 200 and hub.sha("org/repo") in info.text


def test_clients_use_legacy_and_renamed_ids(hub, machine):
    wanted = {
        "gpt2": {"repo_id": "gpt2", "filename": "config.json"},
        "lfs": {"repo_id": "gpt2", "filename": "model.safetensors"},
        "nested": {"repo_id": "gpt2", "filename": "onnx/config.json"},
        "solo": {"repo_id": "solo", "filename": "solo.bin"},
        "renamed": {"repo_id": "old-org/renamed", "filename": "config.json"},
        "dataset": {"repo_id": "ds-legacy", "filename": "data/test.csv", "repo_type": "dataset"},
    }
    real = {"gpt2": "openai-community/gpt2", "old-org/renamed": "org/repo", "ds-legacy": "org/ds"}
    got = machine.do("downloads", wanted=wanted)
    for name, ask in wanted.items():
        repo_id = real.get(ask["repo_id"], ask["repo_id"])
        file = hub.file(repo_id, ask["filename"], type=ask.get("repo_type", "model"))
        assert got[name]["sha256"] == file.sha256, name


def test_a_snapshot_of_a_legacy_id_is_complete(hub, machine):
    expected = {p: file.sha256 for p, file in hub.manifest("openai-community/gpt2").items()}
    assert machine.do("snapshot", repo_id="gpt2") == expected


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/gpt2/resolve/main/config.json?a=b%20c&d",
         "/openai-community/gpt2/resolve/main/config.json?a=b%20c&d"),
        ("/api/models/gpt2", "/api/models/openai-community/gpt2"),
        ("/api/models/gpt2/tree/main?recursive=True&expand=False",
         "/api/models/openai-community/gpt2/tree/main?recursive=True&expand=False"),
        ("/old-org/renamed/resolve/refs%2Fpr%2F1/sub%20dir/pr.txt",
         "/org/repo/resolve/refs%2Fpr%2F1/sub%20dir/pr.txt"),
        ("/datasets/ds-legacy/resolve/main/README.md", "/datasets/org/ds/resolve/main/README.md"),
    ],
)  # fmt: skip
def test_the_redirect_of_a_moved_repository_is_a_path_with_prefix_and_query(cache, asked, target):
    """A host in it breaks clients up to 1.29, a lost prefix all, a lost query listings (§1.2)."""
    for method in ("HEAD", "GET"):
        reply = wire.ask(cache.url, asked, method)
        assert reply.status == 307
        assert reply.headers["location"] == f"/pulp/content/{cache.base_path}{target}"


def test_double_slashes_of_an_endpoint_with_a_trailing_slash_are_collapsed(hub, cache):
    reply = cache.get("//api/models/org/repo")
    assert reply.status == 200 and hub.sha("org/repo") in reply.text
    assert cache.get("//org/repo/resolve/main/config.json").good
