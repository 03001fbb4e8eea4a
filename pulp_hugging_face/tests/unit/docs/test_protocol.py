"""The protocol page is what the code makes of it, and its evidence exists."""

import ast

import pytest

from pulp_hugging_face.tests.client_limits import LIMITS
from pulp_hugging_face.tests.docs_blocks import PROJECT
from pulp_hugging_face.tests.functional import matrix
from pulp_hugging_face.tests.functional.clients import venvs
from pulp_hugging_face.tests.protocol_page import COMMAND, PAGE, page


def test_the_page_is_up_to_date() -> None:
    made, kept = page().splitlines(), PAGE.read_text(encoding="utf-8").splitlines()
    changed = [line for line in made if line not in kept] or "the order of its lines"
    assert made == kept, f"run `{COMMAND}` and commit {PAGE.name}; what changes: {changed}"


def test_the_command_exists() -> None:
    target = COMMAND.partition(" ")[2]
    assert f"\n{target}: " in (PROJECT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.client}: {limit.what}")
def test_evidence_of_what_clients_cannot_do_exists(limit) -> None:
    file, marker, test = limit.evidence.partition("::")
    if marker:
        tree = ast.parse((matrix.HERE / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    else:
        assert len(limit.evidence) > 10


def test_every_client_that_is_installed_is_named() -> None:
    kinds = {value for value in vars(venvs).values() if isinstance(value, venvs.ClientKind)}
    assert kinds == set(venvs.KINDS)
