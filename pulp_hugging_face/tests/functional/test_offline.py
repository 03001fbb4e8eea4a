"""With the Hub out of reach, everything that was asked for before is still there, at once."""

import time

import pytest

from .caches import eventually, fresh_repo
from .inspect_stack import wait_for_commits
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


@pytest.mark.matrix("E66")
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


@pytest.mark.matrix("E66")
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
    assert (cold.status, cold.error_code) == (429, "UpstreamUnavailable")
    assert int(cold.headers["retry-after"]) > 0
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    # The commit is held, so that "no such file" is known as well.
    assert cache.get(f"/{repo_id}/resolve/main/nope").error_code == "EntryNotFound"
    hub.start()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good


def test_ids_in_other_letter_case_renamed_ids_and_short_shas(hub, cache):
    repo_id = fresh_repo(hub)
    renamed, path = f"{repo_id}-renamed", "resolve/main/config.json"
    short = hub.sha(repo_id)[:9]
    hub.rename_repo(repo_id, renamed)
    targets = [f"/{repo_id}/{path}", f"/{renamed.replace('org', 'ORG')}/{path}"]
    targets += [f"/{renamed}/{path}", f"/{renamed}/resolve/{short}/config.json"]

    def answers() -> list[tuple[int, str | None, str | None]]:
        replies = [cache.get(target) for target in targets]
        return [
            (r.status, r.headers.get("location"), r.headers.get("x-repo-commit")) for r in replies
        ]

    before = answers()
    assert [status for status, *_ in before] == [307, 307, 200, 200]
    assert before[0][1] == before[1][1] and before[0][1].endswith(f"/{renamed}/{path}")
    assert {commit for _, _, commit in before[2:]} == {hub.sha(renamed)}
    hub.stop()
    assert answers() == before
    # A spelling that was never asked for is told by what is known of the right one.
    reply = cache.get(f"/{renamed.replace('org', 'Org')}/{path}")
    assert (reply.status, reply.headers.get("location")) == (307, before[0][1])
    # Part of a commit id that only the Hub could complete is not guessed.
    assert cache.get(f"/{renamed}/resolve/{short[:8]}/config.json").status == 429


def test_what_is_in_the_repository_outlives_the_address_of_the_hub(hub, new_cache):
    """A new address means that nothing is known; but what the repository holds, it holds."""
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    target = f"/{repo_id}/resolve/main/config.json"
    first = cache.get(target)
    wait_for_commits(cache, 1)
    rest = cache.stack.rest
    rest.update(cache.remote["pulp_href"], url="http://no-such-host.invalid")
    eventually(lambda: "x-hf-warning" in cache.get(target).headers, 10)
    assert cache.get(target).body == first.body
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").status == 429
    rest.update(cache.remote["pulp_href"], url=hub.url)
    new = hub.add_commit(repo_id, {"config.json": "new\n"})
    eventually(lambda: cache.head(target).headers.get("x-repo-commit") == new, 10)
