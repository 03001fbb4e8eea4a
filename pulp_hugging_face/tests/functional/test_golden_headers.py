"""Every kind of answer, header by header: a change of any is a change for clients, and reviewed."""

import re
from dataclasses import replace

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from . import golden, wire
from .caches import Cache, eventually, make_cache
from .kinds import KINDS, STALE, TROUBLED, Kind, Place, Troubled, declare_place

REMOTES = {
    "open": {},
    "entitled": {"hf_token": OWNER_TOKEN},
    "doubting": {"metadata_ttl": 0},
}
# Names of machines and programs behind us, in any answer.
TELLING = re.compile(r"127\.0\.0\.2|aiohttp|python|gunicorn|huggingface-moon|xet-bridge|Signature")


@pytest.fixture(scope="session")
def place(hub_process: FixtureHub) -> Place:
    return declare_place(hub_process, "golden", seed=41)


def ask(cache: Cache, kind: Kind, place: Place) -> tuple[wire.Reply, Place]:
    """Ask, and return the place with the length that the body must have."""
    place = place.at(cache.url)
    with wire.connection(cache.url) as connection:
        reply = kind.ask(connection, place)
    whole = reply
    if kind.method == "HEAD":
        with wire.connection(cache.url) as connection:
            whole = replace(kind, method="GET").ask(connection, place)
    length = {"length": str(len(whole.body))} if whole.status == 200 else {}
    return reply, replace(place, values={**place.values, **length, **_seconds(reply)})


def _seconds(reply: wire.Reply) -> dict[str, str]:
    """Return what is left of the half minute for which the upstream limits us."""
    wait = reply.headers.get("retry-after", "")
    return {"seconds": wait} if wait.isdigit() and 25 < int(wait) < 40 else {}


def check(cache: Cache, kind: Kind, place: Place) -> None:
    reply, place = ask(cache, kind, place)
    if golden.UPDATE:
        golden.write(kind, place, reply)
    assert golden.answer_of(reply) == golden.expected(kind, place)
    assert not TELLING.search(str(dict(reply.headers)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_all_headers(hub, shared, place, kind):
    """Twice: what is held, or known, is told as at first."""
    cache = shared(**REMOTES[kind.cache])
    check(cache, kind, place)
    check(cache, kind, place)


@pytest.fixture(scope="module")
def outlasting(stack, hub_process, place) -> Cache:
    """A cache that was asked everything while the upstream was there; now it is away."""
    hub_process.reset_all()
    cache = make_cache(stack, hub_process, **REMOTES["doubting"])
    for kind in STALE:
        for _ in range(2):
            with wire.connection(cache.url) as connection:
                kind.ask(connection, place)
    return cache


@pytest.mark.parametrize("kind", STALE, ids=lambda kind: kind.name)
def test_all_headers_while_the_upstream_is_away(hub, outlasting, place, kind):
    hub.stop()
    check(outlasting, kind, place)


@pytest.mark.parametrize("troubled", TROUBLED, ids=lambda troubled: troubled.kind.name)
def test_all_headers_in_trouble(hub, new_cache, place, troubled: Troubled):
    """Nothing older is known."""
    cache = new_cache(**troubled.remote)
    if troubled.fault:
        hub.fault(**troubled.fault)
    else:
        hub.stop()
    check(cache, troubled.kind, place)


def test_every_golden_file_belongs_to_a_kind():
    kinds = (*KINDS, *STALE, *(troubled.kind for troubled in TROUBLED))
    assert len({kind.name for kind in kinds}) == len(kinds)
    assert {golden.path_of(kind) for kind in kinds} == set(golden.FOLDER.iterdir())


def test_the_number_of_an_answer_is_found_in_the_log(hub, new_cache):
    """What clients quote in their errors as "Request ID"."""
    cache = new_cache()
    hub.stop()
    number = cache.get("/org/repo/resolve/main/config.json").headers["x-request-id"]
    assert eventually(lambda: f"[{number}]" in cache.stack.logs(), 5)
