"""What a start does: as little as possible, and never to a newer database."""

import os
import signal
import subprocess
import sys

import pytest

from pulp_hugging_face.standalone import cli, database
from pulp_hugging_face.standalone.database import Contents, Remote
from pulp_hugging_face.standalone.errors import DatabaseNewer, StandaloneError
from pulp_hugging_face.standalone.options import resolve
from pulp_hugging_face.standalone.preparation import Plan
from pulp_hugging_face.standalone.processes import ProcessId
from pulp_hugging_face.standalone.status import folder_size, human

COMPLETE = Contents(True, True, Remote("https://huggingface.co", "on_demand", False, None), True)
NOTHING = resolve({}, {}, {})


def test_a_second_start_does_nothing():
    assert Plan.make(COMPLETE, True, NOTHING) == Plan(migrate=False, objects=False)


def test_explicit_options_are_written_at_every_start():
    for environ in ({"HF_TOKEN": "t"}, {"PULP_HF_ADMIN_PASSWORD": "p"}):
        assert Plan.make(COMPLETE, True, resolve({}, environ, {})) == Plan(False, True)


def test_options_of_the_process_need_no_preparation():
    options = resolve({"port": "1", "workers": "4", "log_level": "debug"}, {}, {})
    assert Plan.make(COMPLETE, True, options) == Plan(False, False)


def test_another_version_or_missing_migrations_are_applied():
    assert Plan.make(COMPLETE, False, NOTHING).migrate
    assert Plan.make(Contents(False, False, None, False), True, NOTHING).migrate


def test_what_was_removed_is_made_again():
    assert Plan.make(Contents(True, True, None, False), True, NOTHING) == Plan(False, True)
    assert Plan.make(Contents(True, False, COMPLETE.remote, True), True, NOTHING).objects


KNOWN = {("core", "0001_initial"), ("core", "0161_x"), ("hugging_face", "0001_initial")}


def test_a_newer_database_is_refused_by_name():
    with pytest.raises(DatabaseNewer, match=r"hugging_face has migration 0002_more"):
        database._refuse_newer(KNOWN | {("hugging_face", "0002_more")}, KNOWN)


def test_older_names_and_foreign_apps_are_not_newer():
    applied = {("core", "0100_squashed_away"), ("other", "0999_x")}
    database._refuse_newer(applied, KNOWN)


def test_our_migrations_are_found():
    found = {(label, name) for label, name, _ in database.migrations()}
    assert ("hugging_face", "0001_initial") in found
    assert any(label == "core" for label, _ in found)


def test_the_fingerprint_is_stable():
    assert database.fingerprint() == database.fingerprint()


def test_a_pid_used_again_is_another_process():
    own = ProcessId.of(os.getpid())
    assert own.alive()
    assert not ProcessId(own.pid, "another start").alive()
    assert ProcessId.from_json(own.to_json()) == own
    assert ProcessId.from_json({"pid": "x"}) is None and ProcessId.from_json(None) is None


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert ProcessId.of(child.pid) is None
    child.wait()


def run_detached(code):
    """Run `detach.run` in a process of its own, since it forks."""
    script = "import sys\nfrom pulp_hugging_face.standalone import detach\n" + code
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )


def test_detach_returns_when_ready_while_the_run_goes_on(tmp_path):
    log, end = tmp_path / "log", tmp_path / "end"
    os.mkfifo(end)
    result = run_detached(
        "from pathlib import Path\n"
        "def body(background):\n"
        "    print('the screen')\n"
        f"    background.ready(Path({str(log)!r}))\n"
        "    print('later', flush=True)\n"
        f"    open({str(end)!r}).read()\n"
        "    return 0\n"
        "sys.exit(detach.run(body))\n"
    )
    end.write_text("")
    assert (result.returncode, result.stdout) == (0, "the screen\n")
    assert log.read_text() == "later\n"


def test_detach_passes_on_why_it_failed():
    result = run_detached(
        "def body(background):\n"
        "    print('pulp-hf: the reason', file=sys.stderr)\n"
        "    return 2\n"
        "sys.exit(detach.run(body))\n"
    )
    assert (result.returncode, result.stdout) == (2, "pulp-hf: the reason\n")


def test_detach_reports_even_a_bug():
    result = run_detached("sys.exit(detach.run(lambda background: 1 / 0))\n")
    assert result.returncode == 1 and "ZeroDivisionError" in result.stdout


def test_an_error_is_one_sentence_and_a_code(capsys, monkeypatch):
    def fail(arguments):
        raise StandaloneError("This is why.")

    monkeypatch.setattr(cli, "_down", fail)
    assert cli.main(["down"]) == 1
    assert capsys.readouterr().err == "pulp-hf: This is why.\n"


def test_status_and_down_of_a_folder_that_does_not_exist(tmp_path, capsys):
    folder = str(tmp_path / "none")
    assert cli.main(["status", "--data", folder]) == 3
    assert cli.main(["down", "--data", folder]) == 0
    assert capsys.readouterr().out.count("not running") == 2
    assert not (tmp_path / "none").exists()


def test_dotenv_is_read_without_touching_the_environment(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("PULP_HF_PORT=1\nexport OTHER='two words'\n# no\n")
    before = dict(os.environ)
    assert cli.read_dotenv(tmp_path / ".env") == {"PULP_HF_PORT": "1", "OTHER": "two words"}
    assert dict(os.environ) == before
    assert cli.read_dotenv(tmp_path / "none") == {}


def test_sizes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 2048)
    assert folder_size(tmp_path) == 2048 and folder_size(tmp_path / "none") == 0
    assert [human(1), human(2048), human(5 * 1024**4)] == ["1 bytes", "2.0 KiB", "5.0 TiB"]


def test_a_stop_is_noticed_while_waiting():
    code = (
        "from pulp_hugging_face.standalone.signals import Signals, Stopped\n"
        "signals = Signals()\n"
        "print(1, flush=True)\n"
        "try:\n    signals.wait(60)\n"
        "except Stopped:\n    print('stopped')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0] == "stopped\n"
