"""
What happens in a child between fork and exec: it dies with us, and PostgreSQL is not root.

PostgreSQL refuses to run as root. Under root it is started as another user, who may have no way
to the data folder or to the installation (a home folder of mode 0700). Instead of opening these
folders to everybody, the server then keeps one capability: to pass folders regardless of their
mode. Its socket is reachable for nobody else.
"""

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import PostgresOutOfReach

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class User:
    """The user PostgreSQL runs as; `capability` is what it keeps of root, None for nothing."""

    name: str
    uid: int
    gid: int
    capability: int | None = None


def dies_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before exec so that it gets a signal when the supervisor dies."""
    parent = os.getpid()

    def prepare() -> None:
        if sys.platform == "linux":
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def becomes(user: User, signum: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before exec to become a user (and die with the supervisor)."""
    mortal = dies_with_parent(signum)

    def prepare() -> None:
        if user.capability is not None:
            _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([user.gid])
        os.setgid(user.gid)
        os.setuid(user.uid)
        if user.capability is not None:
            _keep_only(user.capability)
        # Last: a change of credentials clears the signal.
        mortal()

    return prepare


def _keep_only(capability: int) -> None:
    """Drop all capabilities but one and let that one survive exec."""
    bits = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Two triples of effective, permitted, inheritable: bits 0-31 and 32-63.
    data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if _LIBC.capset(header, data) != 0:
        os._exit(126)
    _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def user_for_postgres(cluster: Path, program: Path, folders: Iterable[Path]) -> User | None:
    """
    Return who is to run PostgreSQL, None for ourselves.

    `program` must be executable and `folders` reachable for it; raises PostgresOutOfReach.
    """
    if os.geteuid() != 0:
        return None
    user = _owner_of(cluster) or _service_user()
    executable = _allows(program.stat(), user)
    blocked = next((blocked for folder in folders for blocked in _blocking(folder, user)), None)
    if executable and blocked is None:
        return user
    # Only the stronger one executes what is not meant for others (installed under umask 077).
    wanted = (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if executable else (_CAP_DAC_OVERRIDE,)
    capability = next((number for number in wanted if _held() >> number & 1), None)
    if capability is None:
        raise PostgresOutOfReach(user.name, blocked or program)
    return User(user.name, user.uid, user.gid, capability)


def _owner_of(cluster: Path) -> User | None:
    """Return the owner of an existing cluster: it stays with whom it was made for."""
    try:
        owner = cluster.stat()
    except OSError:
        return None
    if owner.st_uid == 0:
        return None
    try:
        name = pwd.getpwuid(owner.st_uid).pw_name
    except KeyError:
        name = str(owner.st_uid)
    return User(name, owner.st_uid, owner.st_gid)


def _service_user() -> User:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    # Every Unix has nobody; initdb needs a name for its uid, so there is nothing to fall back on.
    raise PostgresOutOfReach("nobody (who does not exist here)", Path("/"))


def _blocking(path: Path, user: User) -> Iterable[Path]:
    """Return the folders on the way that the user may not pass, as far as their modes tell."""
    resolved = path.resolve()
    for folder in (*reversed(resolved.parents), resolved):
        if folder.is_dir() and not _allows(folder.stat(), user):
            yield folder


def _allows(status: os.stat_result, user: User) -> bool:
    """Tell whether a mode lets the user pass a folder or execute a file."""
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _held() -> int:
    """Return the capabilities we hold, as bits."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in text.splitlines() if "CapPrm" in line), 0)
