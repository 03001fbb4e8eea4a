"""Several processes fill one file: nothing twice, whoever dies, and every byte right."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulp_hugging_face.blobs.manager import FOLDER
from pulp_hugging_face.blobs.segments import PARALLEL_ABOVE, SEGMENT
from pulp_hugging_face.tests.docs_blocks import PROJECT

from .crew import blob_of, fetched
from .sources import MIB, names

Crew = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Starts processes; those that a failed test leaves are ended."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> "subprocess.Popen[bytes]":
        module = "pulp_hugging_face.tests.unit.blobs.crew"
        command = [sys.executable, "-m", module, str(tmp_path), *map(str, arguments)]
        started.append(subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def make_truth(folder: Path, size: int) -> None:
    (folder / "truth").write_bytes(random.Random(size).randbytes(size))


def total(folder: Path) -> int:
    return sum(length for _, _, length in fetched(folder))


def wait_for_bytes(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while total(folder) < count:
        assert time.monotonic() < deadline, "the fill stands still"
        time.sleep(0.002)


def succeed(process: "subprocess.Popen[bytes]") -> None:
    _, complaint = process.communicate(timeout=90)
    assert process.returncode == 0, complaint.decode()[-3000:]


def check_kept(folder: Path) -> None:
    blob = blob_of(folder)
    assert (folder / "kept" / blob.key).read_bytes() == (folder / "truth").read_bytes()
    assert names(folder / FOLDER) == []


@pytest.mark.parametrize("size", [3 * MIB + 7, 40 * MIB + 1, PARALLEL_ABOVE + 40 * MIB + 5])
def test_processes_share_one_download(tmp_path: Path, crew: Crew, size: int) -> None:
    make_truth(tmp_path, size)
    processes = [crew(n, 4) for n in range(3)]
    for process in processes:
        succeed(process)
    check_kept(tmp_path)
    # Transfers break here, but what has arrived is never asked for again.
    assert total(tmp_path) == size


def test_who_is_killed_costs_only_what_was_under_way(tmp_path: Path, crew: Crew) -> None:
    size = 3 * PARALLEL_ABOVE
    make_truth(tmp_path, size)
    processes = [crew(n, 6) for n in range(3)]
    killed = 0
    for fraction in (0.2, 0.5, 0.8):
        wait_for_bytes(tmp_path, int(fraction * size))
        busiest = _busiest(tmp_path, processes)
        os.kill(busiest.pid, signal.SIGKILL)
        busiest.wait()
        processes.remove(busiest)
        processes.append(crew(int(fraction * 100), 6))
        killed += 1
    for process in processes:
        succeed(process)
    check_kept(tmp_path)
    assert size <= total(tmp_path) <= 1.1 * size
    assert killed == 3


def _busiest(folder: Path, processes: "list[subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
    """Return the living process that fetched the last bytes."""
    living = {process.pid: process for process in processes}
    for pid, _, _ in reversed(fetched(folder)):
        if pid in living:
            return living[pid]
    return processes[0]


def test_all_are_killed_and_the_next_start_goes_on(tmp_path: Path, crew: Crew) -> None:
    size = 50 * MIB
    make_truth(tmp_path, size)
    processes = [crew(n, 1) for n in range(2)]
    wait_for_bytes(tmp_path, size // 2)
    for process in processes:
        process.kill()
        process.wait()
    assert len(names(tmp_path / FOLDER)) == 2
    succeed(crew(7, 1))
    check_kept(tmp_path)
    assert total(tmp_path) <= size + SEGMENT  # the one that was under way


def test_ranges_are_kept_and_never_fetched_twice(tmp_path: Path, crew: Crew) -> None:
    size = 90 * MIB
    make_truth(tmp_path, size)
    for process in [crew(n, 5, "ranges") for n in range(3)]:
        succeed(process)
    before = total(tmp_path)
    assert before < size // 2
    spans = sorted((offset, offset + length) for _, offset, length in fetched(tmp_path))
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans))
    succeed(crew(9, 1))
    check_kept(tmp_path)
    assert total(tmp_path) == size
