"""`pulp-hf status` and `pulp-hf down`: about an instance, from another shell."""

import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .binaries import cluster_version
from .datadir import DataDir
from .errors import NotRunning, StillRunning
from .http import get
from .processes import ProcessId, send, wait_gone
from .ready import HEALTH_PATH

# Transfers, a running task and PostgreSQL's checkpoint all get their time.
STOP_SECONDS = 90.0
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Status:
    """What can be told of a data folder."""

    data: Path
    process: ProcessId | None
    state: Mapping[str, Any]
    health: str
    sizes: Mapping[str, int]
    free: int
    postgres: str | None

    @property
    def exit_code(self) -> int:
        """Return 0 for a running instance, else what NotRunning says."""
        return 0 if self.process else NotRunning.exit_code

    def to_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "running": self.process is not None,
            "pid": self.process.pid if self.process else None,
            "data": str(self.data),
            "health": self.health,
            "sizes": dict(self.sizes),
            "free": self.free,
            "postgres": self.postgres,
            **{key: value for key, value in self.state.items() if key != "supervisor"},
        }

    def text(self) -> str:
        """Return everything for people."""
        sizes = ", ".join(f"{name} {human(size)}" for name, size in self.sizes.items())
        rows = [("Data", f"{self.data}"), ("Sizes", f"{sizes} ({human(self.free)} free)")]
        if self.process is None:
            return "\n".join([f"Pulp is not running on {self.data}.", *_table(rows)])
        title = "Pulp is running" if self.state.get("ready") else "Pulp is starting"
        return "\n".join([f"{title} (process {self.process.pid}).", *_table(self._live() + rows)])

    def _live(self) -> list[tuple[str, str]]:
        children = self.state.get("children") or {}
        processes = ", ".join(f"{name} {entry.get('pid')}" for name, entry in children.items())
        versions = self.state.get("versions") or {}
        shown = [f"{name} {version}" for name, version in versions.items()]
        if self.postgres:
            shown.append(f"PostgreSQL {self.postgres}")
        return [
            ("Endpoint", f"HF_ENDPOINT={self.state.get('endpoint', 'not known yet')}"),
            ("REST API", str(self.state.get("api_url", "not known yet"))),
            ("Health", self.health),
            ("Processes", processes),
            ("Versions", ", ".join(shown)),
        ]


def _table(rows: list[tuple[str, str]]) -> list[str]:
    return [f"  {name:<10} {value}" for name, value in rows]


def look(data: DataDir) -> Status:
    """Find out how an instance is; raises DataFolderUnusable."""
    process = data.holder()
    state = data.read_state() if process else {}
    health = _health(state) if process else "not running"
    with data.usable():
        free = shutil.disk_usage(_existing(data.root)).free
    sizes = {
        "files": folder_size(data.media),
        "database": folder_size(data.postgres),
        "unfinished": folder_size(data.tmp),
    }
    return Status(data.root, process, state, health, sizes, free, cluster_version(data.postgres))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _health(state: Mapping[str, Any]) -> str:
    if not state.get("content_url"):
        return "starting"
    code, body = get(str(state["content_url"]), HEALTH_PATH)
    if code == 200:
        return "ok"
    text = " ".join(body.decode(errors="replace").split())[:500]
    return f"not ok ({code or 'no answer'}): {text}"


def folder_size(folder: Path) -> int:
    """Return the bytes of all files in a folder; what cannot be read counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def human(size: float) -> str:
    """Return a size for people."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def down(data: DataDir) -> str:
    """Stop an instance and wait for its end; returns what to say, raises StillRunning."""
    process = data.holder()
    if process is None:
        return str(NotRunning(data.root))
    send(process, signal.SIGTERM)
    if not wait_gone(process, STOP_SECONDS):
        raise StillRunning(process.pid, STOP_SECONDS)
    return f"Pulp on {data.root} is stopped."


def as_json(status: Status) -> str:
    """Return one JSON object."""
    return json.dumps(status.to_json(), indent=1)
