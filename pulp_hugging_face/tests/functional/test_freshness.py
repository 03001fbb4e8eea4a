"""Branches move, tags move, branches go; commits stay."""

import time

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, repo

from .caches import eventually, fresh_repo
from .inspect_stack import wait_for_commits


def commit_of(cache, target: str) -> str | None:
    return cache.head(target).headers.get("x-repo-commit")


def test_a_moved_branch_is_seen_after_the_ttl_and_not_before(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=2), fresh_repo(hub, {"a.txt": "1\n"})
    target = f"/{repo_id}/resolve/main/a.txt"
    assert cache.get(target).body == b"1\n"
    asked = time.monotonic()
    old, new = hub.sha(repo_id), hub.add_commit(repo_id, {"a.txt": "2\n"})
    while time.monotonic() - asked < 1.5:
        assert commit_of(cache, target) == old
        time.sleep(0.2)
    eventually(lambda: commit_of(cache, target) == new, 5)
    assert cache.get(target).body == b"2\n"
    assert cache.get(f"/{repo_id}/resolve/{old}/a.txt").body == b"1\n"


def test_a_ttl_of_zero_always_asks(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub, {"a.txt": "0\n"})
    target = f"/{repo_id}/resolve/main/a.txt"
    for n in range(1, 4):
        assert cache.get(target).good
        new = hub.add_commit(repo_id, {"a.txt": f"{n}\n"})
        reply = cache.get(target)
        assert (reply.headers["x-repo-commit"], reply.body) == (new, f"{n}\n".encode())


def test_within_the_ttl_the_upstream_is_not_asked(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=600), fresh_repo(hub)
    assert cache.head(f"/{repo_id}/resolve/main/config.json").status == 200
    assert cache.get(f"/api/models/{repo_id}/refs").status == 200
    hub.reset()
    for _ in range(5):
        assert cache.head(f"/{repo_id}/resolve/main/config.json").status == 200
        assert cache.get(f"/api/models/{repo_id}").status == 200
        assert cache.get(f"/api/models/{repo_id}/refs").status == 200
    assert hub.counters().of("api_info", "resolve_head", "api_tree", "api_refs") == 0


def test_clients_see_a_moved_branch(hub, new_machine, client_kind, new_cache):
    repo_id = fresh_repo(hub, {"a.txt": "old\n"})
    machine = new_machine(client_kind, new_cache(metadata_ttl=0))
    assert machine.do("download", repo_id=repo_id, filename="a.txt")["commit"] == hub.sha(repo_id)
    new = hub.add_commit(repo_id, {"a.txt": "new\n", "b.txt": "more\n"})
    assert machine.do("download", repo_id=repo_id, filename="a.txt")["commit"] == new
    assert set(machine.do("snapshot", repo_id=repo_id)) == {"a.txt", "b.txt"}


def test_a_moved_tag_is_seen(hub, new_cache):
    cache = new_cache(metadata_ttl=0)
    repo_id = fresh_repo(hub, {"a.txt": "1\n"})
    hub.add_commit(repo_id, {"a.txt": "2\n"})
    hub.set_ref(repo_id, "refs/tags/v1", "main~1")
    target = f"/{repo_id}/resolve/v1/a.txt"
    assert cache.get(target).body == b"1\n"
    hub.set_ref(repo_id, "refs/tags/v1", "main")
    assert cache.get(target).body == b"2\n"


def test_a_deleted_branch_is_gone_and_its_commit_stays(hub, new_cache):
    cache = new_cache(metadata_ttl=0)
    repo_id = fresh_repo(hub, {"a.txt": "1\n"})
    hub.set_ref(repo_id, "refs/heads/side", "main")
    sha = hub.add_commit(repo_id, {"a.txt": "side\n"}, ref="side")
    assert cache.get(f"/{repo_id}/resolve/side/a.txt").body == b"side\n"
    hub.delete_ref(repo_id, "refs/heads/side")
    reply = cache.get(f"/{repo_id}/resolve/side/a.txt")
    assert (reply.status, reply.error_code) == (404, "RevisionNotFound")
    assert cache.get(f"/{repo_id}/resolve/{sha}/a.txt").body == b"side\n"
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").body == b"1\n"


