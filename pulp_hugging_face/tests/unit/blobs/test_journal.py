"""The journal as several processes see it (each opening of it is as good as a process)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pulp_hugging_face.blobs import journal as module
from pulp_hugging_face.blobs.journal import Flag, Journal, Lock, State, peek
from pulp_hugging_face.blobs.segments import Layout

LAYOUT = Layout(1000, 64)  # 16 segments, the last of 40 bytes
COUNT = LAYOUT.count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


@pytest.fixture
def two(path: Path) -> Iterator[tuple[Journal, Journal]]:
    first = opened(path, new=True)
    second = opened(path)
    yield first, second
    first.close()
    second.close()


def opened(path: Path, layout: Layout = LAYOUT, *, new: bool = False) -> Journal:
    journal = Journal(path, layout)
    if new:
        journal.format()
    journal.map()
    return journal


def test_what_one_marks_the_other_sees(two: tuple[Journal, Journal]) -> None:
    one, other = two
    for index in (0, 3, COUNT - 1):
        one.mark(index)
    assert [n for n in range(COUNT) if other.present(n)] == [0, 3, COUNT - 1]
    assert other.present_bytes() == 64 + 64 + 40
    assert (other.first_absent(), other.first_absent(3), other.first_absent(3, 4)) == (1, 4, 4)
    one.forget()
    assert other.present_bytes() == 0


def test_flags_and_state_are_shared(two: tuple[Journal, Journal]) -> None:
    one, other = two
    one.set(Flag.STATE, State.BAD)
    one.set(Flag.RELEASED)
    assert other.state is State.BAD and other.get(Flag.RELEASED) and not other.get(Flag.RETRIED)


def test_a_lock_is_one_s_alone_until_it_is_given_back(two: tuple[Journal, Journal]) -> None:
    one, other = two
    assert one.try_lock(Lock.VERIFY) and not other.try_lock(Lock.VERIFY)
    assert other.try_lock(Lock.RELEASE)
    one.unlock(Lock.VERIFY)
    assert other.try_lock(Lock.VERIFY)


def test_shared_locks_keep_out_exclusive_ones_only(two: tuple[Journal, Journal]) -> None:
    one, other = two
    assert one.try_lock(Lock.ATTACHED, shared=True) and other.try_lock(Lock.ATTACHED, shared=True)
    assert not one.try_lock(Lock.ATTACHED)
    other.close()
    assert one.try_lock(Lock.ATTACHED)


def test_of_segments_that_are_partly_taken_the_first_free_run_is_had(
    two: tuple[Journal, Journal],
) -> None:
    one, other = two
    assert one.lock_segments(4, 8) == (4, 8)
    assert other.lock_segments(0, COUNT) == (0, 4)
    assert other.lock_segments(4, COUNT) == (8, COUNT)
    assert other.lock_segments(5, 7) is None
    one.unlock_segments(4, 6)
    assert other.lock_segments(4, 8) == (4, 6)


def test_another_file_s_journal_is_not_valid(path: Path) -> None:
    opened(path, new=True).close()
    assert Journal(path, LAYOUT).is_valid
    for layout in (Layout(1001, 64), Layout(1000, 63), Layout(64, 64)):
        assert not Journal(path, layout).is_valid
    path.write_bytes(path.read_bytes()[:-1])
    assert not Journal(path, LAYOUT).is_valid
    path.write_bytes(b"")
    assert not Journal(path, LAYOUT).is_valid


def test_what_was_not_written_out_is_forgotten_after_the_machine_stopped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(path, new=True)
    for index in range(6):
        journal.mark(index)
    journal.mark_durable(4)
    journal.trust()
    assert journal.first_absent() == 6  # the same run of the machine
    monkeypatch.setattr(module, "boot_id", lambda: b"another boot id.")
    journal.trust()
    assert journal.first_absent() == 4
    journal.mark(4)
    journal.trust()
    assert journal.first_absent() == 5


HOLD = """
import sys
from pathlib import Path
from pulp_hugging_face.blobs.journal import Journal, Lock
from pulp_hugging_face.blobs.segments import Layout
journal = Journal(Path(sys.argv[1]), Layout(1000, 64))
journal.map()
assert journal.try_lock(Lock.VERIFY) and journal.try_lock(Lock.ATTACHED, shared=True)
assert journal.lock_segments(0, 5)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_killed_gives_its_locks_back(path: Path) -> None:
    mine = opened(path, new=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
        assert not mine.try_lock(Lock.VERIFY) and mine.lock_segments(0, 5) is None
        assert peek(path).in_use
        os.kill(holder.pid, signal.SIGKILL)
    assert mine.try_lock(Lock.VERIFY) and mine.lock_segments(0, 5) == (0, 5)
    assert not peek(path).in_use


class Processes(RuleBasedStateMachine):
    """Any number of steps of three openings, against a model in memory."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "j.journal"
        self.all = [opened(path, new=True), opened(path), opened(path)]
        self.marks = [0] * COUNT
        self.owner: list[int | None] = [None] * COUNT

    @rule(who=st.integers(0, 2), a=st.integers(0, COUNT), b=st.integers(0, COUNT))
    def lock(self, who: int, a: int, b: int) -> None:
        first, last = min(a, b), max(a, b)
        got = self.all[who].lock_segments(first, last)
        free = [n for n in range(first, last) if self.owner[n] in (None, who)]
        if got is None:
            assert free == []
        else:
            assert got[0] == free[0] and set(range(*got)) <= set(free)
            assert got[1] == last or self.owner[got[1]] not in (None, who)
            for index in range(*got):
                self.owner[index] = who

    @rule(who=st.integers(0, 2), a=st.integers(0, COUNT), b=st.integers(0, COUNT))
    def give_back(self, who: int, a: int, b: int) -> None:
        first, last = min(a, b), max(a, b)
        self.all[who].unlock_segments(first, last)
        for index in range(first, last):
            if self.owner[index] == who:
                self.owner[index] = None

    @rule(who=st.integers(0, 2), index=st.integers(0, COUNT - 1))
    def mark(self, who: int, index: int) -> None:
        self.all[who].mark(index)
        self.marks[index] = 1

    @rule(who=st.integers(0, 2))
    def make_durable(self, who: int) -> None:
        last = self.all[who].first_absent()
        self.all[who].mark_durable(last)

    @invariant()
    def all_see_the_same(self) -> None:
        if not hasattr(self, "all"):
            return
        for journal in self.all:
            assert [int(journal.present(n)) for n in range(COUNT)] == self.marks
            absent = [n for n in range(COUNT) if not self.marks[n]]
            assert journal.first_absent() == (absent[0] if absent else COUNT)
            expected = sum(LAYOUT.length(n) for n in range(COUNT) if self.marks[n])
            assert journal.present_bytes() == expected

    def teardown(self) -> None:
        if hasattr(self, "all"):
            for journal in self.all:
                journal.close()
            self.folder.cleanup()


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(st.integers(0, 5000), st.integers(1, 600))
def test_the_bytes_present_are_those_of_the_marks(size: int, segment: int) -> None:
    import tempfile

    layout = Layout(size, segment)
    with tempfile.TemporaryDirectory() as name:
        journal = opened(Path(name) / "j.journal", layout, new=True)
        for index in range(layout.count):
            journal.mark(index)
        assert journal.present_bytes() == size
        journal.close()
