"""Remotes, repositories, distributions and content by REST."""

import pytest

from . import wire
from .caches import eventually, fresh_repo, unique
from .inspect_stack import added, commit_unit, held_paths, wait_for_commits
from .rest import Rest
from .upstream_log import asked


@pytest.fixture
def rest(stack) -> Rest:
    return stack.rest


def test_everything_may_be_left_out_of_a_remote_but_its_name(rest):
    remote = rest.create(rest.REMOTES, name=unique("remote"))
    assert remote["url"] == "https://huggingface.co"
    assert remote["policy"] == "on_demand"
    assert remote["token_mode"] is None
    assert remote["max_redirects"] == 5
    assert remote["redirect_hosts"] == ["*.huggingface.co", "*.hf.co"]
    assert remote["metadata_ttl"] == 60
    assert remote["hf_token"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://huggingface.co"),
        ("url", "huggingface.co"),
        ("url", "http://"),
        ("url", "http://host:port"),
        ("url", "https://huggingface.co/?a=b"),
        ("url", "file:///etc/passwd"),
        ("url", ""),
        ("url", "https://user:word@huggingface.co"),
        ("policy", "sometimes"),
        ("policy", None),
        ("token_mode", "everybody"),
        ("metadata_ttl", -1),
        ("metadata_ttl", "soon"),
        ("metadata_ttl", 1.5),
        ("max_redirects", -1),
        ("max_redirects", "x"),
        ("redirect_hosts", ["http://huggingface.co"]),
        ("redirect_hosts", ["*"]),
        ("redirect_hosts", ["a b"]),
        ("redirect_hosts", ["*.*.hf.co"]),
        ("redirect_hosts", ["hf.co:443"]),
        ("redirect_hosts", [""]),
        ("redirect_hosts", "hf.co"),
        ("hf_token", "two words"),
        ("hf_token", "line\nbreak"),
        ("hf_token", "ümlaut"),
        ("name", ""),
        ("unheard_of", 1),
    ],
)
def test_bad_input_is_a_400_that_names_the_field(rest, field, value):
    fields = {"name": unique("remote"), field: value}
    answer = rest.ask("POST", rest.REMOTES, json=fields)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()
    # The same when a good remote is changed.
    remote = rest.create(rest.REMOTES, name=unique("remote"))
    answer = rest.ask("PATCH", remote["pulp_href"], json={field: value})
    assert answer.status_code == 400 and field in answer.json()


@pytest.mark.parametrize(
    "hosts", [["127.0.0.1"], ["*.example.org", "cdn.example.org"], [], ["localhost"]]
)
def test_good_host_patterns(rest, hosts):
    remote = rest.create(rest.REMOTES, name=unique("remote"), redirect_hosts=hosts)
    assert remote["redirect_hosts"] == hosts


def test_a_name_is_taken_once(rest):
    name = unique("remote")
    rest.create(rest.REMOTES, name=name)
    answer = rest.ask("POST", rest.REMOTES, json={"name": name})
    assert answer.status_code == 400 and "name" in answer.json()


def test_strangers_may_not_use_the_api(stack):
    answer = Rest(stack.ready["api_url"], None).ask("GET", Rest.REMOTES)
    assert answer.status_code in (401, 403)


def test_a_distribution_with_a_base_path_in_use_is_refused(rest, cache):
    fields = {"name": unique("other"), "base_path": cache.base_path}
    answer = rest.ask("POST", rest.DISTRIBUTIONS, json=fields)
    assert answer.status_code == 400 and "base_path" in answer.json()


def test_a_distribution_refuses_a_remote_of_another_kind(rest):
    fields = {
        "name": unique("d"),
        "base_path": unique("d"),
        "remote": "/pulp/api/v3/remotes/x/y/1/",
    }
    answer = rest.ask("POST", rest.DISTRIBUTIONS, json=fields)
    assert answer.status_code == 400 and "remote" in answer.json()


def test_a_distribution_tells_the_address_for_hf_endpoint(rest, cache):
    found = rest.get(cache.distribution["pulp_href"])
    assert found["base_url"].rstrip("/") == cache.url
    assert found["remote"] == cache.remote["pulp_href"]


def test_a_new_distribution_works_at_once_and_a_deleted_one_no_more(hub, rest, cache):
    assert cache.get("/org/repo/resolve/main/config.json").good
    rest.delete(cache.distribution["pulp_href"])
    eventually(lambda: cache.get("/org/repo/resolve/main/config.json").status == 404, 2)
    assert all(cache.get("/org/repo/resolve/main/config.json").status == 404 for _ in range(6))


def test_a_remote_in_use_can_be_deleted_and_leaves_an_empty_distribution(hub, rest, cache):
    assert cache.get("/org/repo/resolve/main/config.json").good
    rest.delete(cache.remote["pulp_href"])
    eventually(lambda: cache.get("/org/repo/resolve/main/config.json").status == 404, 2)
    assert rest.get(cache.distribution["pulp_href"])["remote"] is None


def test_a_change_of_the_url_leads_elsewhere(hub, rest, new_cache):
    cache = new_cache(url="http://127.0.0.1:9")
    assert cache.get("/org/repo/resolve/main/config.json").status == 429
    rest.update(cache.remote["pulp_href"], url=hub.url)
    eventually(lambda: cache.get("/org/repo/resolve/main/config.json").good, 5)


