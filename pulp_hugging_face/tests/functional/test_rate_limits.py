"""The Hub's limits: warmed things go on beyond them, cold ones are paced, and nobody is starved."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN

from . import wire
from .caches import KIB, Cache, eventually, fresh_repo, random_file
from .clients.venvs import HUB_24
from .test_crowds import digests

# Longer than any test: a limit that stays.
LONG = 300
WORKERS = 2


def many_files(count: int, size: int = 2000) -> dict[str, object]:
    return {f"f{n:03}.bin": random_file(size) for n in range(count)}


def limited(hub) -> int:
    return hub.counters().statuses.get("429", 0)


def beyond_the_wall(hub, cache: Cache) -> None:
    """Use the limits up, and let every worker know."""
    hub.rate_limits(api=(1, LONG), resolvers=(1, LONG))
    known = [cache.get(f"/api/models/org/cold-{n}").status for n in range(20)]
    assert 429 in known


def test_a_warmed_repository_goes_on_beyond_the_wall(hub, new_cache, new_client):
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    assert new_client(cache).do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    beyond_the_wall(hub, cache)
    before = limited(hub)
    assert new_client(cache).do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    for _, target in itertools.product(range(10), ("config.json", "small.bin")):
        assert cache.head(f"/{repo_id}/resolve/main/{target}").status == 200
        assert cache.get(f"/{repo_id}/resolve/main/{target}").good
    assert cache.get(f"/api/models/{repo_id}").status == 200
    assert limited(hub) - before <= WORKERS  # each may find out by itself


def test_beyond_the_wall_the_hub_is_left_alone_and_clients_are_told_when_to_come(hub, new_cache):
    cache, repo_id = new_cache(), fresh_repo(hub)
    assert cache.head(f"/{repo_id}/resolve/main/config.json").status == 200
    beyond_the_wall(hub, cache)
    before = hub.counters().requests
    for target, bucket in ((f"/api/models/{repo_id}-x", "api"), ("/api/models?search=q", "api")):
        for _ in range(5):
            reply = cache.get(target)
            assert (reply.status, reply.error_code) == (429, "UpstreamBusy")
            wait = int(reply.headers["retry-after"])
            assert LONG - 60 < wait <= LONG + 1
            assert reply.headers["ratelimit"] == f'"{bucket}";r=0;t={wait}'
    assert hub.counters().requests - before <= WORKERS
    replies = [cache.get(f"/{repo_id}/resolve/main/{name}") for name in ("small.bin", "large.bin")]
    replies += [cache.get(f"/{repo_id}/resolve/main/config.json") for _ in range(6)]
    assert '"resolvers";r=0' in replies[-1].headers.get("ratelimit", "") or replies[-1].good


@pytest.mark.parametrize("limits", [{"resolvers": (12, 4)}, {"api": (8, 4), "resolvers": (12, 4)}])
def test_a_cold_snapshot_is_paced_and_comes_through(hub, cache, new_client, limits):
    repo_id = fresh_repo(hub, many_files(40))
    hub.rate_limits(**limits)
    assert new_client(cache).do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    # Forty files in windows of twelve: most of what was sent was answered.
    assert limited(hub) <= 20


def test_who_is_refused_comes_back_by_itself(hub, cache, new_machine):
    """The client waits as long as it is told, and nothing is asked for it meanwhile."""
    repo_id = fresh_repo(hub)
    number = hub.fault("status", status=429, origin="hub", headers={"Retry-After": "6"}, times=1)
    outcome = new_machine(HUB_24, cache).do("download", repo_id=repo_id, filename="config.json")
    assert outcome["sha256"] == hub.file(repo_id, "config.json").sha256
    assert [fault["applied"] for fault in hub.faults() if fault["id"] == number] == [1]


def test_one_who_asks_a_lot_does_not_hold_up_another(hub, new_cache):
    cache, files = new_cache(token_mode="shared"), many_files(52)
    repo_id = fresh_repo(hub, files)
    assert cache.head(f"/{repo_id}/resolve/main/f000.bin").status == 200
    hub.rate_limits(resolvers=(10, 4))
    *greedy, a, b, c, d = sorted(files)

    def fetch(name: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        target = f"/{repo_id}/resolve/main/{name}"
        while not (reply := wire.get(cache.url, target, **headers)).good:
            assert reply.status == 429
            time.sleep(1)
        done.append(token)

    done: list[str] = []
    with ThreadPoolExecutor(len(greedy)) as pool:
        for name in greedy:
            pool.submit(fetch, name, NOBODY_TOKEN)
        hub.wait_for_request("resolve_get", 5)
        for name in (a, b, c, d):
            fetch(name, OWNER_TOKEN)
        assert done.count(NOBODY_TOKEN) < len(greedy)
    assert done.count(NOBODY_TOKEN) == len(greedy)


def test_rate_limit_spaces_what_is_sent(hub, new_cache):
    cache, files = new_cache(rate_limit=2), many_files(5, 100)
    repo_id = fresh_repo(hub, files)
    with requests.Session() as session:  # one connection: the limit is one of each process
        for name in files:
            assert session.get(f"{cache.url}/{repo_id}/resolve/main/{name}", timeout=30).ok
    times = sorted(entry.started for entry in hub.log(origin="hub"))
    assert len(times) > 5
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.4


def test_download_concurrency_counts_transfers(hub, new_cache):
    cache, files = new_cache(download_concurrency=1), many_files(8, 300 * KIB)
    repo_id = fresh_repo(hub, files)
    assert cache.head(f"/{repo_id}/resolve/main/f000.bin").status == 200
    hub.throttle(1024 * KIB)
    with ThreadPoolExecutor(len(files)) as pool:
        replies = pool.map(lambda name: cache.get(f"/{repo_id}/resolve/main/{name}"), files)
        assert all(reply.good for reply in replies)
    spans = [(entry.started, entry.started + entry.seconds) for entry in hub.log(kind="cdn_get")]
    most = max(sum(one <= start < end for one, end in spans) for start, _ in spans)
    assert len(spans) == len(files) and most <= WORKERS


def test_remotes_tell_how_much_they_saved(hub, stack, cache):
    repo_id, rest = fresh_repo(hub), stack.rest
    usage = f"{cache.remote['pulp_href']}usage/"
    zero = dict.fromkeys(("asked", "saved", "limited", "delayed"), 0)
    assert rest.get(usage) == dict.fromkeys(("api", "resolvers", "pages", "total"), zero)
    for _ in range(10):
        assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
        assert cache.get(f"/{repo_id}/resolve/main/nope").error_code == "EntryNotFound"
        assert cache.get(f"/api/models/{repo_id}").status == 200
    found = eventually(lambda: _if_complete(rest.get(usage), 30 - WORKERS))
    asked = hub.counters().origins["hub"]
    assert found["resolvers"]["asked"] >= 1 and found["total"]["asked"] <= asked
    assert 18 - WORKERS <= found["resolvers"]["saved"] < 20
    assert 10 - WORKERS <= found["api"]["saved"] <= 10


def _if_complete(usage, saved: int):
    return usage if usage["total"]["saved"] >= saved - 2 else None


def test_usage_is_for_those_who_may_see_the_remote(cache, stack):
    answer = requests.get(f"{stack.rest.url}{cache.remote['pulp_href']}usage/".replace(
        "/pulp/api/v3//pulp", "/pulp"), timeout=30)  # fmt: skip
    assert answer.status_code in (401, 403)
