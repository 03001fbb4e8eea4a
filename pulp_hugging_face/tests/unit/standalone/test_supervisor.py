"""Children: started again when they die, given up when hopeless, none left at the end."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pulp_hugging_face.standalone import children, supervisor
from pulp_hugging_face.standalone.children import Backoff, Child, Spec
from pulp_hugging_face.standalone.errors import ChildGivenUp
from pulp_hugging_face.standalone.processes import ProcessId, wait_gone
from pulp_hugging_face.standalone.signals import Stopped
from pulp_hugging_face.standalone.supervisor import Supervisor

SLEEP = "import time; time.sleep(60)"
FAMILY = """
    import os, signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    time.sleep(60)
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
)


class Clockwork:
    """Signals that nobody sends."""

    def __init__(self):
        self.stops = 0

    def pause(self, seconds):
        time.sleep(min(seconds, 0.02))

    def wait(self, seconds):
        self.check()
        self.pause(seconds)
        self.check()

    def check(self):
        if self.stops:
            raise Stopped


@pytest.fixture
def spec(tmp_path):
    def make(code, name="a child", **fields):
        argv = [sys.executable, "-c", textwrap.dedent(code)]
        log = tmp_path / f"{name}.log"
        return Spec(name=name, argv=argv, log=log, cwd=tmp_path, env=dict(os.environ), **fields)

    return make


@pytest.fixture
def boss():
    boss = Supervisor(Clockwork())
    yield boss
    boss.stop()


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def test_delays_grow_and_the_last_quick_death_gives_up():
    backoff = Backoff()
    assert [backoff.died(1.0, 6) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, None]


def test_a_long_life_forgives_earlier_deaths():
    backoff = Backoff()
    assert [backoff.died(1.0, 3), backoff.died(1.0, 3)] == [0.5, 1.0]
    assert backoff.died(children.QUICK_DEATH_SECONDS + 1, 3) == 0.5
    assert backoff.died(1.0, 3) == 1.0


def test_a_child_that_died_is_started_again(boss, spec):
    child = Child(spec(SLEEP))
    changes, notes = [], []
    boss.changed, boss.note = lambda: changes.append(child.id), notes.append
    boss.start(child)
    first = child.id
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: boss.wait(0.1) or child.id not in (None, first))
    assert len(changes) == 2
    assert "a child died (signal SIGKILL)" in notes[0]


def test_a_hopeless_child_ends_everything_with_the_end_of_its_log(boss, spec, monkeypatch):
    monkeypatch.setattr(children, "FIRST_DELAY", 0.01)
    boss.start(Child(spec("import sys; print('the reason'); sys.exit(7)", "content app")))
    with pytest.raises(ChildGivenUp) as given_up:
        until(lambda: boss.wait(0.1))
    sentence = str(given_up.value)
    assert "content app died 3 times" in sentence
    assert "exit code 7" in sentence and "the reason" in sentence


def test_more_patience_once_it_has_worked():
    assert supervisor.PATIENCE > supervisor.PATIENCE_AT_START


def test_what_a_dead_child_left_behind_goes_before_it_is_started_again(boss, spec):
    child = Child(spec(FAMILY))
    boss.start(child)
    grandchild = ProcessId.of(int(until(lambda: child.tail(1))[0]))
    os.kill(child.id.pid, signal.SIGKILL)
    until(lambda: not child.running())
    assert wait_gone(grandchild, 10)


def test_stop_ends_children_and_grandchildren(boss, spec):
    child = Child(spec(FAMILY))
    boss.start(child)
    grandchild = ProcessId.of(int(until(lambda: child.tail(1))[0]))
    boss.stop()
    assert not child.running()
    assert wait_gone(grandchild, 10)


def test_a_child_that_does_not_listen_is_killed_after_its_grace(boss, spec):
    child = Child(spec(STUBBORN + "\ntime.sleep(60)", grace=0.3))
    boss.start(child)
    until(lambda: child.tail(1))
    began = time.monotonic()
    boss.stop()
    assert not child.running() and child.how == "signal SIGKILL"
    assert time.monotonic() - began < 10


def test_the_database_is_stopped_last(boss, spec, tmp_path):
    order = tmp_path / "order"
    code = f"""
        import signal, sys, time
        def end(*_):
            time.sleep(%s)
            with open({str(order)!r}, "a") as file:
                file.write("%s\\n")
            sys.exit()
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        time.sleep(60)
    """
    database = Child(spec(code % (0, "database"), "db", stop_signal=signal.SIGINT, group=False))
    other = Child(spec(code % (0.4, "other"), "other"))
    for child in (database, other):
        boss.start(child)
        until(lambda child=child: child.tail(1))
    boss.stop()
    assert order.read_text().split() == ["other", "database"]


def test_secrets_reach_a_child_by_its_input_not_its_arguments(spec):
    child = Child(spec("import sys; print(sys.stdin.read()[::-1])"))
    child.start(b"terces")
    until(lambda: not child.running())
    assert child.tail(1) == ["secret"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_children_die_with_a_supervisor_that_was_killed(tmp_path):
    code = f"""
        import os, sys, time
        from pathlib import Path
        from pulp_hugging_face.standalone.children import Child, Spec
        spec = Spec("x", [sys.executable, "-c", {SLEEP!r}], Path({str(tmp_path / "log")!r}),
                    Path("/"), dict(os.environ))
        child = Child(spec)
        child.start()
        print(child.id.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    child = ProcessId.of(int(parent.stdout.readline()))
    assert child is not None and child.alive()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_gone(child, 10)


def test_a_large_log_is_kept_once_and_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "LOG_LIMIT", 10)
    log = tmp_path / "x.log"
    with log.open("ab") as appending:
        appending.write(b"a long line\n")
        appending.flush()
        children.rotate(log)
        appending.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"a long line\n"
