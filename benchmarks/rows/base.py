"""What a row is: metrics, what has to be there before, and one sample of one server."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.nginx import NginxStatic
from benchmarks.servers import Server
from benchmarks.sizes import Sizes
from benchmarks.upstream import Upstream
from pulp_hugging_face.tests.hub import Generated, repo
from pulp_hugging_face.tests.hub.content import content_of

EVERYBODY = ("ours", "nginx-static", "nginx-cache", "olah")
CACHES = ("ours", "nginx-cache", "olah")


@dataclass(frozen=True)
class Target:
    """What ours must reach: a number, or a ratio to another server in the same run."""

    at_least: bool
    value: float
    of: str = ""


def at_least(value: float, of: str = "") -> Target:
    return Target(True, value, of)


def at_most(value: float, of: str = "") -> Target:
    return Target(False, value, of)


@dataclass(frozen=True)
class Metric:
    """
    One line of the table; `meaning` is for the page.

    A run fails when one that is `asserted` misses a target: it does not depend on the machine.
    """

    name: str
    title: str
    unit: str
    meaning: str
    targets: tuple[Target, ...] = ()
    asserted: bool = False


@dataclass
class Bench:
    """What all rows share."""

    sizes: Sizes
    folder: Path
    upstream: Upstream
    servers: Mapping[str, Server]
    _placed: set[str] = field(default_factory=set)

    def place(
        self, repo_id: str, files: Mapping[str, Generated | bytes], static: bool = False
    ) -> None:
        """
        Declare a repository, and have its digests computed before anybody waits for them.

        With `static` the plain file server, if it is here, gets the files too.
        """
        if repo_id in self._placed:
            return
        self._placed.add(repo_id)
        self.upstream.declare(repo(repo_id, files))
        self.upstream.manifest(repo_id)
        server = self.servers.get(NginxStatic.name)
        if static and isinstance(server, NginxStatic):
            for path, content in files.items():
                server.put(repo_id, path, content_of(content))


class Row(ABC):
    """
    Some metrics that are measured together.

    `prepare` runs once, `check` once per server before its first sample and raises
    `preflight.Refused`; what it fetched is held afterwards, which hot rows rely on.
    """

    name: str
    metrics: tuple[Metric, ...]
    servers: tuple[str, ...] = EVERYBODY

    def repetitions(self, sizes: Sizes) -> int:
        return sizes.repetitions

    @abstractmethod
    def prepare(self, bench: Bench) -> None: ...

    @abstractmethod
    def check(self, bench: Bench, server: Server) -> None: ...

    @abstractmethod
    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        """Return a number per metric; `load.LoadError` if the server does not keep up."""

    def note(self, bench: Bench, server: Server) -> str:
        """Return what this server is spared, "" for nothing."""
        return ""
