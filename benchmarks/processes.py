"""Process trees: CPU time and memory from /proc, and ends by process id."""

import contextlib
import os
import signal
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Process:
    """A line of /proc; `ticks` includes those of children that ended and were waited for."""

    pid: int
    parent: int
    ticks: int


def tree(root: int) -> list[int]:
    """Return a process and everything below it."""
    children = defaultdict(list)
    for process in _all():
        children[process.parent].append(process.pid)
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time that living processes (and the children they outlived) have used."""
    return sum(process.ticks for pid in pids if (process := _read(pid))) / TICKS


def proportional_memory(pid: int) -> int:
    """Return the bytes of a process, shared pages divided among those that share them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def stop(process: "subprocess.Popen[bytes]", how: int = signal.SIGTERM) -> None:
    """End a process of ours, at last by force."""
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop_tree(process: "subprocess.Popen[bytes]") -> None:
    """End a process of ours and those it started, also those that outlive it."""
    below = tree(process.pid)[1:] if process.poll() is None else []
    stop(process)
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_read(pid) for pid in below) and time.monotonic() < deadline:
        time.sleep(0.05)


def _all() -> list[Process]:
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [process for pid in numbers if (process := _read(pid))]


def _read(pid: int) -> Process | None:
    """Return None for a process that has ended; the name may hold spaces and parentheses."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), sum(int(field) for field in fields[11:15]))
