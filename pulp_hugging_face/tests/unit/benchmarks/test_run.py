"""The order of a run, who takes part in it, and what a failure costs."""

import os
import time

import pytest

from benchmarks import __main__ as command
from benchmarks import processes, run
from benchmarks.load import LoadError
from benchmarks.preflight import Refused
from benchmarks.profile import parse_stacks, table
from benchmarks.rows.base import Bench, Metric, Row
from benchmarks.sizes import MODES


class Recorded(Row):
    """Notes who was asked; some servers fail."""

    name = "recorded"
    metrics = (Metric("seen", "seen", "s", "A metric of this test."),)
    servers = ("ours", "olah", "nginx-cache")

    def __init__(self, wrong: str = "", dying: str = "") -> None:
        self.wrong, self.dying = wrong, dying
        self.asked: list[tuple[int, str]] = []

    def repetitions(self, sizes) -> int:
        return 3

    def prepare(self, bench) -> None:
        self.asked.clear()

    def check(self, bench, server) -> None:
        if server == self.wrong:
            raise Refused("the size is 3, not 4")

    def sample(self, bench, server, repetition) -> dict[str, float]:
        self.asked.append((repetition, server))
        if server == self.dying and repetition == 1:
            raise LoadError("status 500")
        return {"seen": float(repetition)}


NAMES = ["ours", "nginx-static", "nginx-cache", "olah"]


def measured(row: Row, result) -> None:
    bench = Bench(MODES["quick"], None, None, {name: name for name in NAMES})  # type: ignore[arg-type]
    result.cells.clear()
    run.measure(row, bench, result, NAMES, lambda text: None)


def test_servers_take_turns_and_another_one_begins_each_time(result):
    row = Recorded()
    measured(row, result)
    orders = [[name for number, name in row.asked if number == n] for n in range(3)]
    assert orders[0] == ["ours", "nginx-cache", "olah"]
    assert orders[1] == ["nginx-cache", "olah", "ours"]
    assert orders[2] == ["olah", "ours", "nginx-cache"]
    assert result.cells["seen"]["ours"].samples == [0.0, 1.0, 2.0]
    assert "nginx-static" not in result.cells["seen"]


def test_a_wrong_answer_costs_the_number(result):
    row = Recorded(wrong="olah")
    measured(row, result)
    assert {name for _, name in row.asked} == {"ours", "nginx-cache"}
    assert result.cells["seen"]["olah"].reason == "preflight: the size is 3, not 4"
    assert result.cells["seen"]["olah"].summary is None


def test_a_failure_under_load_costs_the_number_too(result):
    row = Recorded(dying="nginx-cache")
    measured(row, result)
    assert (2, "nginx-cache") not in row.asked
    cell = result.cells["seen"]["nginx-cache"]
    assert cell.reason == "failed: status 500" and cell.summary is None
    assert result.cells["seen"]["ours"].samples == [0.0, 1.0, 2.0]


def test_a_full_disk_is_told_before_anything_starts(monkeypatch, tmp_path):
    usage = type("Usage", (), {"free": 1 << 30})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    plan = run.Plan("full", (), (), folder=tmp_path)
    with (
        pytest.raises(run.CannotRun, match="45 GiB are needed on the disk and 1 GiB are free"),
        run.temporary_folder(plan),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_names_on_the_command_line():
    options = command.parse(["--rows", "cold, hot", "--servers", "ours", "--quick"])
    assert options.rows == ["hot", "cold"]
    assert options.servers == ["ours"]


def test_a_strange_name_is_told_with_those_that_are_known(capsys):
    with pytest.raises(SystemExit):
        command.parse(["--rows", "hto"])
    said = capsys.readouterr().err
    assert "hto given, known are hot, api" in said


def test_cpu_time_and_memory_of_this_process():
    pids = processes.tree(os.getpid())
    assert pids[0] == os.getpid()
    before = processes.cpu_seconds(pids[:1])
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    assert processes.cpu_seconds(pids[:1]) > before
    assert processes.proportional_memory(os.getpid()) > 1 << 20


def test_a_process_that_is_gone_has_used_nothing():
    assert processes.cpu_seconds([2**22 + 1]) == 0


def test_stacks_are_counted_once_per_function():
    text = (
        "run (a/b/loop.py:3);f (c/d/mod.py:1);f (c/d/mod.py:9) 3\n"
        "run (a/b/loop.py:4);g (c/d/mod.py:2) 1\n"
        "_worker (concurrent/futures/thread.py:81);wait (libc.so.6) 50\n"
    )
    found = parse_stacks(text)
    assert found.samples == 4
    assert found.own == {"f (d/mod.py)": 3, "g (d/mod.py)": 1}
    assert found.total["run (b/loop.py)"] == 4 and found.total["f (d/mod.py)"] == 3
    assert "| `f (d/mod.py)` | 75.0 |" in table("Function itself", found.own, found.samples)
