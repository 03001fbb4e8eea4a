"""With the Hub out of reach, everything that was asked for before is still there, at once."""

import time

import pytest

from .caches import fresh_repo
from .test_downloads import digests

# "Well under ten seconds": what clients wait for a HEAD (§2.2).
PATIENCE = 8.0


@pytest.fixture
def warm(hub, new_machine, client_kind, cache):
    """A repository that one machine has downloaded, and a second machine; the Hub is stopped."""
    repo_id = fresh_repo(hub)
    first = new_machine(client_kind, cache)
    first.do("snapshot", repo_id=repo_id)
    first.outcomes(("refs", {"repo_id": repo_id}), ("info", {"repo_id": repo_id}))
    expected = digests(hub, repo_id), hub.sha(repo_id)
    hub.stop()
    return repo_id, *expected


def test_a_second_machine_downloads_with_the_hub_stopped(
    hub, new_machine, client_kind, cache, warm
):
    repo_id, files, sha = warm
    second = new_machine(client_kind, cache)
    started = time.monotonic()
    snapshot, single, listing, info, refs = second.outcomes(
        ("snapshot", {"repo_id": repo_id}),
        ("download", {"repo_id": repo_id, "filename": "small.bin"}),
        ("tree", {"repo_id": repo_id, "recursive": True}),
        ("info", {"repo_id": repo_id}),
        ("refs", {"repo_id": repo_id}),
    )
    assert time.monotonic() - started < PATIENCE
    assert snapshot == files
    assert (single["sha256"], single["commit"]) == (files["small.bin"], sha)
    assert {path for path, _ in listing} == set(files)
    assert info["sha"] == sha and set(info["siblings"]) == set(files)
    assert refs["refs/heads/main"] == sha


def test_transformers_load_with_the_hub_stopped(hub, transformers, cache):
    asked = {"repo_id": "org/bert", "text": "hello pulp"}
    expected = transformers(cache).do("auto", **asked)
    hub.stop()
    started = time.monotonic()
    assert transformers(cache).do("auto", **asked) == expected
    assert time.monotonic() - started < PATIENCE + 7  # importing transformers takes some


def test_hf_download_with_the_hub_stopped(hub, new_machine, client_kind, cache, warm, tmp_path):
    repo_id, files, _ = warm
    second = new_machine(client_kind, cache)
    done = second.command("hf", "download", repo_id, "--local-dir", str(tmp_path / "x"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x" / "config.json").exists() and len(files) == 3


def test_each_kind_of_trouble_leaves_known_answers_quick(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    target = f"/{repo_id}/resolve/main/small.bin"
    first = cache.get(target)
    assert first.good
    for fault in (
        {"mode": "offline"},
        {"mode": "status", "status": 500},
        {"mode": "status", "status": 429, "headers": {"Retry-After": "120"}},
        {"mode": "slow_first_byte", "seconds": 30},
        {"mode": "mislabelled"},
    ):
        hub.clear_faults()
        hub.fault(**fault)
        for ask in (cache.head, cache.get):
            started = time.monotonic()
            reply = ask(target)
            assert time.monotonic() - started < PATIENCE, fault
            assert reply.status == 200, fault
            assert reply.headers["x-repo-commit"] == first.headers["x-repo-commit"]


def test_unknown_things_are_refused_honestly_and_known_repositories_stay(hub, cache):
    repo_id = fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    hub.stop()
    cold = cache.get(f"/{repo_id}/resolve/main/small.bin")
    assert (cold.status, cold.error_code) == (502, "UpstreamUnavailable")
    assert int(cold.headers["retry-after"]) > 0
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    # The commit is held, so that "no such file" is known as well.
    assert cache.get(f"/{repo_id}/resolve/main/nope").error_code == "EntryNotFound"
    hub.start()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
