"""Cores that a process may use."""

import os
from pathlib import Path

import pytest

from pulp_hugging_face.standalone.cores import usable_cores

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("told", "cores"),
    [
        ("max 100000", HERE),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("9900000 100000", HERE),
        ("0 100000", 1),
        ("what?", HERE),
        ("", HERE),
    ],
)
def test_a_container_may_have_fewer_cores_than_its_machine(
    tmp_path: Path, told: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(told + "\n")
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_a_container_the_cores_are_those_of_the_machine(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none") == HERE