def test_a_force_push_keeps_the_old_commit_readable(hub, new_cache):
    cache = new_cache(metadata_ttl=0)
    repo_id = fresh_repo(hub, {"base.txt": "base\n"})
    old = hub.add_commit(repo_id, {"a.txt": "before\n"})
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").body == b"before\n"
    new = hub.force_push(repo_id, {"a.txt": "after\n"})
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").body == b"after\n"
    reply = cache.get(f"/{repo_id}/resolve/{old}/a.txt")
    assert (reply.body, reply.headers["x-repo-commit"]) == (b"before\n", old)
    assert old != new


@pytest.mark.parametrize("gated", [False, "manual"])
def test_a_commit_that_the_hub_has_lost_stays_readable(hub, new_cache, gated):
    """The right to it is that to the repository, which is asked for from time to time."""
    cache = new_cache(metadata_ttl=0, hf_token=OWNER_TOKEN)
    repo_id = fresh_repo(hub, {"a.txt": "before\n"}, gated=gated)
    old, target = hub.sha(repo_id), f"/{repo_id}/resolve/main/a.txt"
    assert cache.get(target).body == b"before\n"
    hub.declare(repo(repo_id, {"a.txt": "all new\n"}, gated=gated))
    assert cache.get(target).body == b"all new\n"
    asked_again = time.monotonic() + 3  # longer than a grant counts as fresh in these tests
    while time.monotonic() < asked_again:
        assert cache.get(f"/{repo_id}/resolve/{old}/a.txt").body == b"before\n"
        assert cache.get(f"/api/models/{repo_id}/tree/{old}").status == 200
        time.sleep(0.2)
    hub.update_repo(repo_id, private=True, readers=[])
    lost = f"/{repo_id}/resolve/{old}/a.txt"
    eventually(lambda: cache.get(lost).error_code == "RepoNotFound", 9)


def test_a_deleted_repository_is_refused_by_its_branch(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    hub.delete_repo(repo_id)
    reply = cache.get(f"/{repo_id}/resolve/main/config.json")
    assert reply.status in (401, 404) and reply.error_code == "RepoNotFound"


def test_a_repository_made_private_is_refused_from_then_on(hub, new_cache):
    """Definite refusals end serving, also of what is held (architecture §4, Freshness)."""
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    sha = hub.sha(repo_id)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    hub.update_repo(repo_id, private=True)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").error_code == "RepoNotFound"
    assert cache.get(f"/{repo_id}/resolve/{sha}/config.json").error_code == "RepoNotFound"


def test_a_rename_upstream_is_followed(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=0), fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    hub.rename_repo(repo_id, f"{repo_id}-renamed")
    reply = cache.get(f"/{repo_id}/resolve/main/config.json")
    assert reply.status == 307
    assert reply.headers["location"].endswith(f"{repo_id}-renamed/resolve/main/config.json")
    assert cache.get(f"/{repo_id}-renamed/resolve/main/config.json").good


def test_refs_follow_into_the_repository(hub, new_cache):
    cache, repo_id = new_cache(metadata_ttl=0, repository=True), fresh_repo(hub, {"a.txt": "1\n"})
    rest = cache.stack.rest
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").good
    wait_for_commits(cache, 1)
    new = hub.add_commit(repo_id, {"a.txt": "2\n"})
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").body == b"2\n"
    wait_for_commits(cache, 2)
    latest = rest.get(cache.repository["pulp_href"])["latest_version_href"]
    (ref,) = rest.list(rest.REFS, repository_version=latest, repo_id=repo_id)
    assert (ref["name"], ref["sha"]) == ("refs/heads/main", new)
