"""What is held stays held: through cleaning up, repairing, reclaiming and many versions."""

from datetime import UTC, datetime

from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .caches import Cache, eventually, fresh_repo
from .inspect_stack import held_paths, versions, wait_for_commits, wait_for_joining
from .upstream_log import tokens_seen

FILES = ("config.json", "large.bin", "small.bin")


def fetch_all(hub, cache: Cache, repo_id: str) -> None:
    """Works with the Hub stopped as well: the fixture's control origin still tells the truth."""
    for path in FILES:
        assert cache.get(f"/{repo_id}/resolve/main/{path}").body == hub.bytes_of(repo_id, path)


def clean_up(cache: Cache) -> None:
    cache.stack.rest.run("orphans/cleanup/", orphan_protection_time=0)


def test_what_is_in_a_repository_survives_the_cleaning_up_of_orphans(hub, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    fetch_all(hub, cache, repo_id)
    wait_for_commits(cache, 1)
    clean_up(cache)
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == set(FILES))
    hub.stop()
    fetch_all(hub, cache, repo_id)


def test_a_cache_without_a_repository_survives_it_too(hub, cache):
    since, repo_id = datetime.now(UTC).isoformat(), fresh_repo(hub)
    fetch_all(hub, cache, repo_id)
    wait_for_joining(cache, since)
    clean_up(cache)
    eventually(lambda: held_paths(cache, repo_id, hub.sha(repo_id)) == set(FILES))
    hub.stop()
    fetch_all(hub, cache, repo_id)


def test_the_hidden_repository_does_not_show(cache):
    rest = cache.stack.rest
    assert not [r for r in rest.list(rest.REPOSITORIES) if "cache-of" in r["name"]]


def test_a_blob_of_two_repositories_survives_the_end_of_one(hub, new_cache):
    first, second = new_cache(repository=True), new_cache(repository=True)
    rest, repo_id = first.stack.rest, fresh_repo(hub)
    for cache in (first, second):
        fetch_all(hub, cache, repo_id)
        wait_for_commits(cache, 1)
    for href in (first.distribution, first.repository, first.remote):
        rest.delete(href["pulp_href"])
    clean_up(second)
    hub.reset()
    fetch_all(hub, second, repo_id)
    assert hub.counters().total_blob_bytes == 0


def test_what_nobody_needs_any_more_is_cleaned_up(hub, stack, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    rest = stack.rest
    fetch_all(hub, cache, repo_id)
    wait_for_commits(cache, 1)
    before = stack.media_bytes()
    for href in (cache.distribution, cache.repository, cache.remote):
        rest.delete(href["pulp_href"])
    clean_up(cache)
    assert rest.list(rest.COMMITS, repo_id=repo_id) == []
    size = sum(file.size for file in hub.manifest(repo_id).values())
    assert stack.media_bytes() <= before - size


def test_after_cleaning_up_too_much_the_cache_heals_itself(hub, new_cache):
    """A clean-up may come between a first request and its batch: the next request asks anew."""
    cache, repo_id = new_cache(), fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    clean_up(cache)
    eventually(lambda: cache.get(f"/{repo_id}/resolve/main/config.json").good, 10)
    fetch_all(hub, cache, repo_id)


def test_many_files_make_few_versions(hub, new_cache):
    cache = new_cache(repository=True)
    repo_id = fresh_repo(hub, {f"file-{n:03}.txt": f"{n} of {cache.url}\n" for n in range(150)})
    for n in range(150):
        assert cache.get(f"/{repo_id}/resolve/main/file-{n:03}.txt").good
    wait_for_commits(cache, 1)
    assert len(versions(cache)) <= 3  # the empty one, and one or two batches


def test_several_repositories_join_in_one_batch(hub, new_cache):
    cache = new_cache(repository=True)
    repo_ids = [fresh_repo(hub, {"a.txt": f"{n}\n"}) for n in range(6)]
    for repo_id in repo_ids:
        assert cache.get(f"/{repo_id}/resolve/main/a.txt").good
    wait_for_commits(cache, 6)
    assert len(versions(cache)) <= 4


def test_repair_mends_a_damaged_file(hub, stack, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    fetch_all(hub, cache, repo_id)
    wait_for_commits(cache, 1)
    damage(hub, stack, repo_id, "small.bin", b"damaged!")
    damage(hub, stack, repo_id, "large.bin", None)
    version = stack.rest.get(cache.repository["pulp_href"])["latest_version_href"]
    task = stack.rest.run(f"{version}repair/", verify_checksums=True)
    reports = {report["code"]: report["done"] for report in task["progress_reports"]}
    assert reports["repair.repaired"] == 2, reports
    hub.stop()
    fetch_all(hub, cache, repo_id)


def damage(hub, stack, repo_id: str, path: str, content: bytes | None) -> None:
    digest = hub.file(repo_id, path).sha256
    artifact = stack.data / "media" / "artifact" / digest[:2] / digest[2:]
    artifact.chmod(0o644)
    if content is None:
        artifact.unlink()
    else:
        with artifact.open("r+b") as file:
            file.write(content)


def test_repair_of_everything_uses_the_token_of_the_remote(hub, stack, new_cache):
    repo_id = fresh_repo(hub, private=True)
    cache = new_cache(repository=True, hf_token=OWNER_TOKEN)
    fetch_all(hub, cache, repo_id)
    wait_for_commits(cache, 1)
    damage(hub, stack, repo_id, "small.bin", b"damaged!")
    version = stack.rest.get(cache.repository["pulp_href"])["latest_version_href"]
    hub.reset()
    stack.rest.run(f"{version}repair/", verify_checksums=True)
    assert tokens_seen(hub, repo_id) == {"hub": {OWNER_TOKEN}, "cdn": {None}}
    fetch_all(hub, cache, repo_id)


def test_reclaiming_space_leaves_a_working_cache(hub, stack, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    fetch_all(hub, cache, repo_id)
    wait_for_commits(cache, 1)
    before = stack.media_bytes()
    stack.rest.run("repositories/reclaim_space/", repo_hrefs=[cache.repository["pulp_href"]])
    size = sum(file.size for file in hub.manifest(repo_id).values())
    assert stack.media_bytes() <= before - size
    assert held_paths(cache, repo_id, hub.sha(repo_id)) == set()
    assert cache.head(f"/{repo_id}/resolve/main/small.bin").status == 200
    fetch_all(hub, cache, repo_id)
    hub.stop()
    fetch_all(hub, cache, repo_id)
