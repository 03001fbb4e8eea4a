"""
The journal of a partial file: which segments are present, and who is at work on which.

All content processes of a host share it. It is read through a mapping and written with `pwrite`
(which fails in an orderly way on a full disk; a write through a mapping would kill the process).
Locks are those of open file descriptions: the kernel takes them back when a process dies.
"""

import fcntl
import mmap
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from .segments import Layout

SUFFIX = ".journal"
_MAGIC = b"HFFILL\x01\n"
_HEADER = struct.Struct("<8sQQ16s8B")
_MARKS = 128  # where the marks begin
_FLAGS = 40  # where the single bytes begin
_PROMISED, _PROMISED_AT = struct.Struct("<Q"), 48
_LOCKS = 1 << 40  # where the locked positions begin: they need not exist
_SEGMENTS = _LOCKS + 4096
_FLOCK = struct.Struct("hhqqi0q")

ABSENT, PRESENT, DURABLE = b"\0", b"\1", b"\2"


class State(IntEnum):
    """How far a partial file is. MATCHED: its digest is right, it is being published."""

    FILLING = 0
    MATCHED = 1
    VERIFIED = 2
    BAD = 3


class Flag(IntEnum):
    """
    Single bytes of the header.

    RELEASED: some client got bytes that were not verified; RETRIED: all was fetched a second time;
    KEEP: somebody wants it kept; WHOLE: all of it is wanted; PUBLISHED: it is in the storage;
    LEASE: this host may fetch (see lease.py).
    """

    STATE = 0
    RELEASED = 1
    RETRIED = 2
    KEEP = 3
    WHOLE = 4
    PUBLISHED = 5
    LEASE = 6


class Lock(IntEnum):
    """Positions that are locked besides the segments."""

    ATTACHED = 0  # shared by all who have it open
    RELEASE = 1  # whoever decides whether bytes may still be taken back
    VERIFY = 2  # whoever hashes and publishes
    LEASE = 3  # whoever asks for the lease over hosts
    RUNS = 16  # and following: so many runs at a time


def boot_id() -> bytes:
    """Return what tells this run of the machine from earlier ones."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return bytes(16)
    return bytes.fromhex(text.strip().replace("-", ""))[:16].ljust(16, b"\0")


@dataclass(frozen=True)
class Peek:
    """What a journal tells without being opened."""

    size: int
    whole: bool
    in_use: bool
    used: float
    empty: bool = True
    promised: int = 0


def peek(path: Path) -> Peek:
    """Look at a journal. Raises FileNotFoundError. Blocking."""
    with path.open("r+b") as file:
        head = os.pread(file.fileno(), _HEADER.size, 0)
        found = _conflict(file.fileno(), _LOCKS + Lock.ATTACHED, 1)
        status = os.fstat(file.fileno())
        marks = os.pread(file.fileno(), status.st_size, _MARKS)
        promised = os.pread(file.fileno(), _PROMISED.size, _PROMISED_AT).ljust(8, b"\0")
        used = status.st_mtime
    if len(head) < _HEADER.size:
        return Peek(0, False, found is not None, used)
    _, size, *_ = _HEADER.unpack(head)
    empty = not marks.strip(ABSENT)
    whole = bool(head[_FLAGS + Flag.WHOLE])
    return Peek(size, whole, found is not None, used, empty, *_PROMISED.unpack(promised))


def _conflict(fd: int, start: int, length: int) -> tuple[int, int] | None:
    """Return a range within `length` positions from `start` that somebody else has locked."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    kind, _, first, count, _ = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else (first, first + count)


