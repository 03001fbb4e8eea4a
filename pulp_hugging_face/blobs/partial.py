"""The partial file of a fill."""

import errno
import fcntl
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import StorageFull

log = logging.getLogger("pulp_hugging_face.blobs")

SUFFIX = ".part"
# Kept free for the database and everything else on the same disk.
RESERVE = 64 * 1024 * 1024


def require_room(folder: Path, size: int) -> None:
    """Raise StorageFull unless a file of `size` bytes fits."""
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE:
        raise StorageFull(f"The file needs {size} bytes, but only {free} bytes of disk are free.")


class PartialFile:
    """
    A file being filled from its beginning. Blocking: call from a worker thread.

    It is locked while in use, so that `remove_abandoned` can tell the leftovers of dead processes.
    """

    def __init__(self, folder: Path, blob: BlobId) -> None:
        require_room(folder, blob.size)
        self.path = folder / f"{blob.key}.{uuid.uuid4().hex}{SUFFIX}"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False

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
            os.close(self._fd)

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`. Raises OSError, e.g. on a full disk."""
        view = memoryview(data)
        with self._in_use() as fd:
            while view:
                count = os.pwrite(fd, view, offset)
                view, offset = view[count:], offset + count

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at `offset`. Works after the file was moved or removed."""
        with self._in_use() as fd:
            return os.pread(fd, count, offset)

    def sync(self) -> None:
        """Make the content durable before it is published."""
        with self._in_use() as fd:
            os.fsync(fd)

    def remove(self) -> None:
        """Remove the file's name, if it still has it."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give back the file descriptor and the lock, once nobody uses them."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._close_if_unused()


def remove_abandoned(folder: Path) -> int:
    """Remove partial files no living process holds; return their bytes."""
    freed = 0
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            freed += _remove_if_unlocked(path)
        except FileNotFoundError:
            continue
    if freed:
        log.info("Removed %d bytes of abandoned downloads", freed)
    return freed


def _remove_if_unlocked(path: Path) -> int:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        size = os.fstat(file.fileno()).st_size
        path.unlink()
        return size
