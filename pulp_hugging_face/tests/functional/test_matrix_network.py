"""Conformance matrix E: clients while the network, or the Hub behind us, is in trouble."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from pulp_hugging_face.tests.hub import FileInfo, FixtureHub

from . import wire
from .caches import MIB, Cache, fresh_repo, random_file
from .clients.machine import ClientError, Machine, Tour
from .clients.record import of_files
from .clients.venvs import ALL_HUBS, DATASETS, HUB_023, HUB_036, HUB_24, HUBS

BIG = 16 * MIB + 7


def fetch(machine: Machine, repo_id: str) -> Tour:
    return machine.tour({"big": ("download", {"repo_id": repo_id, "filename": "big.bin"})})


def gets(tour: Tour) -> list[int | None]:
    """Return the statuses of all GETs of files."""
    return [request.status for request in of_files(tour.requests) if request.method == "GET"]


# Two at once.


@dataclass(frozen=True)
class AtOnce:
    """A big cold file, what clients made of it that asked at the same time, and what it cost."""

    file: FileInfo
    tours: list[Tour]
    bytes: int


@pytest.fixture(scope="module")
def two_at_once(hub_process: FixtureHub, common: Cache, tmp_path_factory) -> AtOnce:
    hub = hub_process
    repo_id = fresh_repo(hub, {"big.bin": random_file(BIG)})
    machines = [
        Machine(kind, tmp_path_factory.mktemp("at-once"), common.url) for kind in (HUB_036, HUB_24)
    ]
    hub.reset_all()
    hub.throttle(8 * MIB)
    with ThreadPoolExecutor(2) as pool:
        tours = list(pool.map(fetch, machines, [repo_id] * 2))
    return AtOnce(hub.file(repo_id, "big.bin"), tours, hub.counters().blob_bytes["cdn"])


@pytest.mark.matrix("E64")
def test_two_clients_at_once_get_a_cold_file(two_at_once):
    """In one go: a gap of ten seconds would have made each of them ask again (§2.2)."""
    file, tours = two_at_once.file, two_at_once.tours
    assert [tour.value("big")["sha256"] for tour in tours] == [file.sha256] * 2
    assert [gets(tour) for tour in tours] == [[200], [200]]


@pytest.mark.matrix("E64")
def test_two_clients_at_once_cost_one_upstream_fetch(two_at_once):
    assert two_at_once.bytes == two_at_once.file.size


# Trouble behind us in the middle of a cold file.

TROUBLE = {
    "429": {"mode": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "503": {"mode": "status", "status": 503},
}


@pytest.mark.matrix("E65")
@pytest.mark.parametrize("name", TROUBLE)
def test_passing_trouble_in_the_middle_is_not_noticed(hub, new_machine, cache, name):
    repo_id = fresh_repo(hub, {"big.bin": random_file(BIG)})
    hub.fault("cut", kind="cdn_get", after=5 * MIB, times=1)
    hub.fault(**TROUBLE[name], kind="cdn_get", skip=1, times=1)
    tour = fetch(new_machine(HUB_24, cache), repo_id)
    assert tour.value("big")["sha256"] == hub.file(repo_id, "big.bin").sha256
    assert gets(tour) == [200]


@pytest.mark.matrix("E65")
@pytest.mark.parametrize("kind", HUBS.values(), ids=HUBS)
def test_trouble_before_the_first_byte_is_waited_out_by_clients(hub, new_machine, new_cache, kind):
    """By a status that the client at hand tries again: each version has others (§2.2)."""
    repo_id = fresh_repo(hub, {"big.bin": random_file(BIG)})
    # Told to come back later than clients wait for an answer: that cannot be held back from them.
    later = {"Retry-After": "9"}
    hub.fault("status", kind="cdn_get", status=503, headers=later, times=1)
    tour = fetch(new_machine(kind, new_cache(max_retries=0)), repo_id)
    assert tour.value("big")["sha256"] == hub.file(repo_id, "big.bin").sha256
    assert gets(tour) == [502 if kind is HUB_036 else 429, 200]


@pytest.mark.matrix("E65")
def test_lasting_trouble_in_the_middle_is_no_shorter_file(hub, new_machine, new_cache):
    """
    Clients report it, keep nothing under the file's name, and get it afterwards.

    By those that do not try a refused body again for half a minute, as 0.36 does (§2.2).
    """
    cache = new_cache(max_retries=1)
    repo_id = fresh_repo(hub, {"big.bin": random_file(BIG)})
    hub.fault("cut", kind="cdn_get", after=5 * MIB, times=1)
    broken = hub.fault("status", kind="cdn_get", skip=1, status=503)
    reply = cache.get(f"/{repo_id}/resolve/main/big.bin")
    assert not reply.good and len(reply.body) < BIG
    for kind in (HUB_023, HUB_24):
        machine = new_machine(kind, cache)
        assert isinstance(fetch(machine, repo_id)["big"].outcome, ClientError)
        assert not list(machine.hub_cache.glob("models--*/snapshots/*/big.bin"))
    hub.clear_faults(broken)
    assert fetch(machine, repo_id).value("big")["sha256"] == hub.file(repo_id, "big.bin").sha256


# The Hub is away.


@pytest.mark.matrix("E66")
def test_with_the_hub_away_branch_and_sha_are_served(hub, new_machine, common):
    sha, files = hub.sha("org/repo"), hub.manifest("org/repo")
    new_machine(HUB_24, common).do("snapshot", repo_id="org/repo")
    hub.stop()
    expected = {path: file.sha256 for path, file in files.items()}
    for kind in ALL_HUBS.values():
        machine = new_machine(kind, common)
        tour = machine.tour(
            {
                "branch": ("snapshot", {"repo_id": "org/repo"}),
                "sha": ("snapshot", {"repo_id": "org/repo", "revision": sha, "cache_dir": "other"}),
                "file": ("download", {"repo_id": "org/repo", "filename": "config.json",
                                      "cache_dir": "third"}),
            }
        )  # fmt: skip
        assert tour.value("branch") == tour.value("sha") == expected, kind.name
        assert tour.value("file")["commit"] == sha
        assert {request.status for request in tour.requests} == {200}
    for revision in ("main", sha):
        for method in ("HEAD", "GET"):
            reply = wire.ask(common.url, f"/org/repo/resolve/{revision}/config.json", method)
            assert (reply.status, reply.headers["x-repo-commit"]) == (200, sha)


# A slash behind the endpoint.

WHOLE = {"train": 100, "test": 20}


@pytest.mark.matrix("E67")
def test_datasets_with_a_slash_behind_the_endpoint(new_machine, common):
    """
    Names work, addresses do not: it cuts `len(HF_ENDPOINT) + 1` characters off them (§2.6).

    What it asks for then (`atasets/org`) tells that no server can help; the guide says so, too.
    """
    machine = new_machine(DATASETS, f"{common.url}/")
    csv = f"{common.url}/datasets/org/ds/resolve/main/data/test.csv"
    by_address = ("load", {"path": "csv", "data_files": csv})
    tour = machine.tour({"name": ("load", {"path": "org/ds"}), "address": by_address})
    assert {name: split[0] for name, split in tour.value("name").items()} == WHOLE
    assert tour.error("address").name == "FileNotFoundError"
    paths = [request.path or "" for request in tour.requests]
    assert any(path.endswith("/api/models/atasets/org") for path in paths)
