"""Repositories whose listing takes many pages, or longer than a client waits."""

import json
import time

import pytest

from . import wire
from .caches import Cache, eventually, fresh_repo, unique
from .test_downloads import digests

# Smaller than the Hub's, so that a small repository takes more pages than are listed at once.
PAGE = 3


@pytest.fixture
def large(hub) -> str:
    """A repository of 120 files in nested directories, listed in pages of three entries."""
    hub.settings(page_size=PAGE)
    # Directories that are held are not listed again, also those of another repository.
    seed = unique("content")
    files = {f"d{n % 4}/s{n % 3}/f{n:03}.txt": f"{n} {seed}\n" for n in range(120)}
    return fresh_repo(hub, {**files, "config.json": "{}\n", "d1/x.txt": "x\n"})


def paths_in(reply: wire.Reply) -> set[str]:
    return {entry["path"] for entry in json.loads(reply.body) if entry["type"] == "file"}


def listed_directories(hub, query: str = "") -> set[str]:
    """Return the directories the Hub was asked to list."""
    entries = [entry for entry in hub.log(kind="api_tree") if query in entry.query]
    return {entry.path.partition("/tree/")[2].partition("/")[2] for entry in entries}


def test_a_large_repository_is_complete(hub, new_machine, client_kind, cache, large):
    assert new_machine(client_kind, cache).do("snapshot", repo_id=large) == digests(hub, large)


def test_a_single_file_costs_the_directories_on_its_way(hub, cache, large):
    reply = cache.get(f"/{large}/resolve/main/d1/x.txt")
    assert reply.body == b"x\n"
    listed = listed_directories(hub, "recursive=false")
    assert listed == {"", "d1"}
    assert cache.get(f"/{large}/resolve/main/d1/nope").error_code == "EntryNotFound"
    assert cache.get(f"/{large}/resolve/main/d9/nope").error_code == "EntryNotFound"


def test_pages_of_a_large_listing_join_without_gaps(hub, cache, large):
    seen: list[str] = []
    target = f"/api/models/{large}/tree/main?recursive=true&limit=7"
    while target:
        reply = cache.get(target)
        seen += [entry["path"] for entry in json.loads(reply.body)]
        target = reply.headers.get("link", "")[1:].split(">")[0].removeprefix(cache.url)
    assert len(seen) == len(set(seen))
    assert set(hub.manifest(large)) <= set(seen) and len(seen) == 122 + 4 + 12


def test_a_directory_of_a_large_repository(hub, cache, large):
    expected = {path for path in hub.manifest(large) if path.startswith("d2/")}
    assert paths_in(cache.get(f"/api/models/{large}/tree/main/d2?recursive=true")) == expected


def test_a_new_commit_lists_only_the_directories_that_changed(hub, new_cache, large):
    cache: Cache = new_cache(metadata_ttl=0)
    assert cache.get(f"/api/models/{large}/tree/main?recursive=true").status == 200
    hub.add_commit(large, {"d3/new.txt": "new\n"})
    hub.reset()
    reply = cache.get(f"/api/models/{large}/tree/main?recursive=true")
    assert paths_in(reply) == set(hub.manifest(large))
    listed = listed_directories(hub)
    assert listed == {"", "d3"}


def test_a_listing_that_takes_long_does_not_keep_a_file_waiting(hub, cache):
    """Meanwhile the upstream is asked about that one path (architecture §3)."""
    repo_id = fresh_repo(hub)
    hub.fault("slow_first_byte", kind="api_tree", seconds=8)
    started = time.monotonic()
    reply = cache.get(f"/{repo_id}/resolve/main/config.json")
    assert reply.body == hub.bytes_of(repo_id, "config.json")
    assert time.monotonic() - started < 8
    assert cache.head(f"/{repo_id}/resolve/main/small.bin").status == 200
    assert cache.get(f"/{repo_id}/resolve/main/nope").error_code == "EntryNotFound"


def test_trouble_in_the_middle_of_a_listing_is_no_shorter_listing(hub, cache, large):
    hub.fault("status", kind="api_tree", status=500, skip=4)
    reply = cache.get(f"/api/models/{large}/tree/main?recursive=true")
    assert reply.status == 502 and reply.error_code == "UpstreamUnavailable"
    hub.clear_faults()
    eventually(
        lambda: (
            paths_in(cache.get(f"/api/models/{large}/tree/main?recursive=true"))
            == set(hub.manifest(large))
        ),
        5,
    )
