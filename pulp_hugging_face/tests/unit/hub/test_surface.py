"""The table of the routes is whole, and its examples are what it says they are."""

import itertools

import pytest

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.operations import EVERY, MEANING, READS, WRITES, Operation, Who
from pulp_hugging_face.hub.surface import OPERATIONS

SHA = "0123456789abcdef0123456789abcdef01234567"
METHODS = (*READS, *WRITES, "OPTIONS")

each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.patterns[0])


def parsed(target: str) -> routes.Route:
    return routes.parse(target.partition("?")[0].format(sha=SHA))


def test_every_route_is_in_the_table_with_every_method() -> None:
    told = {(route, method) for row in OPERATIONS for route in row.routes for method in row.methods}
    assert set(itertools.product(EVERY, METHODS)) - told == set()
    assert routes.Resolve in EVERY and routes.Unknown in EVERY and routes.RepoRoute not in EVERY


@each
def test_examples_are_of_the_routes_they_are_examples_of(operation: Operation) -> None:
    found = {type(parsed(target)) for target in operation.examples}
    assert found <= set(operation.routes)
    if operation.methods != ("OPTIONS",):
        assert found == set(operation.routes)


def test_a_route_and_method_is_refused_or_it_is_not() -> None:
    """An example of a refusal is no example of anything else."""
    refused, others = (
        {
            (method, target.partition("?")[0])
            for row in OPERATIONS
            if (row.who is Who.REFUSED) is wanted
            for method in row.methods
            for target in row.examples
        }
        for wanted in (True, False)
    )
    assert refused & others == set()


@each
def test_rows_say_what_a_reader_needs(operation: Operation) -> None:
    assert operation.section.startswith("§") and operation.asked_by
    assert operation.methods and operation.examples
    refused = operation.who is Who.REFUSED
    assert refused == (operation.status >= 400 and operation.who is not Who.STORE)
    assert bool(operation.code) == (operation.status >= 400)
    assert not operation.instead or refused
    assert bool(operation.body) == ("POST" in operation.methods and not refused) or (
        routes.Telemetry in operation.routes
    )


def test_all_ways_of_answering_are_explained_and_occur() -> None:
    assert set(MEANING) == set(Who) == {row.who for row in OPERATIONS}


def test_patterns_are_told_apart() -> None:
    assert len({(row.patterns, row.methods) for row in OPERATIONS}) == len(OPERATIONS)
