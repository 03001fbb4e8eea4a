"""Refusals in the Hub's words, and what clients make of them."""

import pytest

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, repo

from . import wire
from .caches import Cache, eventually, unique
from .clients.machine import ClientError
from .upstream_log import asked


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


def test_exceptions_of_the_client(hub, machine):
    steps = {
        "RepositoryNotFoundError": ("download", {"repo_id": "org/nope", "filename": "x"}),
        "RevisionNotFoundError": (
            "download", {"repo_id": "org/repo", "filename": "config.json", "revision": "nope"},
        ),
        "EntryNotFoundError": ("download", {"repo_id": "org/repo", "filename": "nope.json"}),
        "GatedRepoError": ("download", {"repo_id": "org/gated", "filename": "config.json"}),
    }  # fmt: skip
    outcomes = machine.outcomes(*steps.values())
    for expected, outcome in zip(steps, outcomes, strict=True):
        assert isinstance(outcome, ClientError), expected
        assert expected in outcome.bases, (expected, outcome)


def test_exceptions_of_the_api(hub, machine):
    steps = {
        "RepositoryNotFoundError": ("info", {"repo_id": "org/nope"}),
        "RevisionNotFoundError": ("info", {"repo_id": "org/repo", "revision": "nope"}),
        "EntryNotFoundError": ("tree", {"repo_id": "org/repo", "path_in_repo": "nope"}),
    }
    for expected, outcome in zip(steps, machine.outcomes(*steps.values()), strict=True):
        assert isinstance(outcome, ClientError), expected
        assert expected in outcome.bases, (expected, outcome)


def test_a_disabled_repository(hub, machine):
    with pytest.raises(ClientError) as caught:
        machine.do("info", repo_id="org/disabled")
    assert caught.value.name == "DisabledRepoError"


@pytest.mark.matrix("A10")
def test_a_missing_file_is_remembered_by_the_client(hub, machine):
    """`.no_exist` saves transformers several requests at every start; it needs X-Repo-Commit."""
    asked = {"repo_id": "org/repo", "filename": "adapter_config.json"}
    with pytest.raises(ClientError):
        machine.do("download", **asked)
    sha = hub.sha("org/repo")
    mark = machine.hub_cache / "models--org--repo" / ".no_exist" / sha / "adapter_config.json"
    assert mark.exists()
    assert machine.do("known_missing", **asked) is True


def test_existence_questions(hub, machine):
    questions = [
        (("exists", {"what": "file", "repo_id": "org/repo", "filename": "config.json"}), True),
        (("exists", {"what": "file", "repo_id": "org/repo", "filename": "nope"}), False),
        (("exists", {"what": "repo", "repo_id": "org/repo"}), True),
        (("exists", {"what": "repo", "repo_id": "org/nope"}), False),
        (("exists", {"what": "repo", "repo_id": "org/gated"}), True),
        (("exists", {"what": "revision", "repo_id": "org/repo", "revision": "v1"}), True),
        (("exists", {"what": "revision", "repo_id": "org/repo", "revision": "nope"}), False),
    ]
    answers = machine.outcomes(*(step for step, _ in questions))
    assert answers == [expected for _, expected in questions]


@pytest.mark.parametrize(
    ("target", "status", "code", "commit"),
    [
        ("/org/nope/resolve/main/x", (401, 404), "RepoNotFound", False),
        ("/api/models/org/nope", (401, 404), "RepoNotFound", False),
        ("/org/repo/resolve/nope/config.json", (404,), "RevisionNotFound", False),
        ("/api/models/org/repo/revision/nope", (404,), "RevisionNotFound", False),
        ("/org/repo/resolve/main/nope.json", (404,), "EntryNotFound", True),
        ("/org/repo/resolve/main/one", (404,), "EntryNotFound", True),
        ("/api/models/org/repo/tree/main/nope", (404,), "EntryNotFound", True),
        ("/org/gated/resolve/main/config.json", (401,), "GatedRepo", False),
        ("/org/priv/resolve/main/config.json", (401, 404), "RepoNotFound", False),
    ],
)
def test_status_and_headers_of_refusals(hub, cache, target, status, code, commit):
    for method in ("GET", "HEAD"):
        reply = wire.ask(cache.url, target, method)
        assert reply.status in status
        assert reply.error_code == code
        assert reply.headers["x-error-message"]
        found = reply.headers.get("x-repo-commit")
        assert found == (hub.sha("org/repo") if commit else None)
    assert "text/html" not in reply.headers["content-type"]


def test_404_of_a_missing_file_is_answered_without_asking_again(hub, cache):
    cache.get("/org/repo/resolve/main/nope.json")
    hub.reset()
    assert cache.get("/org/repo/resolve/main/also-not.json").error_code == "EntryNotFound"
    assert cache.get("/org/repo/resolve/main/nope.json").error_code == "EntryNotFound"
    assert asked(hub) == []


def test_a_short_sha_means_what_the_upstream_says(hub, cache):
    reply = cache.get(f"/org/repo/resolve/{hub.sha('org/repo')[:10]}/config.json")
    assert reply.headers["x-repo-commit"] == hub.sha("org/repo")
    assert cache.get("/org/repo/resolve/0123456789/config.json").error_code == "RevisionNotFound"


def test_a_repository_that_appears_later_is_found_soon(hub, cache):
    repo_id = unique("org/later")
    assert cache.get(f"/{repo_id}/resolve/main/a.txt").status in (401, 404)
    hub.declare(repo(repo_id, {"a.txt": "here\n"}))
    eventually(lambda: cache.get(f"/{repo_id}/resolve/main/a.txt").body == b"here\n", 5)


def test_methods_that_change_something_are_not_offered(cache):
    for method in ("PUT", "DELETE", "PATCH"):
        reply = wire.ask(cache.url, "/org/repo/resolve/main/config.json", method)
        assert reply.status == 405
    reply = wire.ask(cache.url, "/api/models/org/repo/commit/main", "POST", body=b"{}")
    assert 400 <= reply.status < 500 and reply.error_code


@pytest.mark.matrix("A15")
def test_gated_files_by_the_callers_token(hub, new_client, cache):
    file = hub.file("org/gated", "model.safetensors")
    asked = {"repo_id": "org/gated", "filename": "model.safetensors"}
    assert new_client(cache, OWNER_TOKEN).do("download", **asked)["sha256"] == file.sha256
    for token in (None, NOBODY_TOKEN):
        with pytest.raises(ClientError) as caught:
            new_client(cache, token).do("download", **asked)
        assert caught.value.name == "GatedRepoError"
