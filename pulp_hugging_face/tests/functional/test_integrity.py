"""A bad upstream is never visible as a good file, nothing bad is kept, and healing needs nobody."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.tests.hub import Fault

from . import wire
from .caches import KIB, MIB, Cache, eventually, fresh_repo, random_file
from .clients.machine import ClientError
from .clients.venvs import HUB_036
from .inspect_stack import content_workers, held_paths, worker_of


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


FILES = {"text.txt": 200 * KIB, "small.bin": 300 * KIB, "large.bin": 9 * MIB}
FAULTS: dict[str, dict[str, Any]] = {
    "corrupt": {"mode": "corrupt"},
    "corrupt at the end": {"mode": "corrupt", "after": -1},
    "short": {"mode": "short"},
    "empty": {"mode": "short", "after": 0},
    "cut": {"mode": "cut", "after": 0},
    "wrong_length": {"mode": "wrong_length"},
    "mislabelled": {"mode": "mislabelled"},
    "other bytes, same size": {"mode": "corrupt", "after": 0, "extra": 16 * MIB},
    "chunked and corrupt": {"mode": "corrupt", "chunked": True},
    "chunked and empty": {"mode": "short", "after": 0, "chunked": True},
}


def arm(hub: Any, path: str, fault: dict[str, Any]) -> None:
    """Set a fault on the bytes of a file, wherever they come from."""
    fields, size = dict(fault), FILES[path]
    kind = "resolve_cache" if path == "text.txt" else "cdn_get"
    if fields.get("after") == -1:
        fields["after"] = size - 16
    if fields.pop("chunked", False):
        hub.fault("chunked", kind=kind)
    hub.fault(Fault(kind=kind, **fields))


@pytest.fixture
def repo_id(hub) -> str:
    return fresh_repo(hub, {path: random_file(size) for path, size in FILES.items()})


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_bad_file_reaches_a_client_and_the_next_request_succeeds(
    hub, shared, repo_id, path, fault
):
    cache = shared(max_retries=1)
    arm(hub, path, FAULTS[fault])
    target = f"/{repo_id}/resolve/main/{path}"
    reply = cache.get(target)
    assert not reply.good, "a bad file looked complete"
    assert reply.broken or (reply.status in (429, 502) and reply.error_code)
    truth = hub.bytes_of(repo_id, path)
    if fault in ("cut", "short", "empty", "chunked and empty"):
        assert truth.startswith(reply.body if reply.status == 200 else b"")
    assert held_paths(cache, repo_id, hub.sha(repo_id)) == set()
    hub.clear_faults()
    healed = cache.get(target)
    assert healed.good and healed.body == truth


@pytest.mark.parametrize("path", FILES)
def test_curl_notices(hub, new_cache, repo_id, path, tmp_path: Path):
    """curl believes what the framing says: its exit code tells whether a file looked complete."""
    cache = new_cache(max_retries=0)
    arm(hub, path, FAULTS["corrupt"])
    url = f"{cache.url}/{repo_id}/resolve/main/{path}"
    command = ["curl", "-sf", "-o", str(tmp_path / "f"), url]
    assert subprocess.run(command, timeout=60).returncode != 0
    hub.clear_faults()
    assert subprocess.run(command, timeout=60).returncode == 0
    assert (tmp_path / "f").read_bytes() == hub.bytes_of(repo_id, path)


@pytest.mark.matrix("E65")
def test_clients_raise_and_recover(hub, new_machine, client_kind, new_cache):
    """Of small files they see an error; 0.36 would ask for half a minute (§2.2)."""
    path = "large.bin" if client_kind == HUB_036 else "small.bin"
    repo_id = fresh_repo(hub, {path: random_file(FILES[path])})
    machine = new_machine(client_kind, new_cache(max_retries=0))
    arm(hub, path, FAULTS["corrupt"])
    with pytest.raises(ClientError):
        machine.do("download", repo_id=repo_id, filename=path)
    hub.clear_faults()
    got = machine.do("download", repo_id=repo_id, filename=path)
    assert got["sha256"] == hub.file(repo_id, path).sha256


def test_newer_clients_never_keep_a_corrupt_large_file(hub, new_client, new_cache):
    """The connection breaks before the end; the client tries again, and gives up."""
    repo_id = fresh_repo(hub, {"large.bin": random_file(FILES["large.bin"])})
    machine = new_client(new_cache(max_retries=0))
    arm(hub, "large.bin", FAULTS["corrupt"])
    with pytest.raises(ClientError):
        machine.do("download", repo_id=repo_id, filename="large.bin")
    blobs = machine.hub_cache.rglob("blobs/*")
    assert [path for path in blobs if not path.name.endswith(".incomplete")] == []


def test_a_transfer_that_breaks_is_taken_up_where_it_stopped(hub, cache, repo_id):
    hub.fault("cut", kind="cdn_get", after=6 * MIB, times=1)
    reply = cache.get(f"/{repo_id}/resolve/main/large.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "large.bin")
    first, second = (entry.headers.get("Range") for entry in hub.log(kind="cdn_get"))
    # What was on its way at that moment (two read buffers of 1 MiB) may be lost.
    assert first is None and int(second[6:].split("-")[0]) >= 3 * MIB


@pytest.mark.parametrize("path", ["small.bin", "large.bin"])
def test_a_transfer_that_breaks_several_times_is_completed(hub, cache, repo_id, path):
    hub.fault("cut", kind="cdn_get", after=FILES[path] // 3, times=3)
    reply = cache.get(f"/{repo_id}/resolve/main/{path}")
    assert reply.good and reply.body == hub.bytes_of(repo_id, path)


def test_a_stalled_transfer_is_taken_up_after_the_read_timeout(hub, new_cache, repo_id):
    cache = new_cache(sock_read_timeout=1.0)
    hub.fault("stall", kind="cdn_get", after=100_000, times=1)
    reply = cache.get(f"/{repo_id}/resolve/main/small.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "small.bin")


def test_an_upstream_that_ignores_ranges_still_gives_the_right_file(hub, cache, repo_id):
    hub.fault("cut", kind="cdn_get", after=3 * MIB, times=1)
    hub.fault("ignore_range", kind="cdn_get")
    reply = cache.get(f"/{repo_id}/resolve/main/large.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "large.bin")


def test_one_corrupt_answer_is_made_good_without_the_client_noticing(hub, cache, repo_id):
    hub.fault("corrupt", kind="cdn_get", times=1)
    reply = cache.get(f"/{repo_id}/resolve/main/small.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "small.bin")


def test_expired_addresses_are_fetched_anew(hub, cache, repo_id):
    hub.fault("cut", kind="cdn_get", after=3 * MIB, times=1)
    assert cache.get(f"/{repo_id}/resolve/main/large.bin").good
    hub.expire_urls()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good


def test_bytes_that_vanish_from_the_storage_are_fetched_again(hub, stack, cache):
    repo_id = fresh_repo(hub, {"small.bin": random_file(300 * KIB)})
    target = f"/{repo_id}/resolve/main/small.bin"
    assert cache.get(target).good
    digest = hub.file(repo_id, "small.bin").sha256
    artifact = stack.data / "media" / "artifact" / digest[:2] / digest[2:]
    eventually(lambda: "small.bin" in held_paths(cache, repo_id, hub.sha(repo_id)))
    artifact.unlink()
    reply = cache.get(target)
    assert reply.good and reply.body == hub.bytes_of(repo_id, "small.bin")
    eventually(artifact.exists)
    hub.stop()
    assert cache.get(target).body == reply.body


def test_a_client_that_hangs_up_does_not_stop_the_download(hub, cache, repo_id):
    hub.throttle(6 * MIB)
    with wire.connection(cache.url) as connection:
        connection.send("GET", f"/{repo_id}/resolve/main/large.bin")
        hub.wait_for_request("cdn_get")
    eventually(lambda: "large.bin" in held_paths(cache, repo_id, hub.sha(repo_id)))
    assert hub.counters().of("cdn_get") == 1


def test_parallel_cold_requests_cost_one_download_per_process(hub, cache, repo_id):
    hub.throttle(6 * MIB)
    replies = _in_parallel(cache, f"/{repo_id}/resolve/main/large.bin", 6)
    assert {reply.body for reply in replies} == {hub.bytes_of(repo_id, "large.bin")}
    assert 1 <= hub.counters().of("cdn_get") <= len(content_workers(cache))


def test_clients_of_one_process_share_one_download(hub, cache, repo_id):
    connections = [wire.Connection(cache.url) for _ in range(4)]
    try:
        same = _of_one_worker(cache, connections)
        hub.throttle(6 * MIB)
        for connection in same:
            connection.send("GET", f"/{repo_id}/resolve/main/large.bin")
        bodies = {connection.receive().body for connection in same}
    finally:
        for connection in connections:
            connection.close()
    assert bodies == {hub.bytes_of(repo_id, "large.bin")}
    assert hub.counters().of("cdn_get") == 1


def _of_one_worker(cache: Cache, connections: list[wire.Connection]) -> list[wire.Connection]:
    """Return those connections that reached the same process as most."""
    pids, by_worker = content_workers(cache), {}
    for connection in connections:
        assert connection.ask("GET", "/org/repo/resolve/main/config.json").good
        by_worker.setdefault(worker_of(pids, connection.local_port), []).append(connection)
    same = max(by_worker.values(), key=len)
    assert len(same) >= 2
    return same


def _in_parallel(cache: Cache, target: str, count: int) -> list[wire.Reply]:
    connections = [wire.Connection(cache.url) for _ in range(count)]
    for connection in connections:
        connection.send("GET", target)
    replies = [connection.receive() for connection in connections]
    for connection in connections:
        connection.close()
    return replies
