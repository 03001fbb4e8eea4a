"""Conformance matrix A: single files, by every version of huggingface_hub and by curl."""

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from .caches import Cache
from .clients.machine import Machine, Tour
from .clients.record import shorts
from .clients.venvs import ALL_HUBS

REVISIONS = {
    "v1": ("config.json", "v1"),
    "dev": ("config.json", "dev"),
    "pr": ("sub dir/pr.txt", "refs/pr/1"),
    "sha": ("README.md", "main~1"),
}


def file(filename: str, repo_id: str = "org/repo", **more):
    return "download", {"repo_id": repo_id, "filename": filename, **more}


def steps(hub: FixtureHub) -> dict:
    old = hub.sha("org/repo", "main~1")
    missing = file("adapter_config.json")
    return {
        "config": file("config.json"),
        "config again": file("config.json"),
        "lfs": file("model.safetensors"),
        "empty": file("empty.txt"),
        "odd": file("sub dir/é #1.txt"),
        "v1": file("config.json", revision="v1"),
        "dev": file("config.json", revision="dev"),
        "pr": file("sub dir/pr.txt", revision="refs/pr/1"),
        "sha": file("README.md", revision=old),
        "sha again": file("README.md", revision=old),
        "no revision": file("config.json", revision="nope"),
        "missing": missing,
        "known missing": ("known_missing", missing[1]),
        "no repository": file("x", "org/nope"),
        "legacy": file("config.json", "gpt2"),
        "dataset": file("data/train.csv", "org/ds", repo_type="dataset"),
        "local": file("model.safetensors", local_dir="local"),
        "local again": file("model.safetensors", local_dir="local"),
        "gated": file("config.json", "org/gated"),
        "granted": file("config.json", "org/gated", token=OWNER_TOKEN, cache_dir="granted"),
        "private": file("config.json", "org/priv"),
        "owned": file("config.json", "org/priv", token=OWNER_TOKEN, cache_dir="owned"),
        "private again": file("config.json", "org/priv", cache_dir="stranger"),
        "metadata": ("metadata", {"repo_id": "org/repo", "filename": "model.safetensors"}),
        "exists": ("exists", {"what": "file", "repo_id": "org/repo", "filename": "config.json"}),
        "exists not": ("exists", {"what": "file", "repo_id": "org/repo", "filename": "nope"}),
    }


@pytest.fixture(scope="module", params=list(ALL_HUBS.values()), ids=list(ALL_HUBS))
def tour(request, hub_process: FixtureHub, common: Cache, tmp_path_factory) -> Tour:
    """All of the steps in one process, for each version of the client."""
    machine = Machine(request.param, tmp_path_factory.mktemp("files"), common.url)
    return machine.tour(steps(hub_process))


def whole(hub: FixtureHub, filename: str, repo_id: str = "org/repo", *more: str) -> dict:
    """Return what a download has to give: digest, size, blob (§1.3) and commit."""
    found = hub.file(repo_id, filename, *more)
    return {
        "sha256": found.sha256,
        "size": found.size,
        "blob": found.sha256 if found.lfs else found.oid,
        "commit": hub.sha(repo_id, *more),
    }


def got(tour: Tour, name: str) -> dict:
    return {key: value for key, value in tour.value(name).items() if key != "path"}


def sent(tour: Tour, name: str) -> list[str]:
    return shorts(tour[name].requests)


@pytest.mark.matrix("A1")
def test_a_regular_file_costs_a_head_and_a_get(hub, tour):
    assert got(tour, "config") == whole(hub, "config.json")
    target = "200 /org/repo/resolve/main/config.json"
    assert sent(tour, "config") == [f"HEAD {target}", f"GET {target}"]


@pytest.mark.matrix("A2")
def test_the_same_again_costs_a_head(tour):
    assert tour.value("config again") == tour.value("config")
    assert sent(tour, "config again") == ["HEAD 200 /org/repo/resolve/main/config.json"]


@pytest.mark.matrix("A3")
def test_an_lfs_file_comes_from_the_endpoint_itself(hub, tour):
    assert got(tour, "lfs") == whole(hub, "model.safetensors")
    target = "200 /org/repo/resolve/main/model.safetensors"
    assert sent(tour, "lfs") == [f"HEAD {target}", f"GET {target}"]


@pytest.mark.matrix("A5")
def test_an_empty_file_is_empty_and_others_are_not(hub, tour):
    assert got(tour, "empty") == whole(hub, "empty.txt")
    assert tour.value("empty")["size"] == 0 < tour.value("config")["size"]


@pytest.mark.matrix("A6")
def test_an_odd_name(hub, tour):
    assert got(tour, "odd") == whole(hub, "sub dir/é #1.txt")


