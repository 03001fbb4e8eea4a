"""Conformance matrix B: snapshots, listings and searches, by every version of huggingface_hub."""

import json

import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from .caches import Cache
from .clients.machine import Machine, Tour
from .clients.record import of_files, shorts
from .clients.venvs import ALL_HUBS, HUB_023, HUB_24, HUB_133

REPO = {"repo_id": "org/repo"}
PATHS = ["config.json", "sub dir", "nope"]
LISTS = {
    "search": {"kind": "models", "search": "a", "limit": 3},
    "author": {"kind": "models", "author": "openai-community"},
    "filter": {"kind": "models", "filter": ["fixture", "license:mit"]},
    "sorted": {"kind": "models", "sort": "last_modified", "limit": 2},
    "datasets": {"kind": "datasets", "search": "ds-", "limit": 3},
    "spaces": {"kind": "spaces", "author": "org", "search": "space", "limit": 3},
}


def steps(hub: FixtureHub) -> dict:
    sha = hub.sha("org/gguf")
    return {
        "snapshot": ("snapshot", REPO),
        "snapshot again": ("snapshot", REPO),
        "snapshot by sha": ("snapshot", {"repo_id": "org/gguf", "revision": sha}),
        "snapshot by sha again": ("snapshot", {"repo_id": "org/gguf", "revision": sha}),
        "legacy": ("snapshot", {"repo_id": "gpt2"}),
        "many": ("tree", {"repo_id": "org/many", "recursive": True}),
        "directory": ("tree", {**REPO, "path_in_repo": "sub dir", "revision": "refs/pr/1"}),
        "no directory": ("tree", {**REPO, "path_in_repo": "nope"}),
        "entries": ("entries", {**REPO, "paths": PATHS}),
        "refs": ("refs", REPO),
        "refs of a dataset": ("refs", {"repo_id": "org/ds", "repo_type": "dataset"}),
        "commits": ("commits", {"repo_id": "org/history", "formatted": True}),
        "info": ("info", REPO),
        "file infos": ("file_infos", REPO),
        "security": ("security", {"repo_id": "org/served"}),
        **{name: ("listed", arguments) for name, arguments in LISTS.items()},
        "exists": ("exists", {"what": "repo", "repo_id": "org/repo"}),
        "exists not": ("exists", {"what": "repo", "repo_id": "org/nope"}),
        "exists gated": ("exists", {"what": "repo", "repo_id": "org/gated"}),
        "no revision": ("exists", {**REPO, "what": "revision", "revision": "nope"}),
        "glob": ("glob", {"pattern": "datasets/org/ds/**/*.csv"}),
        "block": ("block", {"path": "org/big/big.bin", "start": 1_000_001, "length": 4}),
    }


# `expand` came with 0.24.
NEWER_STEPS = {"expand": ("info", {**REPO, "expand": ["sha", "siblings"]})}


@pytest.fixture(scope="module", params=list(ALL_HUBS.values()), ids=list(ALL_HUBS))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def tour(kind, hub_process: FixtureHub, common: Cache, tmp_path_factory) -> Tour:
    """All of the steps in one process, for each version of the client."""
    machine = Machine(kind, tmp_path_factory.mktemp("listings"), common.url)
    newer = {} if kind is HUB_023 else NEWER_STEPS
    return machine.tour(steps(hub_process) | newer)


def truth(hub: FixtureHub, repo_id: str) -> dict[str, str]:
    return {path: file.sha256 for path, file in hub.manifest(repo_id).items()}


def sent(tour: Tour, name: str) -> list[str]:
    return shorts(tour[name].requests)


# Snapshots.


@pytest.mark.matrix("B25")
def test_a_snapshot_is_complete_and_costs_what_is_known(hub, tour, kind):
    """Older clients read the files' names in the info object, newer ones in the tree (§2.6)."""
    sha, expected = hub.sha("org/repo"), truth(hub, "org/repo")
    assert tour.value("snapshot") == expected
    first = ["GET 200 /api/models/org/repo/revision/main"]
    if kind in (HUB_133, HUB_24):
        first.append(f"GET 200 /api/models/org/repo/tree/{sha}?recursive=true&expand=false")
    requests = sent(tour, "snapshot")
    assert requests[: len(first)] == first
    files = requests[len(first) :]
    heads = {f"HEAD 200 /org/repo/resolve/{sha}/{path}" for path in expected}
    assert {request for request in files if request.startswith("HEAD")} == heads
    gets = [request for request in files if request.startswith("GET")]
    # Nothing is asked of an empty file since 0.36 (§1.5).
    assert len(gets) == len(files) - len(heads) == len(expected) - (kind is not HUB_023)


