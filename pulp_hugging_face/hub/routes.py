"""
The route grammar: a raw, undecoded request path to what it asks for (hub-protocol §1.1, §2.3).

Routing works on the raw path because "%2F" in a revision or path must not be taken for a
separator: `refs%2Fpr%2F1` is one segment. Unencoded `refs/pr/1`, as the JS client sends it
in `tree`, is understood too.
"""

from dataclasses import dataclass, field

from .names import (
    InvalidName,
    RepoId,
    RepoType,
    decode_path,
    decode_segment,
    is_sha,
    normalize_revision,
)


@dataclass(frozen=True, slots=True)
class Route:
    """Anything a client may ask for under an endpoint."""


@dataclass(frozen=True, slots=True)
class Home(Route):
    """The endpoint itself."""


@dataclass(frozen=True, slots=True)
class RepoRoute(Route):
    """A route about one repository."""

    repo: RepoId


@dataclass(frozen=True, slots=True)
class Resolve(RepoRoute):
    """A file's bytes: `{repo}/resolve/{revision}/{path}`."""

    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Info(RepoRoute):
    """The repository's info object, of the default branch when revision is None."""

    revision: str | None = None


@dataclass(frozen=True, slots=True)
class TreeListing(RepoRoute):
    """A directory listing: `tree/{revision}[/{path}]`."""

    revision: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class PathsInfo(RepoRoute):
    """POST: the entries of some paths."""

    revision: str


@dataclass(frozen=True, slots=True)
class Refs(RepoRoute):
    """Branches, tags, converts and pull requests."""


@dataclass(frozen=True, slots=True)
class XetToken(RepoRoute):
    """`xet-read-token` and `xet-write-token`: not offered (architecture §4, Xet)."""


@dataclass(frozen=True, slots=True)
class AgentHarnesses(Route):
    """First call of every client process ≥ 1.19."""


@dataclass(frozen=True, slots=True)
class Telemetry(Route):
    """Usage statistics of the clients: taken and dropped."""


@dataclass(frozen=True, slots=True)
class Unknown(Route):
    """Nothing we know. `api` tells whether it is below /api."""

    api: bool = False
    repo: RepoId | None = field(default=None)


_VERBS = {
    "revision", "tree", "paths-info", "refs", "commits", "xet-read-token", "xet-write-token",
    "auth-check", "preupload", "commit", "branch", "tag", "settings", "discussions",
    "treesize", "parquet", "super-squash", "likers", "like", "lfs-files", "compare",
    "safetensors-metadata", "leaf", "croissant", "jwt",
}  # fmt: skip
_FINAL_VERBS = {"refs"}


def parse(raw_path: str) -> Route:
    """
    Return what a raw path below the endpoint asks for.

    Double slashes are collapsed: `HfApi(endpoint=E + "/")` produces them (§6). Raises
    InvalidName when a name in it cannot exist on any Hub.
    """
    segments = [segment for segment in raw_path.split("/") if segment]
    if not segments:
        return Home()
    if segments[0] == "api":
        return _parse_api(segments[1:])
    return _parse_file(segments)


def _parse_file(segments: list[str]) -> Route:
    kind = RepoType.from_plural(segments[0])
    rest = segments[1:] if kind else segments
    # By the literal marker, not by counting: ids have one or two segments (§1.1).
    marker = next((i for i in (1, 2) if len(rest) > i and rest[i] == "resolve"), None)
    if marker is None:
        return Unknown()
    repo = _repo(kind or RepoType.MODEL, rest[:marker])
    revision, path = _revision_and_path(rest[marker + 1 :])
    if not path:
        return Unknown(repo=repo)
    return Resolve(repo, revision, path)


def _parse_api(segments: list[str]) -> Route:
    if segments[:1] == ["agent-harnesses"]:
        return AgentHarnesses()
    if segments[:1] == ["telemetry"]:
        return Telemetry()
    if segments[:1] == ["resolve-cache"]:
        return _parse_resolve_cache(segments[1:])
    kind = RepoType.from_plural(segments[0]) if segments else None
    if kind is None or len(segments) < 2:
        return Unknown(api=True)
    return _parse_repo_api(kind, segments[1:])


def _parse_resolve_cache(segments: list[str]) -> Route:
    """Parse `{type}s/{id}/{sha}/{path}`, the commit-pinned hop of regular files (§1.6)."""
    kind = RepoType.from_plural(segments[0]) if segments else None
    at = next((i for i in (2, 3) if len(segments) > i + 1 and is_sha(segments[i])), None)
    if kind is None or at is None:
        return Unknown(api=True)
    return Resolve(_repo(kind, segments[1:at]), segments[at], decode_path(segments[at + 1 :]))


def _parse_repo_api(kind: RepoType, segments: list[str]) -> Route:
    size = _id_size(segments)
    repo = _repo(kind, segments[:size])
    if len(segments) == size:
        return Info(repo)
    verb, rest = segments[size], segments[size + 1 :]
    if verb == "refs" and not rest:
        return Refs(repo)
    if verb in ("xet-read-token", "xet-write-token"):
        return XetToken(repo)
    if not rest or verb not in ("revision", "tree", "paths-info"):
        return Unknown(api=True, repo=repo)
    revision, path = _revision_and_path(rest)
    if verb == "tree":
        return TreeListing(repo, revision, path)
    if path:
        return Unknown(api=True, repo=repo)
    return Info(repo, revision) if verb == "revision" else PathsInfo(repo, revision)


def _id_size(segments: list[str]) -> int:
    """Return how many leading segments are the id: two, or one for legacy ids like "gpt2"."""
    for size in (2, 1):
        word = segments[size] if len(segments) > size else ""
        # Words that end a route are verbs only at the end: `gpt2/tree/refs/pr/1`.
        if word in _VERBS and (word not in _FINAL_VERBS or len(segments) == size + 1):
            return size
    return min(2, len(segments))


def _repo(kind: RepoType, raw_segments: list[str]) -> RepoId:
    return RepoId.parse(kind, "/".join(decode_segment(segment) for segment in raw_segments))


def _revision_and_path(raw_segments: list[str]) -> tuple[str, str]:
    """Split `{revision}[/{path}]`; an unencoded refs/pr/1 or refs/convert/x takes three."""
    if not raw_segments:
        raise InvalidName("The revision is missing")
    size = 3 if raw_segments[0] == "refs" and len(raw_segments) >= 3 else 1
    revision = "/".join(decode_segment(segment) for segment in raw_segments[:size])
    return normalize_revision(revision), decode_path(raw_segments[size:])