class Journal:
    """An open journal. Opening, `format` and `trust` may block; the rest are system calls."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._map: mmap.mmap | None = None

    # Life.

    @property
    def is_valid(self) -> bool:
        """Tell whether it is a complete journal of such a file."""
        head = os.pread(self._fd, _HEADER.size, 0)
        if len(head) < _HEADER.size or os.fstat(self._fd).st_size != _MARKS + self.layout.count:
            return False
        magic, size, segment, *_ = _HEADER.unpack(head)
        return (magic, size, segment) == (_MAGIC, self.layout.size, self.layout.segment)

    def format(self) -> None:
        """Begin anew, with nothing present. Only for who has it alone."""
        head = _HEADER.pack(_MAGIC, self.layout.size, self.layout.segment, boot_id(), *bytes(8))
        os.ftruncate(self._fd, 0)
        os.ftruncate(self._fd, _MARKS + self.layout.count)
        os.pwrite(self._fd, head, 0)

    def trust(self) -> None:
        """
        Forget what was not written out when the machine stopped, and who worked on it.

        Only for who has it alone.
        """
        if os.pread(self._fd, 16, 24) != boot_id():
            marks = os.pread(self._fd, self.layout.count, _MARKS)
            os.pwrite(self._fd, marks.replace(PRESENT, ABSENT), _MARKS)
            os.pwrite(self._fd, boot_id(), 24)
        self.set(Flag.LEASE, 0)
        self.set(Flag.WHOLE, 0)
        os.pwrite(self._fd, bytes(_PROMISED.size), _PROMISED_AT)
        self.set(Flag.STATE, State.FILLING)
        os.utime(self._fd)

    def map(self) -> None:
        """Make it readable; it has its final length now."""
        self._map = mmap.mmap(self._fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)

    def close(self) -> None:
        """Give back the descriptor and with it all locks."""
        if self._map is not None:
            self._map.close()  # it holds a copy of the descriptor, and so the locks
            self._map = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def is_named(self) -> bool:
        """Tell whether this journal is still the one its path names."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    # Marks.

    @property
    def _view(self) -> mmap.mmap:
        if self._map is None:
            raise ValueError("the journal is closed")
        return self._map

    def present(self, index: int) -> bool:
        """Tell whether a segment is present."""
        return self._view[_MARKS + index] != 0

    def first_absent(self, first: int = 0, last: int | None = None) -> int:
        """Return the first absent segment in `first` to `last`, or `last`."""
        last = self.layout.count if last is None else last
        found = self._view.find(ABSENT, _MARKS + first, _MARKS + last) if first < last else -1
        return last if found < 0 else found - _MARKS

    def marks(self) -> bytes:
        """Return a byte per segment, zero for absent."""
        return self._view[_MARKS : _MARKS + self.layout.count]

    def present_bytes(self) -> int:
        """Return how many bytes are present."""
        marks = self.marks()
        count = (len(marks) - marks.count(ABSENT)) * self.layout.segment
        if marks and marks[-1]:
            count += self.layout.length(len(marks) - 1) - self.layout.segment
        return count

    def mark(self, index: int) -> None:
        """Note that a segment's bytes have been written."""
        os.pwrite(self._fd, PRESENT, _MARKS + index)

    def mark_durable(self, last: int) -> None:
        """Note that everything before a segment has been written out to the disk."""
        os.pwrite(self._fd, DURABLE * last, _MARKS)

    def forget(self) -> None:
        """Note that nothing is present."""
        os.pwrite(self._fd, bytes(self.layout.count), _MARKS)

    # Flags.

    def get(self, flag: Flag) -> int:
        """Return a byte of the header."""
        return self._view[_FLAGS + flag]

    def set(self, flag: Flag, value: int = 1) -> None:
        """Write a byte of the header."""
        os.pwrite(self._fd, bytes([value]), _FLAGS + flag)

    def promise(self, count: int, allocated: int) -> None:
        """Note that ranges will bring `count` bytes besides those `allocated` and promised."""
        (before,) = _PROMISED.unpack_from(self._view, _PROMISED_AT)
        total = min(max(before, allocated) + count, self.layout.size)
        os.pwrite(self._fd, _PROMISED.pack(total), _PROMISED_AT)

    @property
    def state(self) -> State:
        """Return how far the file is."""
        return State(self.get(Flag.STATE))

    @property
    def is_good(self) -> bool:
        """Tell whether all of it may be read: the digest matched."""
        return self.state in (State.MATCHED, State.VERIFIED)

    # Locks.

    def try_lock(self, lock: int, *, shared: bool = False) -> bool:
        """Take one of the locks unless another process has it."""
        return self._try(fcntl.F_RDLCK if shared else fcntl.F_WRLCK, _LOCKS + lock, 1)

    def unlock(self, lock: int) -> None:
        """Give one of the locks back."""
        self._try(fcntl.F_UNLCK, _LOCKS + lock, 1)

    def lock_segments(self, first: int, last: int) -> tuple[int, int] | None:
        """
        Take the first free run of segments in `first` to `last`; None when all are taken.

        Marks must be looked at again afterwards: the last holder may just have finished.
        """
        while first < last:
            if self._try(fcntl.F_WRLCK, _SEGMENTS + first, last - first):
                return first, last
            taken = _conflict(self._fd, _SEGMENTS + first, last - first)
            if taken is None:  # given back this moment
                continue
            begin, end = (position - _SEGMENTS for position in taken)
            before = self.lock_segments(first, begin)  # others may be in there
            if before is not None:
                return before
            first = end
        return None

    def unlock_segments(self, first: int, last: int) -> None:
        """Give segments back."""
        if first < last:
            self._try(fcntl.F_UNLCK, _SEGMENTS + first, last - first)

    def _try(self, kind: int, start: int, length: int) -> bool:
        try:
            fcntl.fcntl(
                self._fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
            )
        except (BlockingIOError, PermissionError):  # POSIX allows both
            return False
        return True