@pytest.mark.matrix("B26")
def test_a_snapshot_again_costs_one_request(hub, tour):
    assert tour.value("snapshot again") == truth(hub, "org/repo")
    assert sent(tour, "snapshot again") == ["GET 200 /api/models/org/repo/revision/main"]


@pytest.mark.matrix("B26")
def test_a_snapshot_of_a_sha_again_costs_newer_clients_nothing(hub, tour, kind):
    assert tour.value("snapshot by sha again") == truth(hub, "org/gguf")
    asked = f"GET 200 /api/models/org/gguf/revision/{hub.sha('org/gguf')}"
    expected = [] if kind in (HUB_133, HUB_24) else [asked]
    assert sent(tour, "snapshot by sha again") == expected


@pytest.mark.matrix("B29")
def test_a_snapshot_of_a_legacy_id_is_complete(hub, tour):
    assert tour.value("legacy") == truth(hub, "openai-community/gpt2")
    assert "onnx/config.json" in tour.value("legacy")


# Listings.


@pytest.mark.matrix("B30")
def test_a_listing_of_more_than_a_page(hub, tour):
    entries = tour.value("many")
    files = [path for path, size in entries if size is not None]
    assert len(entries) == 1237 and sorted(files) == sorted(hub.manifest("org/many"))
    requests = tour["many"].requests
    assert len(requests) == 2 and all(request.path is not None for request in requests)


@pytest.mark.matrix("B31")
def test_a_listing_of_a_directory(tour):
    assert {path for path, _ in tour.value("directory")} == {"sub dir/pr.txt", "sub dir/é #1.txt"}
    assert "EntryNotFoundError" in tour.error("no directory").bases


@pytest.mark.matrix("B32")
def test_entries_of_some_paths_with_their_last_commits(hub, tour):
    last = {
        "commit": hub.sha("org/repo", "main~1"),
        "title": "Upload model",
        "date": "2024-01-01T01:00:00+00:00",
    }
    assert tour.value("entries") == {
        "config.json": {"kind": "RepoFile", **last},
        "sub dir": {"kind": "RepoFolder", **last},
    }


@pytest.mark.matrix("B33")
def test_refs_of_all_kinds(hub, tour):
    short = {
        "refs/heads/main": "main", "refs/heads/dev": "dev", "refs/heads/feat/x": "feat/x",
        "refs/tags/v1": "v1", "refs/pr/1": "refs/pr/1", "refs/pr/2": "refs/pr/2",
    }  # fmt: skip
    assert tour.value("refs") == {name: hub.sha("org/repo", ref) for name, ref in short.items()}
    names = ("refs/heads/main", "refs/convert/parquet")
    assert set(names) <= set(tour.value("refs of a dataset"))


@pytest.mark.matrix("B34")
def test_a_history_of_several_pages_is_in_order(hub, tour):
    found = tour.value("commits")
    assert [title for _, title, *_ in found] == [f"Step {n}" for n in reversed(range(120))]
    assert (found[0][0], found[-1][0]) == (
        hub.sha("org/history"),
        hub.sha("org/history", "main~119"),
    )
    assert all(authors == ["hub-owner"] for *_, authors in found)
    assert len(tour["commits"].requests) > 1


# Information.


@pytest.mark.matrix("B35")
def test_information(hub, tour):
    """0.23 needs keys that newer clients do not (§2.4), and reads dates with milliseconds only."""
    info = tour.value("info")
    assert (info["id"], info["sha"]) == ("org/repo", hub.sha("org/repo"))
    assert set(info["siblings"]) == set(hub.manifest("org/repo"))
    assert info["modified"] == "2024-01-01T02:00:00+00:00"


