"""Many at once: every answer right, and nothing fetched more often than needed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from . import wire
from .caches import Cache, eventually, fresh_repo, random_file
from .clients.venvs import HUBS
from .inspect_stack import content_workers, held_paths, wait_for_commits
from .rest import TaskFailed
from .test_downloads import digests


def all_at_once(calls: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_three_client_versions_at_once_on_a_cold_repository(hub, new_machine, cache):
    files = {f"{n % 5}/text-{n}.txt": f"{n} {cache.url}\n" for n in range(60)}
    files |= {f"weights-{n}.bin": random_file(400_000) for n in range(6)}
    repo_id = fresh_repo(hub, files)
    machines = [new_machine(kind, cache) for kind in HUBS.values()]
    got = all_at_once([lambda m=m: m.do("snapshot", repo_id=repo_id) for m in machines])
    assert got == [digests(hub, repo_id)] * 3
    size = sum(file.size for file in hub.manifest(repo_id).values())
    assert hub.counters().total_blob_bytes <= size * len(content_workers(cache))
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == set(files))


def test_a_crowd_at_a_cold_repository_asks_the_hub_little(hub, cache):
    repo_id = fresh_repo(hub)
    target = f"/{repo_id}/resolve/main/config.json"
    hub.fault("slow_first_byte", kind="api_info", seconds=0.5)
    replies = all_at_once([lambda: cache.get(target)] * 24)
    assert {reply.body for reply in replies} == {hub.bytes_of(repo_id, "config.json")}
    workers = len(content_workers(cache))
    assert hub.counters().of("api_info") <= workers
    assert hub.counters().of("api_tree") <= 2 * workers
    assert hub.counters().of("resolve_get") <= workers


def test_a_crowd_of_different_repositories(hub, cache):
    repo_ids = [fresh_repo(hub, {"a.txt": f"{n}\n", "b.bin": random_file(50_000)})
                for n in range(12)]  # fmt: skip
    calls = [
        lambda r=r, p=p: (r, p, cache.get(f"/{r}/resolve/main/{p}").body)
        for r in repo_ids
        for p in ("a.txt", "b.bin")
    ]
    for repo_id, path, body in all_at_once(calls):
        assert body == hub.bytes_of(repo_id, path)


def test_readers_of_one_growing_file_get_their_own_parts(hub, cache):
    """Whole file, ranges and a HEAD at the same time, while it is being fetched."""
    size = 12_000_000
    repo_id = fresh_repo(hub, {"large.bin": random_file(size)})
    target, truth = f"/{repo_id}/resolve/main/large.bin", hub.bytes_of(repo_id, "large.bin")
    hub.throttle(8_000_000)
    ranges = [(0, 0), (5, 99), (3_000_000, 4_000_000), (size - 10, size - 1), (0, size - 1)]
    calls = [lambda: cache.get(target)] * 2
    calls += [lambda a=a, b=b: cache.get(target, range=f"bytes={a}-{b}") for a, b in ranges]
    calls += [lambda: cache.head(target)]
    first, second, *parts, head = all_at_once(calls)
    assert first.body == second.body == truth
    for (start, last), part in zip(ranges, parts, strict=True):
        assert (part.status, part.body) == (206, truth[start : last + 1])
    assert head.headers["content-length"] == str(size)


def test_a_new_commit_costs_only_what_changed(hub, new_cache):
    cache = new_cache(metadata_ttl=0)
    repo_id = fresh_repo(hub)
    for path in hub.manifest(repo_id):
        assert cache.get(f"/{repo_id}/resolve/main/{path}").good
    hub.add_commit(repo_id, {"new.bin": random_file(70_000)})
    hub.reset()
    for path in hub.manifest(repo_id):
        reply = cache.get(f"/{repo_id}/resolve/main/{path}")
        assert reply.body == hub.bytes_of(repo_id, path)
        assert reply.headers["x-repo-commit"] == hub.sha(repo_id)
    assert hub.counters().total_blob_bytes == 70_000
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) >= {"new.bin"})


def fetch_while_cleaning_up(cache: Cache, targets: list[str]) -> list[wire.Reply]:
    """Return the answers that four clients get while orphans are cleaned up again and again."""

    def clean() -> list[wire.Reply]:
        for _ in range(4):
            cache.stack.rest.run("orphans/cleanup/", orphan_protection_time=0)
        return []

    def fetch(part: list[str]) -> list[wire.Reply]:
        return [cache.get(target) for target in part]

    calls: list[Any] = [lambda p=targets[n::4]: fetch(p) for n in range(4)]
    return [reply for some in all_at_once([*calls, clean]) for reply in some]


def many_files(hub) -> tuple[str, list[str]]:
    repo_id = fresh_repo(hub, {f"f{n}.bin": random_file(20_000) for n in range(40)})
    return repo_id, [f"/{repo_id}/resolve/main/f{n}.bin" for n in range(40)]


def test_cleaning_up_orphans_disturbs_no_download(hub, new_cache):
    cache = new_cache(repository=True)
    _, targets = many_files(hub)
    assert cache.get(targets[0]).good
    wait_for_commits(cache, 1)
    assert all(reply.good for reply in fetch_while_cleaning_up(cache, targets))


def test_cleaning_up_too_early_is_recovered_from(hub, new_cache):
    """With no protection time, a commit may go before its batch has joined the repository."""
    cache = new_cache(repository=True)
    repo_id, targets = many_files(hub)
    assert cache.get(targets[0]).good
    with suppress(TaskFailed):  # pulpcore's own race with content that gets artifacts meanwhile
        replies = fetch_while_cleaning_up(cache, targets)
        assert all(reply.good or reply.status in (429, 502, 503, 504) for reply in replies)
    for n, target in enumerate(targets):
        reply = eventually(lambda t=target: _if_good(cache.get(t)), 5)
        assert reply.body == hub.bytes_of(repo_id, f"f{n}.bin")


def _if_good(reply: wire.Reply) -> wire.Reply | None:
    return reply if reply.good else None


def test_a_rate_limit_in_the_middle_of_a_snapshot_is_waited_for(hub, new_client, cache):
    repo_id = fresh_repo(hub, {f"f{n}.bin": random_file(2000) for n in range(40)})
    hub.rate_limits(resolvers=(25, 3))
    assert new_client(cache).do("snapshot", repo_id=repo_id) == digests(hub, repo_id)


def test_chunked_and_compressed_upstreams_are_fine(hub, new_client, cache: Cache):
    hub.settings(compress=True)
    hub.fault("chunked")
    repo_id = fresh_repo(hub)
    assert new_client(cache).do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