@pytest.mark.matrix("A7")
@pytest.mark.parametrize("name", REVISIONS)
def test_revisions(hub, tour, name):
    filename, revision = REVISIONS[name]
    assert got(tour, name) == whole(hub, filename, "org/repo", revision)


@pytest.mark.matrix("A8")
def test_a_full_sha_again_costs_nothing(tour):
    assert tour.value("sha again") == tour.value("sha")
    assert sent(tour, "sha again") == []


@pytest.mark.matrix("A9")
def test_an_unknown_revision(tour):
    assert tour.error("no revision").name == "RevisionNotFoundError"


@pytest.mark.matrix("A10")
def test_a_missing_file_is_known_to_be_missing(tour):
    """`known_missing` reads `.no_exist/<sha>/adapter_config.json` of the client's own cache."""
    assert "EntryNotFoundError" in tour.error("missing").bases
    assert "LocalEntryNotFoundError" not in tour.error("missing").bases
    assert tour.value("known missing") is True
    assert sent(tour, "known missing") == []


@pytest.mark.matrix("A11")
def test_an_unknown_repository(tour):
    assert tour.error("no repository").name == "RepositoryNotFoundError"


@pytest.mark.matrix("A12")
def test_a_legacy_id_costs_one_redirect(hub, tour):
    assert got(tour, "legacy") == whole(hub, "config.json", "openai-community/gpt2")
    target = "200 /openai-community/gpt2/resolve/main/config.json"
    assert sent(tour, "legacy") == [
        "HEAD 307 /gpt2/resolve/main/config.json",
        f"HEAD {target}",
        f"GET {target}",
    ]


@pytest.mark.matrix("A13")
def test_a_file_of_a_dataset(hub, tour):
    assert got(tour, "dataset") == whole(hub, "data/train.csv", "org/ds", "main", "dataset")


@pytest.mark.matrix("A14")
def test_a_folder_of_ones_own_twice_costs_a_head(hub, tour):
    expected = hub.file("org/repo", "model.safetensors").sha256
    assert tour.value("local")["sha256"] == tour.value("local again")["sha256"] == expected
    assert sent(tour, "local again") == ["HEAD 200 /org/repo/resolve/main/model.safetensors"]


@pytest.mark.matrix("A15")
def test_a_gated_repository(hub, tour):
    assert tour.error("gated").name == "GatedRepoError"
    assert got(tour, "granted") == whole(hub, "config.json", "org/gated")


@pytest.mark.matrix("A16")
def test_a_private_repository_stays_private_when_it_is_cached(hub, tour):
    assert tour.error("private").name == "RepositoryNotFoundError"
    assert got(tour, "owned") == whole(hub, "config.json", "org/priv")
    assert tour.error("private again").name == "RepositoryNotFoundError"


@pytest.mark.matrix("A17")
def test_metadata(hub, tour):
    file = hub.file("org/repo", "model.safetensors")
    assert tour.value("metadata") == {
        "commit": hub.sha("org/repo"), "etag": file.sha256, "size": file.size, "xet": False,
    }  # fmt: skip


@pytest.mark.matrix("A18")
def test_existence_of_files(tour):
    assert (tour.value("exists"), tour.value("exists not")) == (True, False)


@pytest.mark.matrix("E63", "E68")
def test_only_the_endpoint_is_contacted_and_always_with_its_prefix(tour):
    assert tour.hosts == {"127.0.0.1"}
    assert [request for request in tour.requests if request.path is None] == []


@pytest.mark.matrix("A4", "E67", "E68")
@pytest.mark.parametrize("kind", ALL_HUBS.values(), ids=list(ALL_HUBS))
def test_with_xet_disabled_debugging_on_and_a_slash_behind_the_endpoint(
    hub, new_machine, common, kind
):
    machine = new_machine(kind, f"{common.url}/")
    machine.extra = {"HF_HUB_DISABLE_XET": "1", "HF_DEBUG": "1"}
    api = {"endpoint": f"{common.url}/", "repo_id": "org/repo"}
    tour = machine.tour(
        {"lfs": file("model.safetensors"), "snapshot": ("snapshot", {"repo_id": "gpt2"}),
         "api": ("info_at", api)}
    )  # fmt: skip
    assert got(tour, "lfs") == whole(hub, "model.safetensors")
    assert set(tour.value("snapshot")) == set(hub.manifest("openai-community/gpt2"))
    assert tour.value("api") == hub.sha("org/repo")
    assert all("xet" not in (request.path or "xet") for request in tour.requests)
    assert tour.hosts == {"127.0.0.1"}
