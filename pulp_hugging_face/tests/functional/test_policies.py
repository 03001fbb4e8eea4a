"""on_demand keeps, streamed keeps nothing, immediate fetches the rest."""

from .caches import eventually, fresh_repo
from .inspect_stack import held_paths

FILES = {"config.json", "small.bin", "large.bin"}


def test_on_demand_keeps_what_was_asked_for_and_nothing_else(hub, cache):
    repo_id = fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == {"small.bin"})
    hub.reset()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
    assert hub.counters().total_blob_bytes == 0


def test_on_demand_keeps_for_every_other_cache_too(hub, cache, new_cache):
    repo_id = fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/large.bin").good
    hub.reset()
    other = new_cache()
    body = other.get(f"/{repo_id}/resolve/main/large.bin").body
    assert body == hub.bytes_of(repo_id, "large.bin")
    assert hub.counters().total_blob_bytes == 0


def test_streamed_serves_the_right_bytes_and_keeps_nothing(hub, stack, new_cache):
    cache, repo_id = new_cache(policy="streamed"), fresh_repo(hub)
    before = stack.media_bytes()
    for _ in range(2):
        hub.reset()
        for path in sorted(FILES):
            reply = cache.get(f"/{repo_id}/resolve/main/{path}")
            assert reply.good and reply.body == hub.bytes_of(repo_id, path)
        size = sum(file.size for file in hub.manifest(repo_id).values())
        assert hub.counters().total_blob_bytes == size
    assert stack.media_bytes() == before
    assert held_paths(cache, repo_id, hub.sha(repo_id)) == set()
    folder = stack.data / "tmp" / "hugging_face_fills"
    mine = {f"{file.etag}.part" for file in hub.manifest(repo_id).values()}
    eventually(lambda: not mine & {path.name for path in folder.rglob("*.part")})


def test_streamed_works_with_every_client(hub, new_machine, client_kind, new_cache):
    repo_id = fresh_repo(hub)
    machine = new_machine(client_kind, new_cache(policy="streamed"))
    expected = {path: file.sha256 for path, file in hub.manifest(repo_id).items()}
    assert machine.do("snapshot", repo_id=repo_id) == expected


def test_streamed_uses_what_is_held_already(hub, cache, new_cache):
    repo_id = fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
    hub.reset()
    assert new_cache(policy="streamed").get(f"/{repo_id}/resolve/main/small.bin").good
    assert hub.counters().total_blob_bytes == 0


def test_immediate_fetches_the_rest_in_the_background(hub, new_cache):
    cache, repo_id = new_cache(policy="immediate"), fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    sha = hub.sha(repo_id)
    eventually(lambda: held_paths(cache, repo_id, sha) == FILES)
    hub.stop()
    for path in sorted(FILES):
        assert cache.get(f"/{repo_id}/resolve/main/{path}").body == hub.bytes_of(repo_id, path)


def test_immediate_fetches_each_file_once(hub, new_cache):
    cache, repo_id = new_cache(policy="immediate"), fresh_repo(hub)
    for _ in range(4):
        assert cache.head(f"/{repo_id}/resolve/main/config.json").status == 200
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == FILES)
    size = sum(file.size for file in hub.manifest(repo_id).values())
    assert hub.counters().total_blob_bytes == size


def test_a_change_of_policy_takes_effect_at_once(hub, cache):
    """It reaches the processes by NOTIFY, so nearly at once."""
    cache.stack.rest.update(cache.remote["pulp_href"], policy="streamed")

    def keeps_nothing() -> bool:
        repo_id = fresh_repo(hub)
        assert cache.get(f"/{repo_id}/resolve/main/config.json").good
        return held_paths(cache, repo_id, hub.sha(repo_id)) == set()

    eventually(keeps_nothing, 2)
    assert all(keeps_nothing() for _ in range(4))
