"""A cold file and many clients: downloaded once, whatever happens on the way."""

import contextlib
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE, SEGMENT

from . import wire
from .caches import MIB, Cache, eventually, fresh_repo, make_cache, random_file
from .inspect_stack import content_workers, held_paths
from .stack import Stack

QUOTA = 300 * MIB
LARGE = PARALLEL_ABOVE + 24 * MIB + 321  # fetched in several runs at a time


@pytest.fixture(scope="module")
def four(hub_process, tmp_path_factory) -> Iterator[Stack]:
    """A stack with four content workers and little room for fills; workers of it are killed."""
    stack = Stack(
        tmp_path_factory.mktemp("four") / "data",
        hub_process.url,
        *("--workers", "4", "--redirect-host", "127.0.0.2"),
        environ={"PULP_HUGGING_FACE_FILL_QUOTA_BYTES": str(QUOTA)},
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def cache_of_four(hub, four) -> Cache:
    return make_cache(four, hub)


def cold(hub, size: int) -> tuple[str, str, str]:
    """Declare a file nobody has; returns repository, target and sha256."""
    repo_id = fresh_repo(hub, {"weights.bin": random_file(size)})
    digest = hub.file(repo_id, "weights.bin").sha256
    hub.reset()
    return repo_id, f"/{repo_id}/resolve/main/weights.bin", digest


def fetched(hub) -> int:
    return hub.counters().blob_bytes["cdn"]


def digest(reply: wire.Reply) -> str:
    return hashlib.sha256(reply.body).hexdigest()


@contextlib.contextmanager
def clients(count: int, ask: Callable[[], wire.Reply]) -> Iterator[Callable[[], list[wire.Reply]]]:
    """Let clients ask at the same time; what is yielded waits for their answers."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(ask) for _ in range(count)]
        yield lambda: [future.result() for future in futures]


def until_good(cache: Cache, target: str) -> wire.Reply:
    """Ask as clients do: again when the answer broke."""
    for _ in range(4):
        with contextlib.suppress(OSError):
            reply = cache.get(target)
            if reply.good:
                return reply
    raise AssertionError("no good answer in four attempts")


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("size", [20 * MIB + 5, LARGE], ids=["one run", "several runs"])
def test_sixteen_clients_of_a_cold_file_cost_it_once(hub, cache, cache_of_four, workers, size):
    cache = cache if workers == 2 else cache_of_four
    assert len(content_workers(cache)) == workers
    repo_id, target, expected = cold(hub, size)
    hub.throttle(60 * MIB, shared=True)
    count = 16 if size < LARGE else 6
    with clients(count, lambda: cache.get(target)) as answers:
        replies = answers()
    assert all(reply.good for reply in replies)
    assert {digest(reply) for reply in replies} == {expected}
    assert fetched(hub) == size
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == {"weights.bin"})


@pytest.mark.parametrize("workers", [2, 4])
def test_two_hundred_clients_of_a_cold_file_cost_it_once(hub, cache, cache_of_four, workers):
    cache = cache if workers == 2 else cache_of_four
    _, target, expected = cold(hub, 5 * MIB + 7)
    hub.throttle(4 * MIB, shared=True)
    with ThreadPoolExecutor(200) as pool:
        found = list(pool.map(lambda _: digest(cache.get(target)), range(200)))
    assert set(found) == {expected}
    assert fetched(hub) == 5 * MIB + 7


def fetching(cache: Cache, hub) -> list[int]:
    """Return the workers that have connections to the fixture's CDN."""
    port = urlsplit(hub.cdn_url).port
    inodes = {
        row[9]
        for row in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if int(row[2].split(":")[1], 16) == port and row[3] == "01"
    }
    found = []
    for pid in content_workers(cache):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(link.readlink()).removeprefix("socket:[").removesuffix("]") in inodes:
                    found.append(pid)
                    break
    return found


@pytest.mark.parametrize("size", [40 * MIB, 200 * MIB], ids=["one run", "several runs"])
def test_a_filling_worker_that_is_killed_costs_little(hub, cache_of_four, size):
    """What is lost are segments under way and what is in the buffers of its connections."""
    cache = cache_of_four
    _, target, expected = cold(hub, size)
    hub.throttle(size // 4, shared=True)
    with clients(3, lambda: until_good(cache, target)) as answers:
        hub.wait_for(lambda counters: counters.blob_bytes["cdn"] > size // 2, timeout=30)
        os.kill(fetching(cache, hub)[0], signal.SIGKILL)
        replies = answers()
    assert {digest(reply) for reply in replies} == {expected}
    assert size <= fetched(hub) <= 1.1 * size
    eventually(lambda: len(content_workers(cache)) == 4)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_the_whole_server_goes_on_where_it_was(hub, lone, how):
    if not lone.running:
        lone.start()
    size = 40 * MIB
    _, target, expected = cold(hub, size)
    hub.throttle(20 * MIB, shared=True)
    with wire.connection(lone.endpoint) as connection:
        connection.send("GET", target)
        hub.wait_for(lambda counters: counters.blob_bytes["cdn"] > size // 2, timeout=30)
        lone.stop(how)
    hub.throttle(0)
    eventually(lambda: hub.counters().running == 0)
    lone.start()
    reply = wire.get(lone.endpoint, target)
    assert reply.good and digest(reply) == expected
    assert fetched(hub) <= size + 4 * SEGMENT


def test_a_tail_costs_a_segment_and_is_kept_for_all_workers(hub, cache_of_four):
    _, target, _ = cold(hub, LARGE)
    repo_id = target.split("/resolve/")[0].lstrip("/")
    truth = hub.bytes_of(repo_id, "weights.bin", start=LARGE - 300_000, length=300_000)
    for _ in range(6):  # each may reach another worker
        reply = cache_of_four.get(target, range="bytes=-300000")
        assert reply.status == 206 and reply.body == truth
    assert fetched(hub) <= 2 * SEGMENT
    whole = cache_of_four.get(target)
    assert whole.good and fetched(hub) == LARGE


def test_signatures_that_expire_on_the_way_are_replaced(hub, cache_of_four):
    _, target, expected = cold(hub, LARGE)
    hub.throttle(20 * MIB, shared=True)
    hub.fault("cut", kind="cdn_get", after=8 * MIB, times=3)
    with clients(3, lambda: cache_of_four.get(target)) as answers:
        hub.wait_for(lambda counters: counters.blob_bytes["cdn"] > 4 * MIB, timeout=30)
        hub.expire_urls()
        replies = answers()
    assert {digest(reply) for reply in replies} == {expected}
    counters = hub.counters()
    assert counters.of("resolve_get") >= counters.of("cdn_get") >= 6, "an address for each"
    assert fetched(hub) <= 1.1 * LARGE


def test_a_corrupt_segment_breaks_the_readers_of_every_worker(hub, cache_of_four):
    cache = cache_of_four
    repo_id, target, expected = cold(hub, 24 * MIB)
    hub.throttle(40 * MIB, shared=True)
    hub.fault("corrupt", kind="cdn_get", after=10 * MIB)
    with clients(8, lambda: cache.get(target)) as answers:
        replies = answers()
    for reply in replies:
        assert reply.broken or reply.status == 502
        assert len(reply.body) < 24 * MIB
    assert held_paths(cache, repo_id, hub.sha(repo_id)) == set()
    hub.clear_faults()
    with clients(4, lambda: cache.get(target)) as answers:
        assert {digest(reply) for reply in answers()} == {expected}


def test_a_file_above_the_quota_is_refused_with_the_numbers(hub, cache_of_four):
    size = QUOTA + 50 * MIB
    _, target, _ = cold(hub, size)
    reply = cache_of_four.get(target)
    assert reply.status == 507 and reply.error_code == "InsufficientStorage"
    assert str(size) in reply.headers["x-error-message"]
    assert fetched(hub) == 0
    tail = cache_of_four.get(target, range="bytes=-1000")
    assert tail.status == 206, "a range needs the room of a range"


def test_a_client_that_reads_slowly_holds_nobody_up(hub, cache):
    _, target, expected = cold(hub, 24 * MIB)
    with wire.connection(cache.url) as slow:
        slow.send("GET", target)
        answer = slow.begin()
        assert len(answer.read(1000)) == 1000
        reply = cache.get(target)
        assert reply.good and digest(reply) == expected
        rest = answer.read()
    assert len(rest) == 24 * MIB - 1000
    assert fetched(hub) == 24 * MIB
