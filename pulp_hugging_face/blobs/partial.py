"""
Partial files: one per blob and domain, shared by all content processes of the host.

`<folder>/<key>.part` (sparse) and `<key>.journal`. They are opened and removed under a lock on the
folder, so that nobody opens the one and misses the other.
"""

import errno
import fcntl
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pulp_hugging_face.hub.digests import BlobId

from . import tombstone
from .journal import SUFFIX as JOURNAL
from .journal import Flag, Journal, Lock, State
from .segments import Layout

# What st_blocks counts in, whatever the file system.
BLOCK = 512
SUFFIX = ".part"


class BeingPublished(Exception):
    """The file is complete and on its way into the storage, by another process."""


class BeingLeft(Exception):
    """Another process has it alone, which lasts for a moment."""


def place_of(scope: str, lane: int) -> str:
    """Return the name of the folder of a domain's fills."""
    return f"{scope}.{lane}" if lane else scope


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder for oneself, for some system calls."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class PartialFile:
    """
    A blob's partial file and its journal. Blocking: call from a worker thread, but for the journal.

    `fresh` tells that nothing of it was there before, `suspect` that it was bad too often of late.
    """

    def __init__(self, folder: Path, blob: BlobId, layout: Layout | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / (blob.key + SUFFIX)
        self._key = blob.key
        self.suspect = tombstone.times(folder, blob.key) >= tombstone.TOO_OFTEN
        self.layout = layout or Layout.of(blob.size)
        with locked(folder):
            self.journal, self.fresh = self._open_journal(folder / (blob.key + JOURNAL))
            self._fd = self._open_part()
        self.raw = io.FileIO(self._fd, "r+b", closefd=False)  # for sendfile
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

    # Opening and removing.

    def _open_journal(self, path: Path) -> tuple[Journal, bool]:
        """Raises BeingPublished and BeingLeft."""
        journal = Journal(path, self.layout)
        try:
            alone = journal.try_lock(Lock.ATTACHED)
            if not alone and not self._is_sound(journal):
                journal.close()  # what is left of it is the others'
                path.unlink()
                self.path.unlink(missing_ok=True)
                return self._open_journal(path)
            fresh = self._prepare(journal) if alone else False
            if not journal.try_lock(Lock.ATTACHED, shared=True):
                raise BeingLeft
        except BaseException:
            journal.close()
            raise
        return journal, fresh

    def _is_sound(self, journal: Journal) -> bool:
        """Tell whether what others work on can be shared."""
        if not journal.is_valid:
            return False
        journal.map()
        if journal.state is State.BAD:
            return False
        if self.path.exists():
            return True
        if journal.state is State.FILLING:  # somebody removed it
            return False
        raise BeingPublished

    def _prepare(self, journal: Journal) -> bool:
        """Make use of what dead processes left; tell whether that is nothing."""
        if not journal.is_valid or not self.path.exists():
            return self._format(journal)
        journal.map()
        if journal.state is State.BAD or self.path.stat().st_nlink > 1:
            return self._format(journal)
        journal.trust()
        return journal.present_bytes() == 0

    def _format(self, journal: Journal) -> bool:
        self.path.unlink(missing_ok=True)  # it may have got other names: never write into those
        journal.format()
        journal.map()
        return True

    def _open_part(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except BaseException:
            self.journal.close()
            raise

    def remove(self) -> None:
        """Remove the names, if they are still those of this file."""
        with suppress(FileNotFoundError), locked(self.folder):
            self._unlink()

    def _unlink(self) -> None:
        if self.journal.is_named():
            self.path.unlink(missing_ok=True)
            self.journal.path.unlink()

    def condemn(self) -> None:
        """Leave a note that what clients have of it is bad. Raises OSError."""
        tombstone.note(self.folder, self._key)

    def redeem(self) -> None:
        """Note that it was good this time."""
        tombstone.forgive(self.folder, self._key)

    def leave(self, *, keep: bool) -> None:
        """Close it; remove the names when nobody else has it open and it is not to be kept."""
        with suppress(FileNotFoundError), locked(self.folder):
            try:
                if self.journal.try_lock(Lock.ATTACHED) and not (keep and self._is_of_use()):
                    self._unlink()
            finally:
                # In here: who opens it next would find it taken, and have no share in it.
                self.journal.unlock(Lock.ATTACHED)
        self.close()

    def require_name(self) -> None:
        """
        Raise OSError if the path names another file: that would be published, unverified.

        That it names none is for the storage to tell.
        """
        with locked(self.folder), suppress(FileNotFoundError), self._in_use() as fd:
            same = os.path.samestat(os.stat(self.path), os.fstat(fd))
            if not (same and self.journal.is_named()):
                raise OSError(errno.ESTALE, "the partial file is another one now")

    def _is_of_use(self) -> bool:
        journal = self.journal
        if journal.state is State.BAD or journal.get(Flag.PUBLISHED):
            return False
        return bool(journal.get(Flag.KEEP)) and journal.present_bytes() > 0

    def close(self) -> None:
        """Give back the file descriptors and the locks, once nobody uses them."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._close_if_unused()

    # Contents.

    @contextmanager
    def _in_use(self) -> Iterator[int]:
        """
        Yield the descriptor, which is not closed meanwhile: its number would be used anew, and a
        late write of a cancelled fill would go into a file of somebody else.
        """
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, "The partial file is closed")
            self._users += 1
        try:
            yield self._fd
        finally:
            with self._lock:
                self._users -= 1
                self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._closed and self._users == 0:
            self.journal.close()
            os.close(self._fd)

    def store(self, offset: int, data: bytes, first: int, last: int) -> None:
        """
        Write `data` at `offset`, and only then mark segments `first` to `last`, which are complete
        by it, and give them back. Raises OSError, e.g. on a full disk.

        What is present already is left as it is: it may have been verified, or published.
        """
        view, stop = memoryview(data), offset + len(data)
        with self._in_use() as fd:
            for index in range(*self.layout.span(offset, stop)):
                begin = max(self.layout.first_byte(index), offset)
                end = min(self.layout.first_byte(index + 1), stop)
                if not self.journal.present(index):
                    _write(fd, view[begin - offset : end - offset], begin)
            for index in range(first, last):
                self.journal.mark(index)
            self.journal.unlock_segments(first, last)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at `offset`. Works after the file was moved or removed."""
        with self._in_use() as fd:
            return os.pread(fd, count, offset)

    def is_at(self, path: Path) -> bool:
        """Tell whether a path names this very file."""
        with suppress(OSError), self._in_use() as fd:
            return os.path.samestat(path.stat(), os.fstat(fd))
        return False

    def allocated(self) -> int:
        """Return the bytes it takes on the disk; 0 when it is closed."""
        return self._blocks(nameless=False)

    def nameless_bytes(self) -> int:
        """Return the same if it has no name, and so is in no folder any more; else 0."""
        return self._blocks(nameless=True)

    def _blocks(self, *, nameless: bool) -> int:
        with suppress(OSError), self._in_use() as fd:
            status = os.fstat(fd)
            if not nameless or status.st_nlink == 0:
                return status.st_blocks * BLOCK
        return 0

    def sync(self, done: int) -> None:
        """Make the content durable, and note it of the segments before `done`."""
        with self._in_use() as fd:
            os.fsync(fd)
            self.journal.mark_durable(done)


def _write(fd: int, view: memoryview, offset: int) -> None:
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count
