"""The fixture Hub: a server that imitates huggingface.co, written from hub-protocol.md.

Start it by `python -m pulp_hugging_face.tests.hub`, or from a test with `FixtureHub`.
"""

from .catalogue import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN, standard_catalogue
from .content import Generated, Literal
from .declare import (
    CommitSpec,
    FileSpec,
    RefSpec,
    RepoSpec,
    UserSpec,
    branch,
    commit,
    convert,
    files_of,
    pull_request,
    repo,
    tag,
)
from .driver import ControlError, FileInfo, FixtureHub
from .faults import Fault
from .journal import Counters, LogEntry

__all__ = [
    "INVALID_TOKEN",
    "NOBODY_TOKEN",
    "OWNER_TOKEN",
    "CommitSpec",
    "ControlError",
    "Counters",
    "Fault",
    "FileInfo",
    "FileSpec",
    "FixtureHub",
    "Generated",
    "Literal",
    "LogEntry",
    "RefSpec",
    "RepoSpec",
    "UserSpec",
    "branch",
    "commit",
    "convert",
    "files_of",
    "pull_request",
    "repo",
    "standard_catalogue",
    "tag",
]
