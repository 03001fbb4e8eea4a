"""One child process: how it is started, told to stop, and when it may be started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .privileges import dies_with_parent
from .processes import ProcessId

# A life shorter than this counts as a quick death.
QUICK_DEATH_SECONDS = 30.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
LOG_LIMIT = 32 * 1024 * 1024


@dataclass(frozen=True)
class Spec:
    """
    How to run a child.

    `stop_signal` asks it to finish within `grace` seconds. `group` tells that all it started must
    go with it; PostgreSQL looks after its own processes. `log` None shows the output on the screen.
    """

    name: str
    argv: Sequence[str]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    to_screen: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    group: bool = True
    pass_fds: Sequence[int] = ()
    prepare: Callable[[], None] | None = None


@dataclass
class Backoff:
    """When a child that died may be started again, and when to give up."""

    quick_deaths: int = 0

    def died(self, lived: float, patience: int) -> float | None:
        """Return the seconds to wait before the next start, None to give up."""
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH_SECONDS else 1
        if self.quick_deaths >= patience:
            return None
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (self.quick_deaths - 1))


class Child:
    """A process of ours. All methods return at once but `finish`."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.backoff = Backoff()
        self.due: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._id: ProcessId | None = None
        self._started = 0.0

    @property
    def name(self) -> str:
        """Return the name as the user sees it."""
        return self.spec.name

    @property
    def id(self) -> ProcessId | None:
        """Return the identity of the live process."""
        return self._id

    @property
    def how(self) -> str:
        """Return how the last process ended, for people."""
        code = self._process.returncode if self._process else None
        if code is None:
            return "still running"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    @property
    def returncode(self) -> int | None:
        """Return the exit code of the last process."""
        return self._process.returncode if self._process else None

    def start(self, stdin: bytes | None = None) -> None:
        """Start the process; `stdin` is a short text (a pipe holds it) that argv must not show."""
        rotate(self.spec.log)
        self.due = None
        with open_log(self.spec) as output:
            self._process = subprocess.Popen(
                self.spec.argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                cwd=self.spec.cwd,
                env=dict(self.spec.env),
                pass_fds=tuple(self.spec.pass_fds),
                start_new_session=True,
                preexec_fn=self.spec.prepare or dies_with_parent(self.spec.stop_signal),
            )
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(stdin or b"")
        self._started = time.monotonic()
        self._id = ProcessId.of(self._process.pid)

    def running(self) -> bool:
        """Tell whether the process lives; what it left behind goes when it does not."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        if self._id is not None:
            self._id = None
            self._signal_group(signal.SIGKILL)
        return False

    def lived(self) -> float:
        """Return the seconds since the last start."""
        return time.monotonic() - self._started

    def stop(self) -> None:
        """Ask the process to finish."""
        if self.running() and self._process is not None:
            self._process.send_signal(self.spec.stop_signal)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        if not self.running() or self._process is None:
            return
        if self.spec.group:
            self._signal_group(signal.SIGKILL)
        else:
            # PostgreSQL's "immediate shutdown": it recovers from its log at the next start.
            self._process.send_signal(signal.SIGQUIT)

    def _signal_group(self, signum: signal.Signals) -> None:
        if self.spec.group and self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signum)

    def tail(self, lines: int = 8) -> list[str]:
        """Return the last lines of the log."""
        return tail(self.spec.log, lines)


@contextlib.contextmanager
def open_log(spec: Spec) -> Iterator[IO[bytes] | None]:
    """Yield where the child's output goes: its log, or None for the screen."""
    if spec.to_screen:
        yield None
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    with os.fdopen(os.open(spec.log, flags, 0o600), "ab") as file:
        yield file


def rotate(log: Path) -> None:
    """Keep one older log when it has grown; works while a child appends to it."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, log.with_suffix(log.suffix + ".1"))
            os.truncate(log, 0)


def tail(log: Path, lines: int) -> list[str]:
    """Return the last lines of a file that are not empty."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16384))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line[:500] for line in text.splitlines() if line.strip()][-lines:]
