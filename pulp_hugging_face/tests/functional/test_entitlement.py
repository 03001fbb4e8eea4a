"""Held bytes open no doors: who may see a repository is decided anew for everybody."""

import base64

import pytest

from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN, repo

from . import wire
from .caches import Cache, eventually, random_file, unique
from .clients.machine import ClientError
from .rest import Rest
from .stack import PASSWORD
from .upstream_log import asked

FILES = ("config.json", "w.bin")


@pytest.fixture(params=["private", "gated"])
def closed(hub, request) -> tuple[str, str]:
    """A repository only its owner may read, and how others are refused."""
    name = unique(f"org/{request.param}")
    flags = {"private": True} if request.param == "private" else {"gated": "manual"}
    hub.declare(repo(name, {"config.json": f"{name}\n", "w.bin": random_file(100_000)}, **flags))
    return name, "RepoNotFound" if request.param == "private" else "GatedRepo"


def ask_as(cache: Cache, target: str, token: str | None, method: str = "GET") -> wire.Reply:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return wire.ask(cache.url, target, method, headers)


def assert_open(hub, cache: Cache, repo_id: str, token: str | None) -> None:
    for path in FILES:
        reply = ask_as(cache, f"/{repo_id}/resolve/main/{path}", token)
        assert reply.body == hub.bytes_of(repo_id, path)


def assert_refused(hub, cache: Cache, repo_id: str, token: str | None, code: str) -> None:
    sha = hub.sha(repo_id)
    for revision in ("main", sha):
        for path in FILES:
            for method in ("GET", "HEAD"):
                reply = ask_as(cache, f"/{repo_id}/resolve/{revision}/{path}", token, method)
                assert reply.status in (401, 403, 404)
                assert reply.error_code == code
    if code == "RepoNotFound":  # of gated repositories information is public (§2.7)
        for target in ("", f"/revision/{sha}", "/tree/main", f"/tree/{sha}", "/refs"):
            reply = ask_as(cache, f"/api/models/{repo_id}{target}", token)
            assert (reply.status in (401, 404), reply.error_code) == (True, code), target


def test_the_token_of_one_remote_opens_nothing_through_another(hub, shared, closed):
    repo_id, code = closed
    with_token, without = shared(hf_token=OWNER_TOKEN), shared()
    assert_open(hub, with_token, repo_id, None)
    assert_refused(hub, without, repo_id, None, code)
    assert_refused(hub, shared(hf_token=NOBODY_TOKEN), repo_id, None, code)
    assert_open(hub, with_token, repo_id, None)


def test_in_mode_client_each_callers_token_decides(hub, shared, closed):
    repo_id, code = closed
    cache = shared(token_mode="client")
    assert_refused(hub, cache, repo_id, None, code)
    assert_open(hub, cache, repo_id, OWNER_TOKEN)
    assert_refused(hub, cache, repo_id, None, code)
    assert_refused(hub, cache, repo_id, NOBODY_TOKEN, code)
    reply = ask_as(cache, f"/{repo_id}/resolve/main/config.json", INVALID_TOKEN)
    assert reply.status == 401
    assert_open(hub, cache, repo_id, OWNER_TOKEN)


def test_in_mode_client_both_workers_decide_alike(hub, shared, closed):
    repo_id, code = closed
    cache = shared(token_mode="client")
    assert_open(hub, cache, repo_id, OWNER_TOKEN)
    target = f"/{repo_id}/resolve/main/w.bin"
    for _ in range(8):
        assert ask_as(cache, target, OWNER_TOKEN).good
        assert ask_as(cache, target, None).error_code == code
        assert ask_as(cache, target, NOBODY_TOKEN).error_code == code


def test_in_mode_client_the_remotes_token_serves_nobody(hub, shared, closed):
    repo_id, code = closed
    cache = shared(token_mode="client", hf_token=OWNER_TOKEN)
    assert_refused(hub, cache, repo_id, None, code)
    assert_refused(hub, cache, repo_id, NOBODY_TOKEN, code)
    assert_open(hub, cache, repo_id, OWNER_TOKEN)


def test_without_a_token_the_mode_is_client_and_with_one_shared(hub, shared, closed):
    repo_id, _ = closed
    assert_open(hub, shared(), repo_id, OWNER_TOKEN)
    assert_open(hub, shared(hf_token=OWNER_TOKEN), repo_id, None)


def test_an_invalid_callers_token_does_not_close_what_is_public(hub, shared):
    reply = ask_as(shared(), "/org/repo/resolve/main/config.json", INVALID_TOKEN)
    assert reply.good


