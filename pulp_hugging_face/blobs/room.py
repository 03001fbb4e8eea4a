"""Room on the disk for partial files: limits, and the removal of what was left behind."""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

from pulp_hugging_face.hub.errors import StorageFull

from .journal import SUFFIX as JOURNAL
from .journal import peek
from .partial import BLOCK, SUFFIX, PartialFile, locked

T = TypeVar("T")

log = logging.getLogger("pulp_hugging_face.blobs")

# Kept free for the database and everything else on the same disk.
RESERVE = 64 * 1024 * 1024
# Files up to this size may be let in without a look, for so many seconds after one, and up to this
# part of what was left.
_SMALL = 4 * 1024 * 1024
_TRUST = 1.0
_SHARE = 16


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
        self._files: WeakSet[PartialFile] = WeakSet()
        self._spare = 0
        self._until = 0.0

    def admit(
        self, own: Path, need: int, grant: Callable[[], T], target: "Target | None" = None
    ) -> T:
        """
        Make room for `need` more bytes of the file `own`, and return what `grant` does.

        `grant` notes in the journal what is to come. Nobody else is let in before that, in no
        process: they would be promised the same room. Raises StorageFull. Blocking.
        """
        if need <= _SMALL and self._take(need):
            return grant()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.folder):
            if target is not None:
                require_target(self.folder, own, target)
            left = require_room(self.folder, own, need, self._limits, self._nameless())
            granted = grant()
        with self._lock:
            self._spare, self._until = left // _SHARE, time.monotonic() + _TRUST
        return granted

    def watch(self, file: PartialFile) -> PartialFile:
        """Count a file also when it has no name any more, as long as it is open here."""
        with self._lock:
            self._files.add(file)
        return file

    def _nameless(self) -> int:
        """Return the bytes of files that were copied into the storage, and are still read here."""
        with self._lock:
            files = list(self._files)
        return sum(file.nameless_bytes() for file in files)

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
class Target:
    """Where a complete file of some size is to be kept: a folder of this machine."""

    folder: Path
    size: int


@dataclass(frozen=True)
class Leftover:
    """A partial file as it lies there; `pending` bytes of it are still to come."""

    part: Path
    bytes: int
    pending: int
    used: float
    idle: bool
    size: int = 0
    whole: bool = False


def require_room(folder: Path, own: Path, need: int, limits: Limits, nameless: int = 0) -> int:
    """
    Make room for `need` more bytes of the file `own`, of idle files if it must be.

    `nameless` bytes are taken by files that are not in the folder any more. Returns how many bytes
    there is room for besides. Raises StorageFull, with the numbers, when that is not enough.
    Blocking.
    """
    found = survey(folder)
    for one in found:
        if one.part == own:  # ranges of it that were let in before are still to come, too
            need = max(need, min(need + one.pending, one.size - one.bytes))
    others = [one for one in found if one.part != own]
    idle = sorted((one for one in others if one.idle), key=lambda one: one.used)
    try:
        return _left(folder, own, need, others, limits, nameless)
    except StorageFull:
        if not _would_fit(folder, own, need, others, limits, nameless):
            raise  # and nobody's download is lost for nothing
    for one in idle:
        if remove_idle(one.part):
            log.info("Removed %d bytes of an idle download to make room", one.bytes)
            others.remove(one)
            with suppress(StorageFull):
                return _left(folder, own, need, others, limits, nameless)
    return _left(folder, own, need, others, limits, nameless)


def _would_fit(
    folder: Path, own: Path, need: int, others: list[Leftover], limits: Limits, nameless: int
) -> bool:
    """Tell whether there is room once all idle files have made way."""
    busy = [one for one in others if not one.idle]
    freed = sum(one.bytes for one in others if one.idle)
    try:
        _left(folder, own, need, busy, limits, nameless, freed)
    except StorageFull:
        return False
    return True


def _left(
    folder: Path,
    own: Path,
    need: int,
    others: list[Leftover],
    limits: Limits,
    nameless: int,
    freed: int = 0,
) -> int:
    """Return the bytes that are free besides. Raises StorageFull when there are too few."""
    pending = sum(one.pending for one in others)
    free = shutil.disk_usage(folder).free + freed
    if free < need + pending + RESERVE:
        raise StorageFull(
            f"The file needs {need} bytes, but only {free} bytes of disk are free"
            f"{_promised(pending)}."
        )
    left = free - need - pending - RESERVE
    if limits.quota is None:
        return left
    used = _allocated(own) + pending + sum(one.bytes for one in others) + nameless
    if used + need > limits.quota:
        raise StorageFull(
            f"The file needs {need} bytes, but {used} of the {limits.quota} bytes "
            "that downloads may take are in use."
        )
    return min(left, limits.quota - used - need)


def _promised(pending: int) -> str:
    return f" and {pending} of them are promised to other downloads" if pending else ""


def require_target(folder: Path, own: Path, target: Target) -> None:
    """
    Raise StorageFull unless there is room for the complete file `own` where it will be copied.

    On the same file system nothing is copied. Blocking.
    """
    place = target.folder
    while not place.exists():
        place = place.parent
    if place.stat().st_dev == folder.stat().st_dev:
        return
    coming = [one for one in survey(folder) if one.part != own and one.whole and not one.idle]
    pending = sum(one.size for one in coming)
    free = shutil.disk_usage(place).free
    if free < target.size + pending + RESERVE:
        raise StorageFull(
            f"The file needs {target.size} bytes, but only {free} bytes are free where files are "
            f"kept{_promised(pending)}."
        )


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
    coming = seen.size if seen.whole else min(seen.promised, seen.size)
    pending = max(0, coming - allocated) if seen.in_use else 0
    idle = not seen.in_use
    return Leftover(part, allocated, pending, seen.used, idle, seen.size, seen.whole)


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * BLOCK
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

    Of several processes that come at the same time, one does it. The lock is on the folder above:
    that on the folder itself would keep downloads waiting.
    """
    fd = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
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