def test_an_url_with_a_slash_at_the_end_is_the_same(hub, new_cache):
    cache = new_cache(url=f"{hub.url}/")
    assert cache.get(f"/{fresh_repo(hub)}/resolve/main/config.json").good
    assert not [entry.url for entry in asked(hub) if "//" in entry.url]


# Content.


def test_refs_and_commits_can_be_read_and_filtered(hub, rest, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    sha = hub.sha(repo_id)
    hub.set_ref(repo_id, "refs/tags/v1", "main")
    for revision in ("main", "v1"):
        assert cache.get(f"/{repo_id}/resolve/{revision}/config.json").good
    # Both workers may have taken part, each with a batch of its own.
    eventually(lambda: added(cache, "ref") == 2)
    latest = rest.get(cache.repository["pulp_href"])["latest_version_href"]
    refs = rest.list(rest.REFS, repository_version=latest)
    assert {ref["name"] for ref in refs} == {"refs/heads/main", "refs/tags/v1"}
    assert {ref["repo_id"] for ref in refs} == {repo_id}
    assert {ref["sha"] for ref in refs} == {sha}
    assert len(rest.list(rest.REFS, repo_id=repo_id, name="refs/tags/v1")) == 1
    assert len(rest.list(rest.REFS, sha=sha, name__startswith="refs/heads/")) == 1
    assert rest.list(rest.REFS, repo_id=repo_id, repo_type="dataset") == []
    for query in ({"sha": sha}, {"repo_id": repo_id}, {"repo_id__contains": repo_id[4:]}):
        (commit,) = rest.list(rest.COMMITS, **query)
        assert (commit["repo_type"], commit["repo_id"], commit["sha"]) == ("model", repo_id, sha)
    assert rest.get(commit["pulp_href"])["sha"] == sha
    assert commit["title"] == "Upload files" and commit["author"] and commit["date"]
    assert commit["file_count"] == 3
    assert commit["total_size"] == sum(file.size for file in hub.manifest(repo_id).values())


def test_content_is_not_made_by_hand(rest):
    for path in (rest.REFS, rest.COMMITS):
        assert rest.ask("POST", path, json={}).status_code == 405


def test_the_files_of_a_commit_tell_what_is_held(hub, rest, cache):
    repo_id = fresh_repo(hub)
    sha = hub.sha(repo_id)
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good
    eventually(lambda: held_paths(cache, repo_id, sha))
    files = rest.list(commit_unit(cache, repo_id, sha)["files_href"])
    assert files == [
        {
            "path": path,
            "size": file.size,
            "oid": file.oid,
            "sha256": file.sha256 if file.lfs else None,
            "held": path == "small.bin",
        }
        for path, file in sorted(hub.manifest(repo_id).items())
    ]


def test_the_files_of_a_large_commit_come_in_pages(hub, rest, cache):
    assert cache.get("/api/models/org/many/tree/main?recursive=true").status == 200
    (commit,) = rest.list(rest.COMMITS, repo_id="org/many", sha=hub.sha("org/many"))
    page = rest.get(commit["files_href"], limit=10, offset=1195)
    assert page["count"] == 1201 and len(page["results"]) == 6
    everything = rest.list(commit["files_href"], limit=500)
    assert {file["path"] for file in everything} == set(hub.manifest("org/many"))


# Repositories.


def test_a_distribution_of_a_repository_alone_serves_what_is_in_it(hub, stack, rest, new_cache):
    source, repo_id = new_cache(repository=True), fresh_repo(hub)
    for path in ("config.json", "small.bin"):
        assert source.get(f"/{repo_id}/resolve/main/{path}").good
    wait_for_commits(source, 1)
    name = unique("pinned")
    rest.create(rest.DISTRIBUTIONS, name=name, base_path=name,
                repository=source.repository["pulp_href"])  # fmt: skip
    url = f"{stack.origin}/pulp/content/{name}"
    hub.reset()
    reply = wire.get(url, f"/{repo_id}/resolve/main/small.bin")
    assert reply.body == hub.bytes_of(repo_id, "small.bin")
    assert reply.headers["x-repo-commit"] == hub.sha(repo_id)
    assert wire.get(url, f"/api/models/{repo_id}").status == 200
    # What is not held cannot be had: there is no remote.
    assert wire.get(url, f"/{repo_id}/resolve/main/large.bin").status == 404
    assert wire.get(url, "/org/repo/resolve/main/config.json").error_code == "RepoNotFound"
    assert asked(hub) == []


def test_removing_a_commit_takes_its_refs_along(hub, rest, new_cache):
    cache, repo_id = new_cache(repository=True), fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    wait_for_commits(cache, 1)
    commit = commit_unit(cache, repo_id, hub.sha(repo_id))
    rest.run(f"{cache.repository['pulp_href']}modify/", remove_content_units=[commit["pulp_href"]])
    latest = rest.get(cache.repository["pulp_href"])["latest_version_href"]
    assert rest.list(rest.REFS, repository_version=latest) == []
    assert rest.list(rest.COMMITS, repository_version=latest) == []


def test_a_held_file_is_told_as_soon_as_it_is_served(hub, cache):
    repo_id = fresh_repo(hub)
    for path in ("config.json", "large.bin", "small.bin"):
        assert cache.get(f"/{repo_id}/resolve/main/{path}").good
        eventually(lambda: path in held_paths(cache, repo_id, hub.sha(repo_id)), 2)  # noqa: B023