def test_with_the_upstream_away_strangers_stay_strangers(hub, new_cache, closed):
    repo_id, _ = closed
    cache = new_cache(token_mode="client")
    assert_open(hub, cache, repo_id, OWNER_TOKEN)
    hub.stop()
    for token in (None, NOBODY_TOKEN):
        for path in FILES:
            assert not ask_as(cache, f"/{repo_id}/resolve/main/{path}", token).good


def test_a_withdrawn_token_is_noticed(hub, new_cache):
    """The remote's token is replaced by one without access: what was known is forgotten."""
    name = unique("org/private")
    hub.declare(repo(name, {"config.json": "x\n", "w.bin": random_file(1000)}, private=True))
    cache = new_cache(hf_token=OWNER_TOKEN)
    assert_open(hub, cache, name, None)
    cache.stack.rest.update(cache.remote["pulp_href"], hf_token=NOBODY_TOKEN)
    wait_until_refused(cache, name)
    assert_refused(hub, cache, name, None, "RepoNotFound")


def wait_until_refused(cache: Cache, repo_id: str) -> None:
    eventually(lambda: not ask_as(cache, f"/{repo_id}/resolve/main/config.json", None).good, 3)


@pytest.mark.matrix("A16")
def test_clients_with_and_without_the_token(hub, new_machine, client_kind, shared):
    name = unique("org/private")
    hub.declare(repo(name, {"config.json": "x\n", "w.bin": random_file(1000)}, private=True))
    cache = shared(token_mode="client")
    expected = {path: file.sha256 for path, file in hub.manifest(name).items()}
    assert new_machine(client_kind, cache, OWNER_TOKEN).do("snapshot", repo_id=name) == expected
    for token in (None, NOBODY_TOKEN):
        with pytest.raises(ClientError) as caught:
            new_machine(client_kind, cache, token).do("snapshot", repo_id=name)
        assert caught.value.name == "RepositoryNotFoundError"


# Content guards.


@pytest.fixture
def header_guard(stack) -> dict[str, str]:
    return stack.rest.create(
        "contentguards/core/header/", name=unique("guard"), header_name="X-Let-Me-In",
        header_value="please",
    )  # fmt: skip


def test_a_header_guard(hub, new_cache, header_guard):
    cache = new_cache(content_guard=header_guard["pulp_href"])
    for target in ("/org/repo/resolve/main/config.json", "/api/models/org/repo",
                   "/api/models/org/repo/tree/main", "/org/repo/resolve/main/nope"):  # fmt: skip
        for method in ("GET", "HEAD"):
            assert wire.ask(cache.url, target, method).status == 403
            assert wire.ask(cache.url, target, method, {"X-Let-Me-In": "now!"}).status == 403
    assert asked(hub) == []
    # pulpcore expects the value in base64-encoded form.
    key = base64_of("please")
    reply = wire.ask(cache.url, "/org/repo/resolve/main/config.json", headers={"X-Let-Me-In": key})
    assert reply.body == hub.bytes_of("org/repo", "config.json")


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_an_rbac_guard_lets_those_with_the_role_in(hub, stack, new_cache):
    rest = stack.rest
    guard = rest.create("contentguards/core/rbac/", name=unique("guard"))
    insider, outsider = unique("insider"), unique("outsider")
    for name in (insider, outsider):
        rest.create("users/", username=name, password=PASSWORD)
    rest.create(
        f"{guard['pulp_href']}add_role/", role="core.rbaccontentguard_downloader", users=[insider]
    )
    cache = new_cache(content_guard=guard["pulp_href"])
    target = "/org/repo/resolve/main/config.json"
    for credentials in (None, f"{outsider}:{PASSWORD}", f"{insider}:wrong"):
        headers = {"Authorization": f"Basic {base64_of(credentials)}"} if credentials else {}
        assert wire.ask(cache.url, target, headers=headers).status in (401, 403)
    headers = {"Authorization": f"Basic {base64_of(f'{insider}:{PASSWORD}')}"}
    reply = wire.ask(cache.url, target, headers=headers)
    assert reply.body == hub.bytes_of("org/repo", "config.json")


def test_a_guard_put_on_later_counts_at_once(hub, cache, header_guard):
    target = "/org/repo/resolve/main/config.json"
    assert cache.get(target).good
    rest: Rest = cache.stack.rest
    rest.update(cache.distribution["pulp_href"], content_guard=header_guard["pulp_href"])
    eventually(lambda: cache.get(target).status == 403, 2)
    assert all(cache.get(target).status == 403 for _ in range(6))
