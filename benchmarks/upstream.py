"""
The fixture Hub of the tests as the upstream of a benchmark, in a process of its own.

`python -m benchmarks.upstream` is that process: it knows catalogues `files-N` as well, whose one
repository has a commit of N files and is made only when it is loaded.
"""

import asyncio
from functools import partial

from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.tests.hub import __main__ as program
from pulp_hugging_face.tests.hub.catalogue import CATALOGUES
from pulp_hugging_face.tests.hub.content import Literal
from pulp_hugging_face.tests.hub.declare import CommitSpec, FileSpec, RepoSpec

COUNTS = (10, 1_000, 10_000, 100_000, 1_000_000)
IN_A_DIRECTORY = 1_000


class Upstream(FixtureHub):
    """Starts the process below in place of the tests'."""

    module = __name__

    def __init__(self) -> None:
        super().__init__(catalogue="empty")


def repo_of(count: int) -> str:
    """Return the name of the repository whose commit has so many files."""
    return f"bench/files-{count}"


def catalogue_of(count: int) -> str:
    return f"files-{count}"


def path_of(number: int) -> str:
    """Return the path of a file in it: names differ, so that no two directories are the same."""
    return f"d{number // IN_A_DIRECTORY:04}/f{number:07}.json"


def _many(count: int, hub_url: str) -> list[RepoSpec]:
    """Declare N files that share their bytes: it is names that count here."""
    same = Literal(b'{"hidden_size": 4096}\n')
    files = tuple(FileSpec(path_of(number), same, lfs=False) for number in range(count))
    return [RepoSpec(repo_of(count), commits=(CommitSpec("Many files", files),))]


def main() -> None:
    CATALOGUES.update({catalogue_of(count): partial(_many, count) for count in COUNTS})
    asyncio.run(program.serve(program.arguments()))


if __name__ == "__main__":
    main()
