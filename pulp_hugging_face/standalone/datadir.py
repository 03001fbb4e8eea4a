"""The data folder: what lies where, who holds it, and the secrets in it."""

import base64
import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import AlreadyRunning, DataFolderFull, DataFolderUnusable
from .processes import ProcessId

MIB = 1024 * 1024
# An empty cluster with Pulp's schema and its write-ahead log, measured: 95 MiB.
FIRST_START_MIB = 256
LATER_START_MIB = 32

_REASONS = {
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "it is on a read-only file system",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EEXIST: "it is not a folder",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the path is too long",
}


class DataDir:
    """
    One data folder.

    postgres/ (cluster), run/ (its socket), media/, tmp/ (WORKING_DIRECTORY, same file system as
    media/ so that publishing is a rename), assets/, logs/, settings.py, three secrets and what is
    known of the running instance.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.postgres = root / "pg"
        self.run = root / "run"
        self.media = root / "media"
        self.tmp = root / "tmp"
        self.assets = root / "assets"
        self.logs = root / "logs"
        self.settings = root / "settings.py"
        self.database_key = root / "database_key"
        self.secret_key = root / "secret_key"
        self.admin_password = root / "admin_password"
        self.state = root / "state.json"
        self.applied = root / "applied.json"
        self.lock_file = root / "lock"

    def prepare(self) -> None:
        """Create the folders and prove that they can be written; raises StandaloneErrors."""
        with self.usable():
            self._make_root()
            for folder in (self.media, self.tmp, self.assets, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
                self._probe(folder)
            self._check_space()

    def _make_root(self) -> None:
        # PostgreSQL runs as another user when we are root, and must pass through to pg/.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        missing = [p for p in (self.root, *self.root.parents) if not p.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=mode if folder == self.root else 0o755, exist_ok=True)
        if not self.root.is_dir():
            raise NotADirectoryError(errno.EEXIST, "not a folder", str(self.root))
        os.listdir(self.root)

    def _probe(self, folder: Path) -> None:
        """Write and remove a file: permissions alone do not tell about read-only and full disks."""
        probe = folder / f".probe-{os.getpid()}"
        try:
            with probe.open("wb") as file:
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = folder
            raise
        finally:
            probe.unlink(missing_ok=True)

    def _check_space(self) -> None:
        needed = LATER_START_MIB if self.has_cluster() else FIRST_START_MIB
        free = shutil.disk_usage(self.root).free // MIB
        if free < needed:
            raise DataFolderFull(self.root, free, needed)

    @contextlib.contextmanager
    def usable(self) -> Iterator[None]:
        """Turn the operating system's refusals into a sentence."""
        try:
            yield
        except OSError as error:
            where = error.filename or self.root
            reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
            if str(where) != str(self.root):
                reason = f"{where}: {reason}"
            raise DataFolderUnusable(self.root, reason) from None

    def has_cluster(self) -> bool:
        """Tell whether a PostgreSQL cluster was created here."""
        return (self.postgres / "PG_VERSION").exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one instance; raises AlreadyRunning. The kernel frees the lock."""
        with self.usable():
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            holder = self._lock_owner()
            endpoint = self.read_state().get("endpoint")
            pid = holder.pid if holder else None
            raise AlreadyRunning(self.root, pid, endpoint) from None
        try:
            own = ProcessId.of(os.getpid())
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(own.to_json() if own else None).encode())
            yield
        finally:
            os.close(descriptor)

    def _lock_owner(self) -> ProcessId | None:
        """Return who wrote its name into the lock file last."""
        return ProcessId.from_json(_read_json(self.lock_file))

    def holder(self) -> ProcessId | None:
        """Return the instance that holds the folder, None for nobody."""
        with self.usable():
            try:
                descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._lock_owner()
        finally:
            os.close(descriptor)
        return None

    def ensure_secrets(self) -> None:
        """Make the database key and Django's secret key, once."""
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        for path, value in ((self.database_key, key), (self.secret_key, secrets.token_urlsafe(50))):
            if not path.exists() or not path.read_text().strip():
                self.write(path, value + "\n", private=True)

    def ensure_admin_password(self, wanted: str | None) -> str:
        """Return the administrator's password: as wanted, as kept, or a new one."""
        kept = self.admin_password.read_text().rstrip("\n") if self.admin_password.exists() else ""
        password = wanted or kept or secrets.token_urlsafe(15)
        if password != kept:
            self.write(self.admin_password, password + "\n", private=True)
        return password

    def write(self, path: Path, text: str, *, private: bool = False) -> None:
        """Write a file so that readers see the old or the new one, never half of it."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with self.usable():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600 if private else 0o644)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)

    def read_state(self) -> dict[str, Any]:
        """Return what the running (or crashed) instance told of itself, {} for nothing."""
        return _read_json(self.state)

    def read_applied(self) -> dict[str, Any]:
        """Return what the last successful preparation of the database was made from."""
        return _read_json(self.applied)

    def write_json(self, path: Path, value: dict[str, Any]) -> None:
        """Write a JSON file; private, since it is nobody else's business."""
        self.write(path, json.dumps(value, indent=1) + "\n", private=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
