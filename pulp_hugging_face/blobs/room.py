"""Room on the disk for partial files: limits, and the removal of what was left behind."""

import fcntl
import logging
import os
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pulp_hugging_face.hub.errors import StorageFull

from .journal import SUFFIX as JOURNAL
from .journal import peek
from .partial import SUFFIX, locked

log = logging.getLogger("pulp_hugging_face.blobs")

# Kept free for the database and everything else on the same disk.
RESERVE = 64 * 1024 * 1024
# Files up to this size may be let in without a look, for so many seconds after one, and up to this
# part of what was left.
_SMALL = 4 * 1024 * 1024
_TRUST = 1.0
_SHARE = 16
_BLOCK = 512  # of st_blocks, whatever the file system's are


@dataclass(frozen=True)
class Limits:
    """What partial files may take: bytes (None: the disk), and seconds after their last use."""

    quota: int | None = None
    max_age: float = 24 * 3600


class Room:
    """
    The room for the partial files of a folder, as one process sees it.

    Looking at all of them costs more than a small file is worth: after a look with much room, small
    files are let in without another one for a moment, up to a fraction of it, because other
    processes do the same.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self._limits = limits
        self._lock = threading.Lock()
        self._spare = 0
        self._until = 0.0

    def require(self, own: Path, need: int) -> None:
        """Make room for `need` more bytes of the file `own`. Raises StorageFull. Blocking."""
        if need <= _SMALL and self._take(need):
            return
        left = require_room(self.folder, own, need, self._limits)
        with self._lock:
            self._spare, self._until = left // _SHARE, time.monotonic() + _TRUST

    def _take(self, need: int) -> bool:
        with self._lock:
            if need > self._spare or time.monotonic() > self._until:
                return False
            self._spare -= need
            return True

    def clean(self) -> int:
        """Remove partial files nobody has used for long; return their bytes. Blocking."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return clean(self.folder, self._limits)


@dataclass(frozen=True)
class Leftover:
    """A partial file as it lies there; `pending` bytes of it are still to come."""

    part: Path
    bytes: int
    pending: int
    used: float
    idle: bool


def require_room(folder: Path, own: Path, need: int, limits: Limits) -> int:
    """
    Make room for `need` more bytes of the file `own`, of idle files if it must be.

    Returns how many bytes there is room for besides. Raises StorageFull, with the numbers, when
    that is not enough. Blocking.
    """
    others = [leftover for leftover in survey(folder) if leftover.part != own]
    for idle in sorted((one for one in others if one.idle), key=lambda one: one.used):
        try:
            return _left(folder, own, need, others, limits)
        except StorageFull:
            if remove_idle(idle.part):
                log.info("Removed %d bytes of an idle download to make room", idle.bytes)
                others.remove(idle)
    return _left(folder, own, need, others, limits)


def _left(folder: Path, own: Path, need: int, others: list[Leftover], limits: Limits) -> int:
    """Return the bytes that are free besides. Raises StorageFull when there are too few."""
    pending = sum(one.pending for one in others)
    free = shutil.disk_usage(folder).free
    if free < need + pending + RESERVE:
        promised = f" and {pending} of them are promised to other downloads" if pending else ""
        raise StorageFull(
            f"The file needs {need} bytes, but only {free} bytes of disk are free{promised}."
        )
    left = free - need - pending - RESERVE
    if limits.quota is None:
        return left
    used = _allocated(own) + pending + sum(one.bytes for one in others)
    if used + need > limits.quota:
        raise StorageFull(
            f"The file needs {need} bytes, but {used} of the {limits.quota} bytes "
            "that downloads may take are in use."
        )
    return min(left, limits.quota - used - need)


def survey(folder: Path) -> list[Leftover]:
    """Return all partial files of all domains."""
    found = []
    for path in folder.glob(f"*/*{SUFFIX}"):
        with suppress(FileNotFoundError):
            found.append(_look(path))
    return found


def _look(part: Path) -> Leftover:
    allocated = _allocated(part)
    try:
        seen = peek(part.with_suffix(JOURNAL))
    except FileNotFoundError:  # just being made, or left by a death between two system calls
        return Leftover(part, allocated, 0, part.stat().st_mtime, idle=True)
    pending = max(0, seen.size - allocated) if seen.in_use and seen.whole else 0
    return Leftover(part, allocated, pending, seen.used, idle=not seen.in_use)


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * _BLOCK
    except FileNotFoundError:
        return 0


def remove_idle(part: Path, unused_since: float | None = None) -> bool:
    """Remove a partial file unless somebody has it open or it was used since. Blocking."""
    path = part.with_suffix(JOURNAL)
    with suppress(FileNotFoundError), locked(part.parent):
        try:
            seen = peek(path)
        except FileNotFoundError:
            part.unlink()
            return True
        young = unused_since is not None and seen.used > unused_since
        if seen.in_use or (young and not seen.empty):
            return False
        part.unlink(missing_ok=True)
        path.unlink()
        return True
    return False


def clean(folder: Path, limits: Limits) -> int:
    """
    Remove partial files nobody has used for long; return their bytes. Blocking.

    Of several processes that come at the same time, one does it.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _clean(folder, time.time() - limits.max_age)
    except BlockingIOError:
        return 0
    finally:
        os.close(fd)


def _clean(folder: Path, since: float) -> int:
    for old in folder.glob(f"*{SUFFIX}"):  # of versions that had no journals
        old.unlink(missing_ok=True)
    freed = sum(one.bytes for one in survey(folder) if one.idle and remove_idle(one.part, since))
    for journal in folder.glob(f"*/*{JOURNAL}"):  # whose part was moved, by who died then
        if not journal.with_suffix(SUFFIX).exists():
            remove_idle(journal.with_suffix(SUFFIX), since)
    if freed:
        log.info("Removed %d bytes of abandoned downloads", freed)
    return freed
