"""What the table of the routes tells, asked of a real store: who answers, and at what cost."""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from yarl import URL

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.operations import EVERY, READS, Operation, Who
from pulp_hugging_face.hub.surface import OPERATIONS
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from .conftest import Client, Makers, Serving
from .test_files import P

from pulp_hugging_face.serve.dispatch import HANDLERS  # isort: skip (after Django is configured)

LOCAL = {Who.HERE, Who.REFUSED}
# What may differ in answers that are equal.
_PASSING = ("Date", "Server", "X-HF-Warning")


def rows(*who: Who) -> Any:
    chosen = [row for row in OPERATIONS if row.who in who]
    return pytest.mark.parametrize(
        "row", chosen, ids=lambda row: f"{row.methods[0]} {row.patterns[0]}"
    )


def requests(hub: FixtureHub, row: Operation) -> Iterator[tuple[str, str]]:
    """Yield method and target of every example, GET before HEAD."""
    for target, method in itertools.product(row.examples, row.methods):
        yield method, target.replace("{sha}", hub.sha("org/repo"))


async def ask(
    client: Client, row: Operation, method: str, target: str
) -> tuple[int, Mapping[str, str], bytes]:
    headers = {"Authorization": f"Bearer {OWNER_TOKEN}"} if row.with_token else {}
    body = row.body.encode() if method == "POST" else None
    if body:
        headers["Content-Type"] = "application/json"
    url = URL(P + target, encoded=True)
    async with client.request(
        method, url, headers=headers, data=body, allow_redirects=False
    ) as answer:
        kept = {k: v for k, v in answer.headers.items() if k not in _PASSING}
        return answer.status, kept, await answer.read()


def check(
    row: Operation, request: tuple[str, str], status: int, headers: Mapping[str, str]
) -> None:
    assert (status, headers.get("X-Error-Code", "")) == (row.status, row.code), request
    if row.status >= 400:
        assert headers["X-Error-Message"]


@pytest.mark.asyncio
@rows(Who.STORE)
async def test_what_is_served_from_store_costs_nothing_and_needs_no_hub(
    serving: Serving, hub: FixtureHub, row: Operation
) -> None:
    fresh, doubting = await serving(), await serving(metadata_ttl=0)
    first = {}
    for request in requests(hub, row):
        await ask(doubting, row, *request)
        first[request] = await ask(fresh, row, *request)
        check(row, request, *first[request][:2])
    hub.reset()
    for request, answer in first.items():
        assert await ask(fresh, row, *request) == answer, request
    assert [entry.target for entry in hub.log()] == []
    hub.stop()
    try:
        for request, answer in first.items():
            assert await ask(doubting, row, *request) == answer, request
    finally:
        hub.start()


@pytest.mark.asyncio
@rows(Who.PASSED)
async def test_what_is_passed_through_costs_one_request_while_it_is_fresh(
    serving: Serving, hub: FixtureHub, row: Operation
) -> None:
    fresh, doubting = await serving(), await serving(metadata_ttl=0)
    first = {}
    for request in requests(hub, row):
        hub.reset()
        first[request] = await ask(fresh, row, *request)
        check(row, request, *first[request][:2])
        # HEAD is answered with what GET was, and the other way round.
        expected = 0 if any(target == request[1] for _, target in [*first][:-1]) else 1
        assert len(hub.log()) == expected, request
        hub.reset()
        assert await ask(fresh, row, *request) == first[request], request
        assert hub.log() == []
        await ask(doubting, row, *request)
    hub.stop()
    try:
        for request, answer in first.items():
            assert await ask(doubting, row, *request) == answer, request
    finally:
        hub.start()


@pytest.mark.asyncio
@rows(Who.RELAYED)
async def test_what_is_relayed_costs_a_request_each_time(
    serving: Serving, hub: FixtureHub, row: Operation
) -> None:
    client = await serving()
    for request in requests(hub, row):
        for _ in range(2):
            hub.reset()
            status, headers, _ = await ask(client, row, *request)
            check(row, request, status, headers)
            assert len(hub.log(origin="hub")) == 1


@pytest.mark.asyncio
@rows(Who.PASSED, Who.RELAYED)
async def test_without_a_remote_only_lists_are_answered(
    serving: Serving, makers: Makers, hub: FixtureHub, row: Operation
) -> None:
    view = await asyncio.to_thread(makers.view_of, None)
    client = await serving(view)
    expected = (200, None) if routes.ListRepos in row.routes else (404, "NotSupported")
    for request in requests(hub, row):
        status, headers, _ = await ask(client, row, *request)
        assert (status, headers.get("X-Error-Code")) == expected, request


@pytest.mark.asyncio
@rows(*LOCAL)
async def test_what_is_answered_here_or_refused_costs_nothing(
    serving: Serving, hub: FixtureHub, row: Operation
) -> None:
    client = await serving(hf_token=OWNER_TOKEN)
    hub.reset()
    for request in requests(hub, row):
        status, headers, _ = await ask(client, row, *request)
        check(row, request, status, headers)
    assert hub.log() == []


def test_reads_with_a_handler_are_those_that_the_store_or_the_hub_answers() -> None:
    answered = {
        route
        for row in OPERATIONS
        if row.who not in LOCAL and set(row.methods) >= set(READS)
        for route in row.routes
    }
    assert set(HANDLERS) == answered <= set(EVERY)
    assert routes.PathsInfo not in answered
