"""Our own PostgreSQL: made once, started as a child, never reachable but through a socket file."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import binaries, privileges, processes
from .children import Child, Spec, tail
from .datadir import DataDir
from .errors import DataFolderUnusable, PostgresFailed
from .processes import ProcessId
from .signals import Signals

SUPERUSER = "pulp"
DATABASE = "pulp"
PORT = 5432
# sun_path holds 108 bytes with the closing zero on Linux, 104 on macOS.
LONGEST_SOCKET_PATH = 103
# Fast shutdown waits for a checkpoint, which a slow disk may take its time for.
STOP_SECONDS = 60.0
STALE_SECONDS = 30.0


@dataclass(frozen=True)
class Cluster:
    """A cluster in a data folder, with the programs and the user that run it."""

    folder: Path
    socket_folder: Path
    programs: binaries.Binaries
    user: privileges.User | None
    log: Path
    env: Mapping[str, str]

    def server(self, to_screen: bool, connections: int) -> Spec:
        """Return how to run the server: loopback closed, socket private, so many connections."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder).replace(",", "\\,"),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "max_connections": str(connections),
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        arguments = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return Spec(
            name="PostgreSQL",
            argv=[self.programs.program("postgres"), "-D", str(self.folder), *arguments],
            log=self.log,
            cwd=Path("/"),
            env=self.env,
            to_screen=to_screen,
            stop_signal=signal.SIGINT,
            grace=STOP_SECONDS,
            group=False,
            prepare=self.prepare(signal.SIGINT),
        )

    def prepare(self, signum: signal.Signals) -> Callable[[], None]:
        """Return what runs before exec: the right user, and death with the supervisor."""
        if self.user is None:
            return privileges.dies_with_parent(signum)
        return privileges.becomes(self.user, signum)

    def own(self, folder: Path) -> None:
        """Make a private folder that belongs to the server's user."""
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        if self.user is not None:
            os.chown(folder, self.user.uid, self.user.gid)


def prepare(data: DataDir, environ: Mapping[str, str], signals: Signals) -> Cluster:
    """Return the cluster of a data folder, made if there is none, with no server on it."""
    programs = binaries.locate(data.postgres, environ)
    program = Path(programs.program("postgres"))
    user = privileges.user_for_postgres(data.postgres, program, [data.root, programs.folder])
    env = {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if "TZ" in environ:
        env["TZ"] = environ["TZ"]
    log = data.logs / "postgres.log"
    cluster = Cluster(data.postgres, _socket_folder(data), programs, user, log, env)
    with data.usable():
        cluster.own(cluster.socket_folder)
        if not data.has_cluster():
            _create(cluster, signals)
    _end_stale_server(cluster, data, signals)
    return cluster


def _socket_folder(data: DataDir) -> Path:
    """Return a folder whose socket's path is short enough; remembered, to be found again."""
    longest = LONGEST_SOCKET_PATH - len(f"/.s.PGSQL.{PORT}.lock")
    if len(os.fsencode(data.run)) <= longest:
        return data.run
    remembered = data.root / "socket_folder"
    with contextlib.suppress(OSError):
        known = Path(remembered.read_text().strip())
        # Not one that somebody else put there after ours was cleared away.
        if known.lstat().st_uid in (os.geteuid(), data.postgres.stat().st_uid):
            return known
    folder = Path(tempfile.mkdtemp(prefix="pulp-hf-", dir=_short_temporary_folder(longest)))
    data.write(remembered, f"{folder}\n", private=True)
    return folder


def _short_temporary_folder(longest: int) -> str:
    candidates = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    fitting = [c for c in candidates if c and os.access(c, os.W_OK | os.X_OK)]
    return next((c for c in fitting if len(os.fsencode(c)) + 18 <= longest), "/tmp")


def _create(cluster: Cluster, signals: Signals) -> None:
    """Run initdb beside the final name, so that an interrupted one leaves no half cluster."""
    if cluster.folder.exists() and any(cluster.folder.iterdir()):
        raise DataFolderUnusable(
            cluster.folder.parent, f"{cluster.folder} holds something that is not a database"
        )
    unfinished = cluster.folder.with_name(cluster.folder.name + ".new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    cluster.own(unfinished)
    step = Child(
        Spec(
            name="initdb",
            argv=[
                cluster.programs.program("initdb"),
                *("-D", str(unfinished), "-U", SUPERUSER, "--encoding=UTF8", "--no-locale"),
                *("--auth-local=trust", "--auth-host=reject"),
            ],
            log=cluster.log,
            cwd=Path("/"),
            env=cluster.env,
            prepare=cluster.prepare(signal.SIGKILL),
        )
    )
    run_step(step, signals)
    if step.returncode != 0:
        raise PostgresFailed("creating the database", cluster.log, tail(cluster.log, 6))
    if cluster.folder.exists():
        cluster.folder.rmdir()
    unfinished.rename(cluster.folder)


def run_step(step: Child, signals: Signals, stdin: bytes | None = None) -> None:
    """Run a child to its end; a stop kills it and goes on as Stopped."""
    try:
        step.start(stdin)
        while step.running():
            signals.wait(1.0)
    finally:
        step.kill()
        while step.running():
            signals.pause(0.1)


def _end_stale_server(cluster: Cluster, data: DataDir, signals: Signals) -> None:
    """
    Stop a server that outlived its supervisor.

    We hold the data folder's lock, so whatever runs on the cluster is not looked after by anybody.
    """
    postmaster = _postmaster(cluster)
    if postmaster is None:
        return
    process = ProcessId.of(postmaster)
    if process is None or str(cluster.folder) not in processes.command_line(postmaster):
        # Somebody else's process by now: PostgreSQL would refuse to start because of it.
        (cluster.folder / "postmaster.pid").unlink(missing_ok=True)
        return
    for signum in (signal.SIGINT, signal.SIGQUIT):
        processes.send(process, signum)
        if processes.wait_gone(process, STALE_SECONDS, signals.wait):
            return
    raise PostgresFailed(f"stopping a stale server (process {postmaster})", cluster.log, [])


def _postmaster(cluster: Cluster) -> int | None:
    try:
        return int((cluster.folder / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return None


def wait_until_started(cluster: Cluster, child: Child, signals: Signals, seconds: float) -> None:
    """Wait until the server accepts connections (recovery after a crash may take a while)."""
    deadline = time.monotonic() + seconds
    while not _says_ready(cluster, child):
        if not child.running():
            raise PostgresFailed(f"starting ({child.how})", cluster.log, child.tail(6))
        if time.monotonic() > deadline:
            raise PostgresFailed("starting in time", cluster.log, child.tail(6))
        signals.wait(0.05)


def _says_ready(cluster: Cluster, child: Child) -> bool:
    """Tell whether postmaster.pid says "ready" about this very process (line 8)."""
    try:
        lines = (cluster.folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    own = child.id is not None and lines[:1] == [str(child.id.pid)]
    return own and len(lines) >= 8 and lines[7].strip() == "ready"
