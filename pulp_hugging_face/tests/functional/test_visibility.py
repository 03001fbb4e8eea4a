"""
Who may see what: the answer of the Hub itself to the same caller, whether bytes are held or not.

Two differences are deliberate and documented: a 401 always says that it means "no such repository"
(§2.1), and a token the Hub does not know closes nothing that is public.
"""

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from pulp_hugging_face.tests.hub import (
    INVALID_TOKEN,
    NOBODY_TOKEN,
    OWNER_TOKEN,
    FixtureHub,
    UserSpec,
    repo,
)

from . import wire
from .caches import Cache, eventually, random_file, unique

REPOS: dict[str, dict[str, Any] | None] = {
    "public": {},
    "gated": {"gated": "manual"},
    "private": {"private": True},
    "private and gated": {"private": True, "gated": "auto"},
    "disabled": {"disabled": True},
    "absent": None,
}
BASIC = "Basic " + base64.b64encode(b"admin:password").decode()
CALLERS = {
    "anonymous": None,
    "nobody": f"Bearer {NOBODY_TOKEN}",
    "owner": f"Bearer {OWNER_TOKEN}",
    "invalid": f"Bearer {INVALID_TOKEN}",
    "pulp user": BASIC,
}
MODES: dict[str, dict[str, Any]] = {
    "client": {"token_mode": "client"},
    "shared, owner": {"hf_token": OWNER_TOKEN},
    "shared, nobody": {"hf_token": NOBODY_TOKEN},
    "shared, no token": {"token_mode": "shared"},
}


@dataclass(frozen=True)
class Word:
    """What an answer comes to: yes, or a status and a code."""

    status: int = 200
    code: str | None = None

    @classmethod
    def of(cls, reply: wire.Reply) -> "Word":
        if reply.status < 400:
            return cls()
        code = reply.error_code
        sentence = reply.headers.get("x-error-message", "")
        if reply.status == 401 and code is None and not sentence.startswith("Invalid credentials"):
            code = "RepoNotFound"  # as we say it; the Hub leaves it out
        return cls(reply.status, code)


def targets(repo_id: str, sha: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/api/models/{repo_id}"),
        ("GET", f"/api/models/{repo_id}/tree/{sha}"),
        ("GET", f"/api/models/{repo_id}/refs"),
        ("HEAD", f"/{repo_id}/resolve/main/config.json"),
        ("GET", f"/{repo_id}/resolve/{sha}/w.bin"),
    ]


def ask(url: str, method: str, target: str, authorization: str | None) -> Word:
    headers = {"Authorization": authorization} if authorization else {}
    return Word.of(wire.ask(url, target, method, headers))


def wanted(hub: FixtureHub, mode: str, method: str, target: str, caller: str) -> Word:
    """What the Hub says to whoever it is asked as: the caller, or the remote with its token."""
    as_remote = {"shared, owner": "owner", "shared, nobody": "nobody"}.get(mode, "anonymous")
    if mode != "client":
        return ask(hub.url, method, target, CALLERS[as_remote])
    known = caller if caller != "pulp user" else "anonymous"
    word = ask(hub.url, method, target, CALLERS[known])
    if caller == "invalid":
        anonymous = ask(hub.url, method, target, None)
        return anonymous if anonymous == Word() else word
    return word


@pytest.fixture(scope="module")
def declared(hub_process: FixtureHub) -> dict[str, tuple[str, str]]:
    """A repository of each kind, and its commit."""
    found = {}
    for kind, flags in REPOS.items():
        name = unique("org/kind")
        files = {"config.json": f'"{name}"\n', "w.bin": random_file(50_000)}
        hub_process.declare(repo(name, files, **(flags or {})))
        found[kind] = name, hub_process.sha(name)
        if flags is None:
            hub_process.delete_repo(name)
    return found


Case = tuple[str, str, str, str]


def assert_all(cache: Cache, expected: dict[Case, Word]) -> None:
    for (kind, caller, method, target), word in expected.items():
        found = ask(cache.url, method, target, CALLERS[caller])
        assert found == word, (kind, caller, method, target)


