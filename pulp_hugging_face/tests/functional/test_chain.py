"""A cache of a cache: our own answers must be enough of a Hub for ourselves."""

import hashlib

import pytest

from .caches import MIB, Cache, eventually, fresh_repo, make_cache, random_file
from .clients.machine import ClientError
from .test_downloads import digests


@pytest.fixture
def chain(hub, lone, new_cache) -> Cache:
    """A cache whose upstream is a cache of another server, below a path prefix."""
    return new_cache(url=make_cache(lone, hub).url, redirect_hosts=[])


def test_snapshots_through_two_caches(hub, new_machine, client_kind, chain):
    machine = new_machine(client_kind, chain)
    repo_id = fresh_repo(hub)
    assert machine.do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    assert machine.do("snapshot", repo_id="gpt2") == digests(hub, "openai-community/gpt2")
    assert len(machine.do("tree", repo_id="org/many", recursive=True)) == 1237


def test_errors_through_two_caches(hub, new_client, chain):
    steps = {
        "RepositoryNotFoundError": {"repo_id": "org/nope", "filename": "x"},
        "RevisionNotFoundError": {"repo_id": "org/repo", "filename": "x", "revision": "nope"},
        "EntryNotFoundError": {"repo_id": "org/repo", "filename": "nope"},
        "GatedRepoError": {"repo_id": "org/gated", "filename": "config.json"},
    }
    outcomes = new_client(chain).outcomes(*(("download", asked) for asked in steps.values()))
    for expected, outcome in zip(steps, outcomes, strict=True):
        assert isinstance(outcome, ClientError) and expected in outcome.bases, outcome


def test_redirects_of_a_chain_lead_to_its_own_end(chain):
    reply = chain.get("/gpt2/resolve/main/config.json?a=b")
    own = f"/pulp/content/{chain.base_path}"
    assert reply.status == 307
    assert reply.headers["location"] == (
        f"{own}/openai-community/gpt2/resolve/main/config.json?a=b"
    )


def test_a_chain_answers_with_the_hub_stopped(hub, new_client, chain):
    repo_id = fresh_repo(hub)
    expected = digests(hub, repo_id)
    assert new_client(chain).do("snapshot", repo_id=repo_id) == expected
    hub.stop()
    assert new_client(chain).do("snapshot", repo_id=repo_id) == expected


def test_a_cache_of_a_cache_of_the_same_server_does_not_wait_for_itself(hub, new_cache):
    """Fills are single-flight in the domain: the upstream of a fill must not be that very fill."""
    outer = new_cache(url=new_cache().url, sock_read_timeout=4.0, max_retries=0)
    files = {f"{n}/config.json": f"{n}" for n in range(1100)}  # more than an info object tells
    repo_id = fresh_repo(hub, {**files, "large.bin": random_file(80 * MIB)})
    for path in ("7/config.json", "large.bin"):
        reply = outer.get(f"/{repo_id}/resolve/main/{path}")
        assert reply.good, reply
        assert hashlib.sha256(reply.body).hexdigest() == digests(hub, repo_id)[path]
    assert sum(entry.blob_bytes for entry in hub.log(kind="cdn_get")) == 80 * MIB


def test_a_cache_of_itself_says_so(stack, new_cache):
    """A slip of the pen in a remote's url must not keep the server busy with itself."""
    cache = new_cache()
    stack.rest.update(cache.remote["pulp_href"], url=cache.url)

    def says_so() -> bool:
        return cache.get("/org/repo/resolve/main/config.json").status == 508

    eventually(says_so)
    reply = cache.get("/api/models/org/repo")
    assert reply.status == 508
    assert reply.headers["x-error-code"] == "LoopDetected"
    assert "leads back to this server" in reply.headers["x-error-message"]


def test_marks_of_other_caches_go_on_to_the_upstream(hub, new_cache):
    """RFC 8586, 2: what others have written there must stay, or their loops go on for ever."""
    cache, repo_id = new_cache(), fresh_repo(hub)
    cache.get(f"/{repo_id}/resolve/main/config.json", CDN_Loop="cdn.example; v=1, b@d, other")
    entries = [entry for entry in hub.log(origin="hub") if repo_id in entry.url]
    assert entries
    for entry in entries:
        assert entry.headers["CDN-Loop"].startswith("cdn.example; v=1, other, pulp-hf-")
