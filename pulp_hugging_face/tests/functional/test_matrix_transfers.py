"""Conformance matrix A, the bytes themselves: a server that dies, huge files, ranges, curl."""

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from . import wire
from .caches import MIB, Cache, eventually, fresh_repo, make_cache, random_file
from .clients import tools
from .clients.machine import Machine, Tour
from .clients.record import of_files
from .clients.venvs import HUB_036, HUB_24, HUB_133
from .inspect_stack import content_workers

CLIENT_PATIENCE = 10.0  # seconds for a first byte, and between two (§2.2)


# A server that dies.

PIECE = 10 * MIB  # what clients write to disk at a time


@pytest.fixture(scope="module")
def survivors(hub_process: FixtureHub, lone, tmp_path_factory) -> dict[str, tuple[str, Tour]]:
    """Three clients whose server is killed when each has more than 10 MiB of its file."""
    hub = hub_process
    cache = make_cache(lone, hub)
    kinds = (HUB_036, HUB_133, HUB_24)
    machines = [Machine(kind, tmp_path_factory.mktemp("survivor"), cache.url) for kind in kinds]
    repo_ids = [fresh_repo(hub, {"big.bin": random_file(16 * MIB + 5)}) for _ in kinds]
    hub.fault("hold_body", kind="cdn_get", after=14 * MIB)
    with ThreadPoolExecutor(len(kinds)) as pool:
        running = [
            pool.submit(download_twice, *pair) for pair in zip(machines, repo_ids, strict=True)
        ]
        try:
            eventually(lambda: all(arrived(machine) >= PIECE for machine in machines))
            for worker in content_workers(cache):
                os.kill(worker, signal.SIGKILL)
        finally:
            hub.clear_faults()
        tours = [future.result() for future in running]
    names = [kind.name for kind in kinds]
    return dict(zip(names, zip(repo_ids, tours, strict=True), strict=True))


def download_twice(machine: Machine, repo_id: str) -> Tour:
    step = ("download", {"repo_id": repo_id, "filename": "big.bin"})
    return machine.tour({"first": step, "second": step})


def arrived(machine: Machine) -> int:
    """Return how much of an unfinished download is on the client's disk."""
    return sum(path.stat().st_size for path in machine.hub_cache.rglob("*.incomplete"))


@pytest.mark.matrix("A19")
@pytest.mark.parametrize("name", [HUB_133.name, HUB_24.name])
def test_newer_clients_take_up_at_the_last_whole_piece(hub, survivors, name):
    repo_id, tour = survivors[name]
    assert tour.value("first")["sha256"] == hub.file(repo_id, "big.bin").sha256
    ranges = [r.headers.get("range") for r in of_files(tour["first"].requests) if r.method == "GET"]
    assert ranges == [None, f"bytes={PIECE}-"]


@pytest.mark.matrix("A19")
def test_0_36_takes_up_when_it_is_run_again(hub, survivors):
    repo_id, tour = survivors[HUB_036.name]
    assert tour.error("first").name == "ChunkedEncodingError"
    assert tour.value("second")["sha256"] == hub.file(repo_id, "big.bin").sha256
    (again,) = [r for r in of_files(tour["second"].requests) if r.method == "GET"]
    start = int(again.headers["range"].removeprefix("bytes=").rstrip("-"))
    assert (again.status, start >= PIECE) == (206, True)


# Five GB: more than 32 bits of anything, and more than can be waited for.

FIVE_GB = 5 * 10**9


@pytest.fixture
def huge(hub: FixtureHub) -> Iterator[str]:
    repo_id = fresh_repo(hub, {"huge.safetensors": random_file(FIVE_GB)})
    hub.file(repo_id, "huge.safetensors")  # its digest takes some seconds, once
    yield repo_id
    hub.delete_repo(repo_id)