@pytest.mark.parametrize("mode", MODES)
def test_everybody_gets_what_the_hub_would_answer(hub, shared, new_cache, declared, mode):
    """First with nothing held, then with all bytes held through this and other remotes."""
    cache = new_cache(**MODES[mode])
    # Where the remote's token is for all, nobody's own makes a difference.
    callers = CALLERS if mode == "client" else ("anonymous", "owner", "invalid")
    expected = {
        (kind, caller, method, target): wanted(hub, mode, method, target, caller)
        for kind, place in declared.items()
        for method, target in targets(*place)
        for caller in callers
    }
    assert_all(cache, expected)
    other = shared(hf_token=OWNER_TOKEN)
    for repo_id, sha in declared.values():
        for held in (other, cache):
            for _, target in targets(repo_id, sha):
                ask(held.url, "GET", target, CALLERS["owner"])
    # In the other order, so that nobody's answer depends on whom was asked for before.
    assert_all(cache, dict(reversed(expected.items())))


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("gated", {"gated": "manual"}),
    ("access revoked", {"readers": []}),
    ("private", {"gated": False, "private": True, "readers": ["owner"]}),
    ("private and gated", {"gated": "auto"}),
    ("no access any more", {"readers": []}),
    ("disabled", {"private": False, "gated": False, "disabled": True}),
    ("public again", {"disabled": False, "readers": ["owner"]}),
]


@pytest.mark.parametrize("mode", ["client", "shared, owner"])
def test_what_changes_on_the_hub_changes_here(hub, new_cache, mode):
    """For all callers and both processes; held bytes and commits make no difference."""
    cache, name = new_cache(metadata_ttl=0, **MODES[mode]), unique("org/changing")
    hub.declare(repo(name, {"config.json": f'"{name}"\n', "w.bin": random_file(50_000)}))
    place = name, hub.sha(name)

    def as_the_hub() -> bool:
        """Each target several times, so that both processes are asked."""
        return all(
            ask(cache.url, method, target, CALLERS[caller])
            == wanted(hub, mode, method, target, caller)
            for method, target in targets(*place)
            for caller in ("anonymous", "nobody", "owner")
            for _ in range(3)
        )

    assert as_the_hub()
    for name, change in CHANGES:
        hub.update_repo(place[0], **change)
        try:
            eventually(as_the_hub, 15)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_a_callers_token_that_is_revoked_opens_nothing_any_more(hub, new_cache):
    token = "hf_leaver" + "x" * 34
    hub.add_users(UserSpec("leaver", token, "The Leaver", ("org",)))
    cache, private, gated = new_cache(metadata_ttl=0), unique("org/private"), unique("org/gated")
    files = {"config.json": "{}\n", "w.bin": random_file(50_000)}
    hub.declare(
        repo(private, files, private=True, readers=("leaver",)),
        repo(gated, files, gated="manual", readers=("leaver",)),
    )
    authorization = f"Bearer {token}"
    paths = [f"/{name}/resolve/{hub.sha(name)}/w.bin" for name in (private, gated)]
    assert all(ask(cache.url, "GET", path, authorization) == Word() for path in paths * 3)
    hub.revoke_token(token)

    def refused() -> bool:
        words = [ask(cache.url, "GET", path, authorization) for path in paths * 3]
        return all(word == Word(401) for word in words)

    eventually(refused, 10)


def test_who_was_let_in_is_let_in_by_every_process_while_the_hub_is_away(hub, new_cache):
    """And nobody else; also those processes that have never asked for them."""
    cache = new_cache(token_mode="client", metadata_ttl=0)
    names = [unique("org/private"), unique("org/gated")]
    for name, flags in zip(names, ({"private": True}, {"gated": "manual"}), strict=True):
        files = {"config.json": f'"{name}"\n', "w.bin": random_file(50_000)}
        hub.declare(repo(name, files, **flags))
    owner = {"Authorization": CALLERS["owner"]}
    paths = [f"/{name}/resolve/main/w.bin" for name in names]
    with wire.connection(cache.url) as connection:  # one process alone
        assert all(connection.ask("GET", path, owner).good for path in paths)
    hub.stop()
    for path in paths * 6:
        assert wire.ask(cache.url, path, "GET", owner, seconds=8).good
        assert ask(cache.url, "GET", path, None) != Word()
        assert ask(cache.url, "GET", path, CALLERS["nobody"]) != Word()