@pytest.mark.matrix("B36")
def test_information_about_files(hub, tour, kind):
    files = hub.manifest("org/repo").items()
    assert tour.value("file infos") == {
        path: [file.size, file.oid, file.sha256 if file.lfs else None] for path, file in files
    }
    issues = tour.value("security")["filesWithIssues"]
    assert [issue["path"] for issue in issues] == ["weights.pkl"]
    if kind is not HUB_023:
        found = tour.value("expand")
        assert found["sha"] == hub.sha("org/repo")
        assert set(found["siblings"]) == set(hub.manifest("org/repo"))
        assert found["modified"] is None


@pytest.mark.matrix("B37")
def test_lists_and_searches(tour):
    search = tour.value("search")
    assert len(search) == 3 and all("a" in name.lower() for name in search)
    assert tour.value("author") == ["openai-community/gpt2"]
    assert tour.value("filter") == ["org/repo"]
    assert len(tour.value("sorted")) == 2
    assert "org/ds-gated" in tour.value("datasets")
    assert all("ds-" in name for name in tour.value("datasets"))
    assert tour.value("spaces") == ["org/space"]
    for name in LISTS:
        assert all(request.path is not None for request in tour[name].requests)


@pytest.mark.matrix("B38")
def test_existence_of_repositories(tour):
    answers = [tour.value(name) for name in ("exists", "exists not", "exists gated")]
    assert answers == [True, False, True]


@pytest.mark.matrix("B39")
def test_existence_of_revisions(tour):
    assert tour.value("no revision") is False


# The file system.


@pytest.mark.matrix("B40")
def test_files_by_pattern(tour):
    expected = ["datasets/org/ds/data/test.csv", "datasets/org/ds/data/train.csv"]
    assert tour.value("glob") == expected


@pytest.mark.matrix("B41")
def test_bytes_in_the_middle_of_a_large_file(hub, tour):
    truth = hub.bytes_of("org/big", "big.bin", start=1_000_001, length=4)
    assert bytes.fromhex(tour.value("block")) == truth
    ranges = [request for request in tour["block"].requests if "range" in request.headers]
    assert [request.status for request in ranges] == [206]


@pytest.mark.matrix("E63", "E68")
def test_only_the_endpoint_is_contacted_and_always_with_its_prefix(tour):
    assert tour.hosts == {"127.0.0.1"}
    assert [request for request in tour.requests if request.path is None] == []


# Commands.


@pytest.mark.matrix("B27")
def test_hf_download_of_some_files(new_machine, common, kind):
    machine = new_machine(kind, common)
    command = "huggingface-cli" if kind is HUB_023 else "hf"
    patterns = ("--include", "*.json", "--exclude", "token*")
    done = machine.command(command, "download", "org/repo", *patterns)
    assert done.returncode == 0, done.stderr
    names = {request.path.rpartition("/")[2] for request in of_files(machine.sent())}
    assert names == {"config.json", "two.json"}


@pytest.mark.matrix("B28", "B43", "E63")
@pytest.mark.parametrize("newer", [HUB_133, HUB_24], ids=lambda kind: kind.name)
def test_hf_download_dry_then_wet_then_verified(hub, new_machine, common, newer):
    machine = new_machine(newer, common)
    dry = machine.command("hf", "download", "org/repo", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert {request.method for request in of_files(machine.sent())} == {"HEAD"}
    wet = machine.command("hf", "download", "org/repo")
    assert wet.returncode == 0, wet.stderr
    verified = machine.command("hf", "cache", "verify", "org/repo", "--fail-on-missing-files")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert str(len(hub.manifest("org/repo"))) in verified.stdout
    assert all(request.path is not None for request in machine.sent())


@pytest.mark.matrix("B37")
def test_hf_models_ls(hub, new_machine, common):
    machine = new_machine(HUB_24, common)
    done = machine.command("hf", "models", "ls", "--search", "shared-", "--limit", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert {item["id"] for item in json.loads(done.stdout)} == {"org/shared-a", "org/shared-b"}
    done = machine.command("hf", "models", "ls", "org/gguf", "-R", "--json")
    assert done.returncode == 0, done.stderr
    assert {item["path"] for item in json.loads(done.stdout)} == set(hub.manifest("org/gguf"))
