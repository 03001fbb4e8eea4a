"""Whichever worker a client reaches: the same status, headers and bytes, cold, warm and stale."""

import itertools
import re
from collections.abc import Iterator

import pytest

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, FixtureHub, repo

from . import wire
from .caches import Cache, eventually, make_cache, unique
from .golden import lasting
from .kinds import KINDS, STALE, TROUBLED, Kind, Place, Troubled, declare_place
from .stack import Stack
from .test_golden_headers import REMOTES
from .workers import Workers

_SEEDS = itertools.count(50_000)
_RELATIVE = re.compile(r"(?<=t=)\d+|^\d+$")


def fresh_place(hub: FixtureHub) -> Place:
    """Repositories that no worker has heard of."""
    return declare_place(hub, unique("workers"), next(_SEEDS))


@pytest.fixture(scope="module")
def caches(stack: Stack, hub_process: FixtureHub) -> dict[str, Cache]:
    return {name: make_cache(stack, hub_process, **fields) for name, fields in REMOTES.items()}


@pytest.fixture(scope="module")
def workers(caches: dict[str, Cache]) -> Iterator[dict[str, Workers]]:
    """The same two workers at each of the caches."""
    found = {name: Workers(cache) for name, cache in caches.items()}
    yield found
    for each in found.values():
        each.close()


def seen(reply: wire.Reply) -> tuple[object, ...]:
    """Return all of an answer that must not depend on who gave it."""
    headers = lasting(reply)
    if reply.status == 429:  # told in seconds from now
        for name in ("retry-after", "ratelimit"):
            headers[name] = _RELATIVE.sub("…", headers.get(name, ""))
    return reply.status, reply.reason, sorted(headers.items()), reply.body, reply.broken


def assert_alike(replies: list[wire.Reply]) -> None:
    first, *others = [seen(reply) for reply in replies]
    for other in others:
        assert other == first


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_both_workers_answer_alike(hub, workers, kind: Kind):
    """Nobody was asked before; then one of them; then both; each begins in turn."""
    both = workers[kind.cache]
    for order in (both.pids, both.pids[::-1]):
        place = fresh_place(hub)
        assert_alike([both.ask(pid, kind, place) for pid in (*order, *order)])


@pytest.mark.parametrize("first", [0, 1])
def test_both_workers_answer_alike_from_memory_when_the_upstream_is_away(hub, workers, first: int):
    """Only one of them was asked while the upstream was there."""
    both, place = workers["doubting"], fresh_place(hub)
    order = both.pids if first == 0 else both.pids[::-1]
    for kind in STALE:
        for _ in range(2):
            both.ask(order[0], kind, place)
    hub.stop()
    for kind in STALE:
        replies = [both.ask(pid, kind, place) for pid in (*reversed(order), *order)]
        assert_alike(replies)
        assert replies[0].status < 400 or kind.name == "file-absent-stale", kind.name


@pytest.mark.parametrize("troubled", TROUBLED, ids=lambda troubled: troubled.kind.name)
def test_both_workers_are_honest_alike(hub, new_cache, troubled: Troubled):
    cache, place = new_cache(**troubled.remote), fresh_place(hub)
    both = Workers(cache)
    if troubled.fault:
        hub.fault(**troubled.fault)
    else:
        hub.stop()
    replies = [both.ask(pid, troubled.kind, place) for pid in both.pids]
    both.close()
    assert_alike(replies)
    assert replies[0].status in (429, 502, 504)


def test_a_list_passed_through_by_one_worker_is_what_the_other_gives(hub, workers):
    """The upstream says another thing already, but is not asked again so soon."""
    both, place = workers["open"], fresh_place(hub)
    for number, method in enumerate(("GET", "HEAD")):
        kind = Kind("list", f"/api/models?author={{space}}&search={number}", method)
        one, other = both.pids[:: 1 - 2 * number]
        before = both.ask(one, kind, place)
        hub.declare(repo(f"{place.values['space']}/later-{number}", {"a.txt": "a\n"}))
        hub.reset()
        assert_alike([before, both.ask(other, kind, place), both.ask(one, kind, place)])
        assert hub.counters().of("api_list") == 0


@pytest.mark.parametrize("target", ["/{private}/resolve/main/config.json",
                                    "/{gated}/resolve/main/config.json",
                                    "/{gated}/resolve/{closed_sha}/config.json",
                                    "/api/models/{private}"])  # fmt: skip
def test_grants_and_refusals_count_for_both_workers(hub, workers, target: str):
    """Every caller at every worker, in every order."""
    both = workers["open"]
    answers: dict[object, set[str]] = {}
    for tokens in itertools.permutations((None, NOBODY_TOKEN, OWNER_TOKEN)):
        place = fresh_place(hub)
        for token, turn in itertools.product(tokens, (1, -1)):
            for pid in both.pids[::turn]:
                reply = both.ask(pid, Kind("", target, token=token), place)
                answers.setdefault(token, set()).add(f"{reply.status} {reply.error_code}")
    code = "GatedRepo" if "gated" in target else "RepoNotFound"
    refused = "403" if "gated" in target else "404"
    assert answers == {
        None: {f"401 {code}"},
        NOBODY_TOKEN: {f"{refused} {code}"},
        OWNER_TOKEN: {"200 None"},
    }


def test_what_one_worker_may_no_longer_show_the_other_does_not_either(hub, workers):
    both, place = workers["doubting"], fresh_place(hub)
    kind = Kind("", "/{private}/resolve/main/config.json", token=OWNER_TOKEN)
    assert all(both.ask(pid, kind, place).good for pid in both.pids)
    hub.update_repo(place.values["private"], readers=[])
    assert both.ask(both.pids[0], kind, place).error_code == "RepoNotFound"
    replies = [both.ask(pid, kind, place) for pid in (*both.pids, *both.pids)]
    assert_alike(replies)
    hub.update_repo(place.values["private"], readers=["owner"])
    for pid in both.pids:
        eventually(lambda pid=pid: both.ask(pid, kind, place).good, 5)
