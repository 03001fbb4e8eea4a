"""What nobody knows yet, while the upstream is in trouble: honest answers, then recovery."""

import time

import pytest

from . import wire
from .caches import MIB, eventually, fresh_repo, random_file
from .kinds import Kind, Place
from .workers import Workers

TROUBLE = {
    "offline": ({"mode": "offline"}, 502, "UpstreamUnavailable"),
    "500": ({"mode": "status", "status": 500}, 502, "UpstreamUnavailable"),
    "503": ({"mode": "status", "status": 503, "headers": {"Retry-After": "17"}}, 502,
            "UpstreamUnavailable"),
    "429": ({"mode": "status", "status": 429, "headers": {"Retry-After": "5"}}, 429,
            "UpstreamBusy"),
    "slow": ({"mode": "slow_first_byte", "seconds": 30}, 504, "UpstreamTimeout"),
    "a login page": ({"mode": "mislabelled", "kind": "api_info"}, 502, "UpstreamInvalid"),
    "a bare 404": ({"mode": "status", "status": 404}, 502, "UpstreamInvalid"),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLE)
def test_an_unknown_repository_is_refused_honestly_and_found_later(hub, new_cache, name):
    # With the default of 30 s the hung question would be waited for by all who come meanwhile.
    cache, repo_id = new_cache(sock_read_timeout=2.0), fresh_repo(hub)
    fault, status, code = TROUBLE[name]
    hub.fault(**fault)
    for target in (f"/{repo_id}/resolve/main/config.json", f"/api/models/{repo_id}"):
        reply = cache.get(target)
        passes = code in ("UpstreamUnavailable", "UpstreamTimeout") and "/resolve/" in target
        assert (reply.status, reply.error_code) == (429 if passes else status, code)
        assert reply.headers["x-error-message"]
        assert int(reply.headers["retry-after"]) > 0
    if "Retry-After" in fault.get("headers", {}):
        assert 1 <= int(reply.headers["retry-after"]) <= int(fault["headers"]["Retry-After"])
    hub.clear_faults()
    body = hub.bytes_of(repo_id, "config.json")
    # After a 429 nothing is asked before its time.
    eventually(lambda: cache.get(f"/{repo_id}/resolve/main/config.json").body == body, 10)


def test_a_silent_upstream_is_given_up_before_clients_do(hub, cache):
    """Clients wait ten seconds for an answer (§2.2)."""
    repo_id = fresh_repo(hub)
    hub.fault("slow_first_byte", seconds=15)
    started = time.monotonic()
    reply = cache.get(f"/{repo_id}/resolve/main/config.json")
    assert time.monotonic() - started < 10
    assert (reply.status, reply.error_code) == (429, "UpstreamTimeout")


@pytest.mark.parametrize("name", ["offline", "503", "429"])
@pytest.mark.matrix("E65")
def test_a_cold_file_of_a_known_commit_is_refused_honestly(hub, new_cache, name):
    cache, repo_id = new_cache(max_retries=1), fresh_repo(hub)
    assert cache.head(f"/{repo_id}/resolve/main/small.bin").status == 200
    fault, _, code = TROUBLE[name]
    hub.fault(**fault)
    reply = cache.get(f"/{repo_id}/resolve/main/small.bin")
    # Who reads a body gives up at once on any 5xx, but tries again after a 429 (§2.2).
    assert (reply.status, reply.error_code) == (429, code)
    assert int(reply.headers["retry-after"]) > 0
    hub.clear_faults()
    eventually(lambda: cache.get(f"/{repo_id}/resolve/main/small.bin").good, 10)


def test_trouble_of_one_repository_is_nobody_elses(hub, new_cache):
    cache, broken, healthy = new_cache(metadata_ttl=0), fresh_repo(hub), fresh_repo(hub)
    targets = [f"/{repo_id}/resolve/main/config.json" for repo_id in (broken, healthy)]
    assert all(cache.get(target).good for target in targets * 3)
    hub.fault("status", status=500, path=f"*{broken}*")
    for _ in range(5):
        reply = cache.get(targets[0])
        assert reply.good and "x-hf-warning" in reply.headers
    new = hub.add_commit(healthy, {"config.json": "new\n"})
    for _ in range(5):
        reply = cache.get(targets[1])
        assert (reply.headers["x-repo-commit"], reply.body) == (new, b"new\n")
        assert "x-hf-warning" not in reply.headers
    hub.clear_faults()
    eventually(lambda: "x-hf-warning" not in cache.get(targets[0]).headers, 10)


def test_nobody_but_the_first_waits_for_a_silent_upstream(hub, new_cache):
    """And it is asked now and then, by one question at a time."""
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    target = f"/{repo_id}/resolve/main/config.json"
    assert all(cache.get(target).good for _ in range(3))
    hub.fault("slow_first_byte", seconds=60)
    workers = Workers(cache)
    for pid in workers.pids:
        assert "x-hf-warning" in workers.ask(pid, Kind("", target), Place({})).headers
    workers.close()
    hub.reset()
    for _ in range(50):
        reply = wire.ask(cache.url, target, seconds=2)
        assert reply.good and "x-hf-warning" in reply.headers
    assert hub.counters().of("api_info") <= 4


def test_the_storage_alone_may_be_in_trouble(hub, new_cache):
    cache, repo_id = new_cache(max_retries=0), fresh_repo(hub)
    hub.stop("cdn")
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    assert cache.head(f"/{repo_id}/resolve/main/small.bin").status == 200
    reply = cache.get(f"/{repo_id}/resolve/main/small.bin")
    assert (reply.status, reply.error_code) == (429, "UpstreamUnavailable")
    hub.start()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good


def test_the_first_byte_of_a_large_file_does_not_wait_for_the_last(hub, cache):
    """A proxy that fetches the whole file first kills every client (§2.2)."""
    repo_id = fresh_repo(hub, {"large.bin": random_file(32 * MIB)})
    hub.throttle(4 * MIB)
    with wire.connection(cache.url) as connection:
        started = time.monotonic()
        connection.send("GET", f"/{repo_id}/resolve/main/large.bin")
        answer = connection.begin()
        assert answer.read(1000) == hub.bytes_of(repo_id, "large.bin", length=1000)
        assert time.monotonic() - started < 5


def test_a_rate_limited_upstream_is_asked_no_more_than_needed(hub, cache):
    """After the first file, a file costs one request for its bytes (and one to their storage)."""
    repo_id = fresh_repo(hub, {f"file-{n}.txt": f"{n} {time.time()}\n" for n in range(10)})
    assert cache.get(f"/{repo_id}/resolve/main/file-0.txt").good
    hub.reset()
    for n in range(1, 10):
        assert cache.head(f"/{repo_id}/resolve/main/file-{n}.txt").status == 200
        assert cache.get(f"/{repo_id}/resolve/main/file-{n}.txt").good
    counters = hub.counters()
    assert counters.of("resolve_get") == 9
    assert counters.requests == counters.of("resolve_get", "resolve_cache", "api_refs",
                                            "api_commits")  # fmt: skip
