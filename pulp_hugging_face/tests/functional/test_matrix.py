"""The conformance matrix is whole: no line without a test, no test of a line that is not there."""

import re
from pathlib import Path

from . import matrix


def test_every_line_has_a_test():
    assert set(matrix.LINES) == {proof.line for proof in matrix.proofs()}


def test_the_table_names_every_proof():
    table = matrix.table()
    rows = [row for row in table.splitlines() if re.match(r"\| [A-E]\d+ \|", row)]
    assert len(rows) == len(matrix.LINES)
    for proof in matrix.proofs():
        assert f"`{proof.file}::{proof.test}`" in table
        assert f"def {proof.test}(" in (Path(matrix.__file__).parent / proof.file).read_text()
