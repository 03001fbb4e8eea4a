"""Telling processes apart: a pid alone is not enough, pids are used again."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessId:
    """A pid together with when the process started: names one process for ever."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Return the identity of a live process, None when there is none."""
        started = _start_mark(pid)
        return cls(pid, started) if started else None

    @classmethod
    def from_json(cls, value: Any) -> "ProcessId | None":
        """Read what `to_json` wrote; None for anything else."""
        try:
            return cls(int(value["pid"]), str(value["started"]))
        except (TypeError, KeyError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """Return a form for the state file."""
        return {"pid": self.pid, "started": self.started}

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return _start_mark(self.pid) == self.started


def _start_mark(pid: int) -> str:
    """Return a text that differs between two processes of the same pid, "" for no process."""
    if sys.platform == "linux":
        return _linux_start_mark(pid)
    # No /proc: POSIX ps tells the time of start.
    result = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


def _linux_start_mark(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    # The name in parentheses may hold spaces; after it come state (1st) and starttime (20th).
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def command_line(pid: int) -> str:
    """Return how a process was started, "" when that cannot be told."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            return raw.replace(b"\0", b" ").decode(errors="replace")
        return ""
    result = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


def send(process: ProcessId, signum: signal.Signals, *, group: bool = False) -> None:
    """Send a signal to a process (or the group it leads); nothing happens if it is gone."""
    if not process.alive():
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(process.pid, signum)
        else:
            os.kill(process.pid, signum)


def wait_gone(
    process: ProcessId, seconds: float, pause: Callable[[float], None] = time.sleep
) -> bool:
    """Wait until a process that may not be our child is gone; False when it is not."""
    deadline = time.monotonic() + seconds
    while process.alive():
        if time.monotonic() > deadline:
            return False
        pause(0.05)
    return True
