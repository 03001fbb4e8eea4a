"""Conformance matrix C53: @huggingface/hub under Node.js, with `hubUrl` as its only setting."""

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from . import wire
from .caches import Cache
from .clients.machine import JavascriptMachine, Tour
from .clients.record import shorts
from .clients.venvs import JAVASCRIPT

REPO = {"repo": "org/repo"}
DATASET = {"repo": {"type": "dataset", "name": "org/ds"}}


def steps(hub: FixtureHub) -> dict:
    priv = {"repo": "org/priv", "path": "config.json"}
    return {
        "config": ("download", {**REPO, "path": "config.json"}),
        "lfs": ("download", {**REPO, "path": "model.safetensors"}),
        "spaces and accents": ("download", {**REPO, "path": "日本語/モデル.txt"}),
        "hash in a name": ("download", {**REPO, "path": "sub dir/é #1.txt"}),
        "empty": ("download", {**REPO, "path": "empty.txt"}),
        "missing": ("download", {**REPO, "path": "nope.json"}),
        "pull request": ("download", {**REPO, "path": "sub dir/pr.txt", "revision": "refs/pr/1"}),
        "dataset": ("download", {**DATASET, "path": "data/train.csv"}),
        "legacy": ("download", {"repo": "gpt2", "path": "model.safetensors"}),
        "slice": ("slice", {"repo": "org/big", "path": "big.bin", "start": 10**6,
                            "end": 10**6 + 9}),
        "gated": ("download", {"repo": "org/gated", "path": "config.json"}),
        "private": ("download", priv),
        "owned": ("download", {**priv, "accessToken": OWNER_TOKEN}),
        "download info": ("fileDownloadInfo", {**REPO, "path": "model.safetensors"}),
        "exists": ("fileExists", {**REPO, "path": "model.safetensors"}),
        "exists not": ("fileExists", {**REPO, "path": "nope"}),
        "repo exists": ("repoExists", REPO),
        "repo exists not": ("repoExists", {"repo": "org/nope"}),
        "access": ("checkRepoAccess", REPO),
        "no access": ("checkRepoAccess", {"repo": "org/priv"}),
        "info": ("modelInfo", {"name": "org/repo", "additionalFields": ["sha", "filePaths"]}),
        "dataset info": ("datasetInfo", {"name": "org/ds", "additionalFields": ["sha"]}),
        "space info": ("spaceInfo", {"name": "org/space", "additionalFields": ["sdk"]}),
        "many": ("listFiles", {"repo": "org/many", "recursive": True}),
        "pull request's files": ("listFiles", {**REPO, "revision": "refs/pr/1", "recursive": True}),
        "paths": ("pathsInfo", {**REPO, "paths": ["config.json", "sub dir", "nope"],
                                "expand": True}),
        "commits": ("listCommits", {"repo": "org/history", "batchSize": 50}),
        "count": ("countCommits", {"repo": "org/history"}),
        "models": ("listModels", {"search": {"query": "shared-"}, "limit": 3}),
        "datasets": ("listDatasets", {"search": {"query": "ds-"}}),
        "who": ("whoAmI", {"accessToken": OWNER_TOKEN}),
        "safetensors": ("safetensors", {**REPO, "path": "model.safetensors"}),
        "snapshot": ("snapshot", {"repo": "openai-community/gpt2"}),
        "snapshot of a dataset": ("snapshot", DATASET),
    }  # fmt: skip


@pytest.fixture(scope="module")
def tour(hub_process: FixtureHub, common: Cache, tmp_path_factory) -> Tour:
    """All of the steps in one process of Node.js."""
    folder = tmp_path_factory.mktemp("javascript")
    return JavascriptMachine(JAVASCRIPT, folder, common.url).tour(steps(hub_process))


def sent(tour: Tour, name: str) -> list[str]:
    return shorts(tour[name].requests)


FILES = {
    "config": ("org/repo", "config.json"),
    "lfs": ("org/repo", "model.safetensors"),
    "spaces and accents": ("org/repo", "日本語/モデル.txt"),
    "pull request": ("org/repo", "sub dir/pr.txt", "refs/pr/1"),
    "dataset": ("org/ds", "data/train.csv", "main", "dataset"),
    "legacy": ("openai-community/gpt2", "model.safetensors"),
    "owned": ("org/priv", "config.json"),
}


@pytest.mark.matrix("C53")
@pytest.mark.parametrize("name", FILES)
def test_files(hub, tour, name):
    file = hub.file(*FILES[name])
    assert tour.value(name) == {"sha256": file.sha256, "size": file.size}


@pytest.mark.matrix("C53")
def test_a_file_costs_a_first_byte_and_then_all(tour):
    target = "/org/repo/resolve/main/model.safetensors"
    assert sent(tour, "lfs") == [f"GET 206 {target}", f"GET 200 {target}"]
    probe, _ = tour["lfs"].requests
    assert probe.headers["range"] == "bytes=0-0"
    assert "vnd.xet-fileinfo+json" in probe.headers["accept"]