@pytest.mark.matrix("A20", "A21")
def test_five_cold_gigabytes_begin_at_once_and_flow(hub, new_cache, huge):
    cache: Cache = new_cache(max_retries=0)
    target = f"/{huge}/resolve/main/huge.safetensors"
    started = time.monotonic()
    head = cache.head(target)
    assert time.monotonic() - started < CLIENT_PATIENCE
    assert int(head.headers["content-length"]) == FIVE_GB
    assert hub.counters().total_blob_bytes == 0
    hub.throttle(8 * MIB)
    with wire.connection(cache.url, CLIENT_PATIENCE) as connection:  # the longest gap allowed
        connection.send("GET", target)
        answer = connection.begin()
        data = b"".join(answer.read(MIB) for _ in range(16))
        assert data == hub.bytes_of(huge, "huge.safetensors", length=16 * MIB)
    # Nobody waits for the rest: the fixture breaks it off, so that it ends.
    hub.fault("offline", origin="cdn")
    hub.throttle(0)
    hub.restart()
    eventually(lambda: hub.counters().running == 0)


# Ranges and encodings as curl sees them.


@pytest.fixture
def url(common: Cache) -> str:
    return f"{common.url}/org/repo/resolve/main/config.json"


@pytest.fixture
def config(hub: FixtureHub) -> bytes:
    return hub.bytes_of("org/repo", "config.json")


@pytest.mark.matrix("A22")
def test_the_first_byte(hub, url, config, tmp_path):
    status, headers, body = tools.curl("--range", "0-0", url, folder=tmp_path)
    assert (status, body) == (206, config[:1])
    assert headers["content-range"] == f"bytes 0-0/{len(config)}"


@pytest.mark.matrix("A23")
def test_a_range_beyond_the_end_is_clamped(hub, url, config, tmp_path):
    status, headers, body = tools.curl("--range", "0-999999999", url, folder=tmp_path)
    assert (status, body) == (206, config)
    assert headers["content-range"] == f"bytes 0-{len(config) - 1}/{len(config)}"


@pytest.mark.matrix("A23")
@pytest.mark.parametrize("beyond", [0, 1, 10**12])
def test_a_range_behind_the_end_is_refused(hub, url, config, tmp_path, beyond):
    status, headers, _ = tools.curl("--range", f"{len(config) + beyond}-", url, folder=tmp_path)
    assert (status, headers["content-range"]) == (416, f"bytes */{len(config)}")


@pytest.mark.matrix("A24")
def test_compression_is_not_applied_to_a_head(hub, url, config, tmp_path):
    status, headers, _ = tools.curl("--head", "--compressed", url, folder=tmp_path)
    assert (status, headers["content-length"]) == (200, str(len(config)))
    assert "content-encoding" not in headers


# Whole files by people's favourite tools.

DOWNLOADERS = {
    "curl": ("--silent", "--fail", "--output", "file.bin"),
    "wget": ("--quiet", "--output-document", "file.bin"),
    "aria2c": ("--quiet", "--max-connection-per-server=16", "--split=16", "--min-split-size=1M",
               "--file-allocation=none", "--out", "file.bin"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOWNLOADERS)
def test_a_cold_large_file_is_downloaded_once(hub, common, tmp_path: Path, name):
    tools.program(name)
    size = 20 * MIB + 321
    repo_id = fresh_repo(hub, {"weights.safetensors": random_file(size)})
    url = f"{common.url}/{repo_id}/resolve/main/weights.safetensors"
    done = tools.run(name, *DOWNLOADERS[name], url, folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    digest = hashlib.sha256((tmp_path / "file.bin").read_bytes()).hexdigest()
    assert digest == hub.file(repo_id, "weights.safetensors").sha256
    assert hub.counters().blob_bytes["cdn"] == size


def test_wget_continues_what_it_has(hub, common, tmp_path: Path):
    truth = hub.bytes_of("org/repo", "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(truth[:1_000_000])
    url = f"{common.url}/org/repo/resolve/main/model.safetensors"
    done = tools.run("wget", "--quiet", "--continue", url, folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "model.safetensors").read_bytes() == truth
