"""
What is left of bytes that did not match: `<key>.bad` beside the partial files.

Clients have a part of them and will come back for the rest. A byte for each time; the time of the
last write is when it was last.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

SUFFIX = ".bad"
# Clients are kept from going on with what they have for so long (seconds): a nightly job that
# failed comes back, and what it left lies there still.
MAX_AGE = 48 * 3600.0
# From this time on no byte leaves before the digest matched: newer clients begin anew for ever as
# long as each attempt brings them some bytes.
TOO_OFTEN = 2


def note(folder: Path, key: str) -> None:
    """Note that bytes which clients have were bad. Raises OSError. Blocking."""
    path = folder / (key + SUFFIX)
    if not times(folder, key):
        path.unlink(missing_ok=True)
    with path.open("ab") as file:
        file.write(b"\n")


def times(folder: Path, key: str) -> int:
    """Return how often a blob's bytes were bad of late. Blocking."""
    try:
        status = os.stat(folder / (key + SUFFIX))
    except FileNotFoundError:
        return 0
    return status.st_size if _is_recent(status) else 0


def forgive(folder: Path, key: str) -> None:
    """Note that the bytes were good now; what clients got before stays bad. Blocking."""
    path = folder / (key + SUFFIX)
    with suppress(OSError):
        status = os.stat(path)
        os.truncate(path, min(status.st_size, 1))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def clean(folder: Path) -> None:
    """Remove what is too old, of all domains. Blocking."""
    for path in folder.glob(f"*/*{SUFFIX}"):
        with suppress(FileNotFoundError):
            if not _is_recent(path.stat()):
                path.unlink()


def _is_recent(status: os.stat_result) -> bool:
    return time.time() - status.st_mtime < MAX_AGE
