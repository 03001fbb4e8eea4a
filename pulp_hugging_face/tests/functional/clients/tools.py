"""curl, wget, aria2c: what people download with who have no Python at hand."""

import shutil
import subprocess
from pathlib import Path

import pytest

SECONDS = 120.0


def program(name: str) -> str:
    """Return where a program is, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (.ci/packages installs it where it can)")
    return found


def run(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program without the developer's settings for it (proxies, ~/.curlrc)."""
    return subprocess.run(
        [program(name), *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"},
        capture_output=True,
        timeout=SECONDS,
    )


def curl(*arguments: str, folder: Path) -> tuple[int, dict[str, str], bytes]:
    """Run curl: status, headers (names in lower case) and body of the last answer."""
    result = run("curl", "--silent", "--include", *arguments, folder=folder)
    assert result.returncode == 0, result.stderr.decode()
    head, _, body = result.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body
