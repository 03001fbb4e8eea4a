"""
What the database holds, asked by plain SQL: starting Django costs seconds, this milliseconds.

Tables of pulpcore and Django are only read here.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from .errors import DatabaseNewer, DatabaseUnusable
from .settings import Database

OLDEST_SERVER = 140000
CONNECT_SECONDS = 10
# Application labels of the packages whose migrations we can compare without starting Django.
LABELS: Mapping[str, str] = {
    "pulpcore": "core",
    "pulp_file": "file",
    "pulp_certguard": "certguard",
    "pulp_hugging_face": "hugging_face",
}


@dataclass(frozen=True)
class Remote:
    """The default remote as it is now."""

    url: str
    policy: str
    has_token: bool
    token_mode: str | None


@dataclass(frozen=True)
class Contents:
    """What was found: are all migrations applied, is there an admin, are the defaults complete."""

    migrated: bool
    admin: bool
    remote: Remote | None
    defaults: bool


def ensure(database: Database) -> None:
    """Create the database when the server lacks it; raises DatabaseUnusable."""
    try:
        with _connect(database) as connection:
            _check_server(database, connection)
    except psycopg.OperationalError as error:
        if not _is_missing(error):
            raise DatabaseUnusable(database.shown, _sentence(error)) from None
        _create(database)


def _connect(database: Database, name: str | None = None) -> psycopg.Connection:
    parameters = {**database.connection(name), "connect_timeout": str(CONNECT_SECONDS)}
    return psycopg.connect(make_conninfo(**parameters), autocommit=True)


def _is_missing(error: psycopg.OperationalError) -> bool:
    """Tell whether the server is fine and only the database is not there (no SQLSTATE yet)."""
    return re.search(r'database ".*" does not exist', str(error)) is not None


def _sentence(error: psycopg.Error) -> str:
    """Return the first line of a message, without a final stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def _check_server(database: Database, connection: psycopg.Connection) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise DatabaseUnusable(database.shown, "PostgreSQL 14 or newer is needed")
    available = "SELECT 1 FROM pg_available_extensions WHERE name = 'hstore'"
    if connection.execute(available).fetchone() is None:
        reason = "its server lacks the extension hstore (package postgresql-contrib)"
        raise DatabaseUnusable(database.shown, reason)


def _create(database: Database) -> None:
    try:
        with _connect(database, "postgres") as connection:
            _check_server(database, connection)
            name = sql.Identifier(database.name)
            connection.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8'").format(name))
    except psycopg.Error as error:
        raise DatabaseUnusable(database.shown, _sentence(error)) from None


def inspect(database: Database) -> Contents:
    """Look into the database; raises DatabaseNewer when it is not for this code."""
    try:
        with _connect(database) as connection:
            if not _has_table(connection, "django_migrations"):
                return Contents(False, False, None, False)
            return _contents(connection)
    except psycopg.Error as error:
        raise DatabaseUnusable(database.shown, _sentence(error)) from None


def _contents(connection: psycopg.Connection) -> Contents:
    applied = set(connection.execute("SELECT app, name FROM django_migrations").fetchall())
    known = {(label, name) for label, name, _ in migrations()}
    _refuse_newer(applied, known)
    admin = _has_admin(connection)
    if not known <= applied:
        return Contents(False, admin, None, False)
    remote = _remote(connection)
    defaults = remote is not None and _has_endpoint(connection)
    return Contents(True, admin, remote, defaults)


def _refuse_newer(applied: set[tuple[str, str]], known: set[tuple[str, str]]) -> None:
    """
    Compare the numbers of the newest migrations.

    Not the names: a squashed migration replaces older ones that the database still names.
    """
    for label in {label for label, _ in known}:
        newest = max((name for app, name in applied if app == label), default="")
        ours = max(name for app, name in known if app == label)
        if _number(newest) > _number(ours):
            raise DatabaseNewer(label, newest, ours)


def _number(name: str) -> int:
    match = re.match(r"\d+", name)
    return int(match.group()) if match else 0


def _has_table(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)", [f"public.{name}"]).fetchone()
    return row is not None and row[0] is not None


def _has_admin(connection: psycopg.Connection) -> bool:
    if not _has_table(connection, "auth_user"):
        return False
    query = "SELECT 1 FROM auth_user WHERE username = 'admin'"
    return connection.execute(query).fetchone() is not None


def _remote(connection: psycopg.Connection) -> Remote | None:
    row = connection.execute(
        "SELECT r.url, r.policy, h.hf_token IS NOT NULL, h.token_mode"
        " FROM core_remote r JOIN hugging_face_huggingfaceremote h ON h.remote_ptr_id = r.pulp_id"
        " JOIN core_domain d ON d.pulp_id = r.pulp_domain_id"
        " WHERE r.name = 'huggingface' AND d.name = 'default'"
    ).fetchone()
    return Remote(*row) if row else None


def _has_endpoint(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT 1 FROM core_distribution x JOIN core_domain d ON d.pulp_id = x.pulp_domain_id"
        " WHERE x.base_path = 'huggingface' AND d.name = 'default'"
    ).fetchone()
    return row is not None


def migrations() -> Iterator[tuple[str, str, Path]]:
    """Yield label, name and file of every migration of the installed packages."""
    for package, label in LABELS.items():
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            for file in sorted(Path(location, "app", "migrations").glob("[0-9]*.py")):
                yield label, file.stem, file


def versions() -> dict[str, str]:
    """Return the versions of pulpcore and all installed plugins."""
    found = {"pulpcore": version("pulpcore")}
    for plugin in entry_points(group="pulpcore.plugin"):
        if plugin.dist is not None:
            found[plugin.dist.name] = plugin.dist.version
    return dict(sorted(found.items()))


def fingerprint() -> str:
    """
    Return a digest of what preparing the database depends on.

    Besides the versions: the migrations, and our own sources, since a checkout changes without
    its version, and permissions are written after every migration.
    """
    digest = hashlib.sha256(repr(versions()).encode())
    for label, name, _ in migrations():
        digest.update(f"{label}.{name};".encode())
    for file in sorted(Path(__file__).parent.parent.joinpath("app").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_version() -> str:
    """Return the version of this package."""
    try:
        return version("pulp-hugging-face")
    except PackageNotFoundError:
        return "unknown"
