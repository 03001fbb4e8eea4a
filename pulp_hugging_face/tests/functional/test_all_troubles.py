"""
Everything that can be the matter with an upstream, at once: each kind with a cache of its own.

What was ever asked for goes on, through raw HTTP and real clients; afterwards new commits appear by
themselves; and nothing wrong is kept.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from . import wire
from .caches import Cache, eventually, fresh_repo, random_file
from .clients.venvs import HUB_036, HUB_24

# "Well under ten seconds": what clients wait for an answer to begin (§2.2).
PATIENCE = 8.0
LOGIN_PAGE = {"Content-Type": "text/html; charset=utf-8", "X-Repo-Commit": None}

# What goes wrong with all that is asked about a repository.
FAULTS: dict[str, dict[str, Any]] = {
    "connections are cut": {"mode": "offline"},
    "500": {"mode": "status", "status": 500},
    "503": {"mode": "status", "status": 503, "headers": {"Retry-After": "60"}},
    "429": {"mode": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "a bare 404": {"mode": "status", "status": 404},
    "a firewall's 403": {"mode": "status", "status": 403},
    "no first byte": {"mode": "slow_first_byte", "seconds": 30},
    "stalls": {"mode": "stall", "after": 20, "seconds": 30},
    "breaks off": {"mode": "cut", "after": 20},
    "a login page": {"mode": "mislabelled", "headers": LOGIN_PAGE},
    "to a login page": {"mode": "redirect_to", "location": "/login"},
    "to another's login page": {"mode": "redirect_to", "location": "http://127.0.0.3:1/login"},
    "broken JSON": {"mode": "mislabelled", "text": '{"id": "org/'},
    "other JSON": {"mode": "mislabelled", "text": '{"id": "org/other"}'},
}
# What goes wrong on the way to it: these lead through a proxy that is not there.
PROXIES: dict[str, Callable[[FixtureHub], str]] = {
    "refused": lambda hub: "http://127.0.0.1:1",
    "no such name": lambda hub: "http://no-such-host.invalid:3128",
    "no TLS": lambda hub: hub.url.replace("http://", "https://"),
}


@dataclass(frozen=True)
class Place:
    """A repository behind a cache of its own, and what is the matter with it."""

    trouble: str
    cache: Cache
    repo_id: str
    sha: str
    lfs: str

    @property
    def paths(self) -> list[str]:
        return ["config.json", self.lfs]

    def ask(self, target: str, method: str = "GET", body: bytes = b"") -> wire.Reply:
        headers = {"Content-Type": "application/json"} if body else {}
        return wire.ask(self.cache.url, target, method, headers, body, seconds=PATIENCE)


def in_parallel(work: Callable[[Any], None], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, items))


@pytest.fixture
def places(hub, new_cache) -> list[Place]:
    """All kinds, warmed: every read was made once."""
    found = []
    for trouble in (*FAULTS, *PROXIES):
        # The file's name is that of its repository, so that addresses of its bytes have it, too.
        cache = new_cache(metadata_ttl=0, sock_read_timeout=2.0, total_timeout=3.0)
        number = len(found)
        lfs = f"weights-{number}-{cache.base_path}.bin"
        config = f'{{"seed": "{cache.base_path}"}}\n'
        repo_id = fresh_repo(hub, {"config.json": config, lfs: random_file(200_000)})
        found.append(Place(trouble, cache, repo_id, hub.sha(repo_id), lfs))
    in_parallel(lambda place: assert_reads(hub, place), found)
    return found


def assert_reads(hub: FixtureHub, place: Place) -> None:
    """Every kind of read gives what the Hub last said while all was well."""
    for revision in ("main", place.sha):
        for path in place.paths:
            for method in ("HEAD", "GET"):
                reply = place.ask(f"/{place.repo_id}/resolve/{revision}/{path}", method)
                assert reply.good, (place, reply)
                assert reply.headers["x-repo-commit"] == place.sha
            assert reply.body == hub.bytes_of(place.repo_id, path, place.sha)
        info = place.ask(f"/api/models/{place.repo_id}/revision/{revision}")
        assert json.loads(info.body)["sha"] == place.sha, (place, info)
        tree = place.ask(f"/api/models/{place.repo_id}/tree/{revision}?recursive=true")
        assert {item["path"] for item in json.loads(tree.body)} >= set(place.paths)
        body = json.dumps({"paths": place.paths}).encode()
        paths = place.ask(f"/api/models/{place.repo_id}/paths-info/{revision}", "POST", body)
        assert {item["path"] for item in json.loads(paths.body)} == set(place.paths)
    refs = json.loads(place.ask(f"/api/models/{place.repo_id}/refs").body)
    assert [item["targetCommit"] for item in refs["branches"]] == [place.sha]


def make_trouble(hub: FixtureHub, place: Place) -> None:
    if place.trouble in FAULTS:
        hub.fault(path=f"*{place.repo_id}*", **FAULTS[place.trouble])
        hub.fault(path=f"*{place.lfs}*", origin="cdn", **FAULTS[place.trouble])
    else:
        proxy(place, PROXIES[place.trouble](hub))


def proxy(place: Place, url: str | None) -> None:
    place.cache.stack.rest.update(place.cache.remote["pulp_href"], proxy_url=url)


def test_what_was_warmed_goes_on_in_every_kind_of_trouble_and_what_is_new_comes_after_it(
    hub, new_machine, places
):
    in_parallel(lambda place: make_trouble(hub, place), places)
    in_parallel(lambda place: eventually(lambda: is_stale(place), 10), places)
    in_parallel(lambda place: assert_reads(hub, place), places)
    in_parallel(lambda kind: assert_client(hub, new_machine(kind, ""), places), (HUB_036, HUB_24))

    hub.clear_faults()
    for place in places:
        if place.trouble in PROXIES:
            proxy(place, None)
    for place in places:
        hub.add_commit(place.repo_id, {"config.json": f"new {place.repo_id}\n"})
    in_parallel(lambda place: assert_recovers(hub, place), places)
    in_parallel(lambda place: assert_held_as_before(hub, place), places)


def is_stale(place: Place) -> bool:
    """Tell whether both content processes (most likely) have noticed, and say so."""
    target = f"/{place.repo_id}/resolve/main/config.json"
    return all("x-hf-warning" in place.ask(target, "HEAD").headers for _ in range(4))


def assert_client(hub: FixtureHub, machine: Any, places: list[Place]) -> None:
    steps = [
        (
            "everything",
            {
                "endpoint": place.cache.url,
                "repo_id": place.repo_id,
                "sha": place.sha,
                "paths": place.paths,
                "folder": str(machine.home / str(number)),
            },
        )
        for number, place in enumerate(places)
    ]
    for place, found in zip(places, machine.outcomes(*steps), strict=True):
        assert found == expected(hub, place), place


def expected(hub: FixtureHub, place: Place) -> dict[str, Any]:
    digests = {path: file.sha256 for path, file in hub.manifest(place.repo_id).items()}
    names = sorted(place.paths)
    return {
        "files": {
            f"{revision} {path}": digests[path]
            for revision in ("main", place.sha)
            for path in place.paths
        },
        "snapshot": names,
        "info": [place.sha, names],
        "tree": names,
        "refs": {"main": place.sha},
        "paths": names,
    }


def assert_recovers(hub: FixtureHub, place: Place) -> None:
    """Soon, by itself, in all processes, and then without a word of it."""
    sha, target = hub.sha(place.repo_id), f"/{place.repo_id}/resolve/main/config.json"

    def is_new() -> bool:
        replies = [place.ask(target) for _ in range(4)]
        assert all(reply.good for reply in replies)
        for reply in replies:
            commit = reply.headers["x-repo-commit"]
            assert reply.body == hub.bytes_of(place.repo_id, "config.json", commit), reply
        calm = not any("x-hf-warning" in reply.headers for reply in replies)
        return calm and all(reply.headers["x-repo-commit"] == sha for reply in replies)

    eventually(is_new, 30)


def assert_held_as_before(hub: FixtureHub, place: Place) -> None:
    for path in place.paths:
        reply = place.ask(f"/{place.repo_id}/resolve/{place.sha}/{path}")
        want = hashlib.sha256(hub.bytes_of(place.repo_id, path, place.sha)).hexdigest()
        assert hashlib.sha256(reply.body).hexdigest() == want


# Bytes that nobody holds yet.

# A rate limit holds back all requests to the remote: it has a test of its own.
BODIES = {name: fault for name, fault in FAULTS.items() if name not in ("429", "other JSON")} | {
    "half a body": {"mode": "short"},
    "too long a body": {"mode": "wrong_length"},
    "flipped bits": {"mode": "corrupt"},
    "a web page of the same length": {"mode": "mislabelled", "headers": {"Content-Type": None}},
}


def test_cold_files_are_never_wrong_and_come_when_the_trouble_is_over(hub, new_cache):
    """Regular and LFS files, on the way from the Hub and from its storage."""
    cache = new_cache(max_retries=0, sock_read_timeout=2.0)
    cold = []
    for number, (trouble, fault) in enumerate(BODIES.items()):
        lfs, text = f"cold-{number}-{cache.base_path}.bin", f"cold-{number}-{cache.base_path}.txt"
        repo_id = fresh_repo(hub, {lfs: random_file(100_000), text: f"{number} {cache.url}\n" * 99})
        assert cache.head(f"/{repo_id}/resolve/main/{lfs}").status == 200
        for path, kind in ((lfs, "cdn_get"), (text, "resolve_get"), (text, "resolve_cache")):
            hub.fault(path=f"*{path}*", kind=kind, **fault)
        cold += [(trouble, repo_id, lfs), (trouble, repo_id, text)]

    def assert_honest(item: tuple[str, str, str]) -> None:
        _, repo_id, path = item
        reply = cache.get(f"/{repo_id}/resolve/main/{path}")
        assert not reply.good or reply.body == hub.bytes_of(repo_id, path), item
        assert reply.status in (200, 429, 502, 504), (item, reply)

    def comes(item: tuple[str, str, str]) -> None:
        _, repo_id, path = item
        want, target = hub.bytes_of(repo_id, path), f"/{repo_id}/resolve/main/{path}"
        eventually(lambda: cache.get(target).body == want, 15)

    in_parallel(assert_honest, cold)
    hub.clear_faults()
    in_parallel(comes, cold)
