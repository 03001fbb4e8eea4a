"""The machine a result comes from: what has to be known to read its numbers."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OURS = ("pulp-hugging-face", "pulpcore", "aiohttp", "gunicorn", "django", "psycopg")
GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """Nothing in here names the machine, its user or a path on it."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    system: str
    python: str
    load_at_start: tuple[float, float, float]
    commit: str
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Machine":
        return cls(**{**data, "load_at_start": tuple(data["load_at_start"])})


def describe() -> Machine:
    """Look at this machine."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        kernel=platform.release(),
        system=_system(),
        python=platform.python_version(),
        load_at_start=os.getloadavg(),
        commit=_commit(),
        versions={name: found for name in OURS if (found := _version(name))} | _programs(),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: *(.+)$", lines, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _programs() -> dict[str, str]:
    """Return the versions of the programs that are here; `nginx -v` writes to stderr."""
    found = {}
    for program in ("nginx", "wrk"):
        if shutil.which(program):
            said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
            match = re.search(r"\d+(\.\d+)+", said.stderr + said.stdout)
            found[program] = match[0] if match else "?"
    return found


def _commit() -> str:
    """Return the commit of the checkout, with a plus sign when something in it was changed."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        said = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()
