"""Names on the wire: repositories, revisions, paths (hub-protocol §1.1)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

DEFAULT_ENDPOINT = "https://huggingface.co"
DEFAULT_BRANCH = "main"

_SHA = re.compile(r"[0-9a-f]{40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidName(ValueError):
    """A path, id or revision that no Hub repository can have."""


class InvalidRevision(InvalidName):
    """A revision that git cannot hold as a ref."""


class InvalidPath(InvalidName):
    """A path that no git tree can hold."""


class RepoType(StrEnum):
    """The repository types served; the value is the word the client libraries use."""

    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"
    KERNEL = "kernel"

    @property
    def plural(self) -> str:
        """Return the word of the API routes: "models", "datasets", …"""
        return self.value + "s"

    @property
    def prefix(self) -> str:
        """Return what stands before the id in file URLs: "" or "datasets/", …"""
        return "" if self is RepoType.MODEL else self.plural + "/"

    @classmethod
    def from_plural(cls, word: str) -> "RepoType | None":
        """Return the type of an API route's word, or None."""
        return _BY_PLURAL.get(word)


# Every request looks a type up.
_BY_PLURAL = {kind.plural: kind for kind in RepoType}


@dataclass(frozen=True, slots=True)
class RepoId:
    """A Hub repository: its type and its id, "namespace/name" or a legacy "name"."""

    type: RepoType
    id: str

    @classmethod
    def parse(cls, kind: RepoType, text: str) -> "RepoId":
        """Return a validated id. Raises InvalidName (huggingface_hub's own grammar)."""
        try:
            validate_repo_id(text)
        except HFValidationError as error:
            raise InvalidName(str(error)) from error
        return cls(kind, text)

    @property
    def path(self) -> str:
        """Return the id as in file URLs, e.g. "datasets/org/ds"."""
        return self.type.prefix + self.id

    @property
    def api_path(self) -> str:
        """Return the id as in API URLs, e.g. "api/datasets/org/ds"."""
        return f"api/{self.type.plural}/{self.id}"

    def __str__(self) -> str:
        return self.path


def is_sha(revision: str) -> bool:
    """Tell whether a revision is a full commit id (40 lower-case hex digits)."""
    return _SHA.fullmatch(revision) is not None


def normalize_revision(revision: str) -> str:
    """
    Return the revision under its one name.

    "HEAD" (default of the JS client) is the default branch; a branch may be written in full;
    "~parquet" is how HfFileSystem and DuckDB write the ref refs/convert/parquet. Raises
    InvalidRevision for what git cannot hold as a ref.
    """
    if revision == "HEAD":
        return DEFAULT_BRANCH
    if revision.startswith("~"):
        revision = f"refs/convert/{revision[1:]}"
    revision = revision.removeprefix("refs/heads/")
    bad = not revision or len(revision) > 500 or ".." in revision or revision.startswith(("/", "-"))
    if bad or _CONTROL.search(revision) or revision.endswith((".lock", "/")):
        raise InvalidRevision(f"Invalid rev id: {revision}")
    return revision


def quote_revision(revision: str) -> str:
    """Return the revision as the Python clients send it: nothing is safe, not even "/"."""
    return quote(revision, safe="")


def quote_path(path: str) -> str:
    """Return a file path as the Python clients send it: only "/" is safe."""
    return quote(path, safe="/")


def decode_segment(raw: str) -> str:
    """
    Percent-decode one URL segment; raw UTF-8 bytes, as llama.cpp sends them, are taken too.

    Raises InvalidName if it is no UTF-8 text.
    """
    try:
        return unquote_to_bytes(raw.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError as error:
        raise InvalidName("Not valid UTF-8") from error


def decode_path(raw_segments: list[str]) -> str:
    """
    Return the decoded path of a file or directory inside a repository.

    Raises InvalidPath for paths no git tree can hold: "..", ".", empty parts, NUL.
    """
    path = "/".join(decode_segment(segment) for segment in raw_segments)
    check_path(path)
    return path


def check_path(path: str) -> None:
    """Raise InvalidPath unless a git tree can hold the path ("" is the root)."""
    parts = path.split("/") if path else []
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidPath(f"Invalid path: {path!r}")
    try:
        path.encode()
    except UnicodeEncodeError as error:  # JSON can carry lone surrogates
        raise InvalidPath(f"Invalid path: {path!r}") from error


def file_relative_path(repo: RepoId, sha: str, path: str) -> str:
    """Return the ContentArtifact path of a file, unique in any repository version."""
    return f"{repo.path}/resolve/{sha}/{path}"