@pytest.mark.matrix("C53")
def test_a_part_of_a_file(hub, tour):
    truth = hub.bytes_of("org/big", "big.bin", start=10**6, length=9)
    assert bytes.fromhex(tour.value("slice")) == truth


@pytest.mark.matrix("C53")
def test_missing_files_are_null_and_refusals_are_errors(tour):
    assert tour.value("missing") is None
    assert (tour.error("gated").status, tour.error("private").status) == (401, 401)


@pytest.mark.matrix("C53")
def test_names_with_a_hash_are_beyond_this_client(tour):
    """It does not encode paths (§1.1): `#` and what follows never leave it, so nothing is found."""
    assert tour.value("hash in a name") is None
    assert sent(tour, "hash in a name") == ["GET 404 /org/repo/resolve/main/sub dir/é "]


@pytest.mark.matrix("C53")
def test_empty_files_are_beyond_this_client(hub, tour):
    """It asks every file for its first byte; an empty one has none (RFC 9110 §14.1.2)."""
    assert tour.error("empty").status == 416
    target = "/org/repo/resolve/main/empty.txt"
    assert wire.get(hub.url, target, range="bytes=0-0").status == 416


@pytest.mark.matrix("C53")
def test_information_about_a_file(hub, tour):
    file, info = hub.file("org/repo", "model.safetensors"), tour.value("download info")
    assert (info["etag"], info["size"], "xet" in info) == (f'"{file.sha256}"', file.size, False)
    assert tour.value("safetensors")["header"]["weight"]["shape"] == [750_000]


@pytest.mark.matrix("C53")
def test_existence_and_access(tour):
    names = ("exists", "exists not", "repo exists", "repo exists not")
    assert [tour.value(name) for name in names] == [True, False, True, False]
    assert sent(tour, "exists") == ["HEAD 200 /org/repo/raw/main/model.safetensors"]
    assert tour.value("access") is None
    assert tour.error("no access").status == 401


@pytest.mark.matrix("C53")
def test_information_about_repositories(hub, tour):
    info = tour.value("info")
    assert (info["name"], info["sha"]) == ("org/repo", hub.sha("org/repo"))
    assert set(info["filePaths"]) == set(hub.manifest("org/repo"))
    assert (info["private"], info["updatedAt"]) == (False, "2024-01-01T02:00:00.000Z")
    assert tour.value("dataset info")["sha"] == hub.sha("org/ds", type="dataset")
    assert tour.value("space info")["sdk"] == "gradio"
    assert tour.value("who")["name"] == "owner"


@pytest.mark.matrix("B30", "C53")
def test_a_listing_of_more_than_a_page(hub, tour):
    """A Link it does not like ends its listing silently (§2.5): all pages are here."""
    found = tour.value("many")
    assert len(found) == len(set(found)) == 1237
    assert set(hub.manifest("org/many")) <= set(found)
    assert len(tour["many"].requests) == 2


@pytest.mark.matrix("C53")
def test_a_listing_of_a_pull_request(tour):
    """Its revision comes unencoded: `tree/refs/pr/1`."""
    (request,) = tour["pull request's files"].requests
    assert request.target.partition("?")[0].endswith("/tree/refs/pr/1")
    assert "sub dir/pr.txt" in tour.value("pull request's files")


@pytest.mark.matrix("B32", "C53")
def test_entries_of_some_paths_with_their_last_commits(hub, tour):
    found = {item["path"]: item for item in tour.value("paths")}
    assert set(found) == {"config.json", "sub dir"}
    last = {"id": hub.sha("org/repo", "main~1"), "title": "Upload model",
            "date": "2024-01-01T01:00:00.000Z"}  # fmt: skip
    assert all(item["lastCommit"] == last for item in found.values())
    (request,) = tour["paths"].requests
    assert request.headers["content-type"] == "application/json"


@pytest.mark.matrix("B34", "C53")
def test_a_history(hub, tour):
    titles = [title for _, title in tour.value("commits")]
    assert titles == [f"Step {n}" for n in reversed(range(120))]
    assert tour.value("count") == 120


@pytest.mark.matrix("B37", "C53")
def test_lists(tour):
    assert set(tour.value("models")) == {"org/shared-a", "org/shared-b"}
    assert "org/ds-gated" in tour.value("datasets")


SNAPSHOTS = {
    "snapshot": ("openai-community/gpt2", "main", "model"),
    "snapshot of a dataset": ("org/ds", "main", "dataset"),
}


@pytest.mark.matrix("C53")
@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshots(hub, tour, name):
    files = hub.manifest(*SNAPSHOTS[name])
    assert tour.value(name) == {path: file.sha256 for path, file in files.items()}


@pytest.mark.matrix("E63", "E68")
def test_only_the_endpoint_is_contacted_and_always_with_its_prefix(tour):
    assert tour.hosts == {"127.0.0.1"}
    assert [request for request in tour.requests if request.path is None] == []
