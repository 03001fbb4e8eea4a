"""
The route grammar: a raw, undecoded request path to what it asks for (hub-protocol §1.1, §2.3).

Routing works on the raw path because "%2F" in a revision or path must not be taken for a
separator: `refs%2Fpr%2F1` is one segment. Unencoded `refs/pr/1`, as the JS client sends it
in `tree`, is understood too.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from .names import (
    InvalidName,
    RepoId,
    RepoType,
    check_path,
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
class Raw(RepoRoute):
    """What git itself holds: `{repo}/raw/{revision}/{path}`; LFS files are their pointers."""

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
class Commits(RepoRoute):
    """The history of a revision, newest first."""

    revision: str


@dataclass(frozen=True, slots=True)
class AuthCheck(RepoRoute):
    """Whether the caller may read the files, or write them."""

    write: bool = False


@dataclass(frozen=True, slots=True)
class Credentials(Route):
    """
    Routes that issue credentials: never offered, since they would be the remote's own.

    `xet-read-token` and `xet-write-token` (architecture §4, Xet) and `jwt`, of anything.
    """

    verb: str


@dataclass(frozen=True, slots=True)
class BucketFile(Route):
    """`buckets/{ns}/{name}/resolve/{path}`: a file without commit and digest."""

    bucket: str
    path: str


@dataclass(frozen=True, slots=True)
class BucketPaths(Route):
    """POST: the entries of some paths of a bucket."""

    bucket: str


@dataclass(frozen=True, slots=True)
class Git(Route):
    """git's own protocols, smart HTTP and LFS: not offered."""


@dataclass(frozen=True, slots=True)
class ListRepos(Route):
    """List and search the repositories of a type."""

    type: RepoType


@dataclass(frozen=True, slots=True)
class WhoAmI(Route):
    """Whose token the caller has."""


@dataclass(frozen=True, slots=True)
class ValidateYaml(Route):
    """POST: check the metadata of a README before it is committed."""


@dataclass(frozen=True, slots=True)
class AgentHarnesses(Route):
    """First call of every client process ≥ 1.19."""


@dataclass(frozen=True, slots=True)
class Telemetry(Route):
    """Usage statistics of the clients: taken and dropped."""


@dataclass(frozen=True, slots=True)
class PassThrough(Route):
    """
    Any other route below /api, and a paper's text: what the upstream says.

    `shared` tells that it shows content of repositories, so that the remote's own token may ask for
    everybody; other routes show what belongs to an account or to a repository's owners.
    """

    shared: bool = False
    repo: RepoId | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Unknown(Route):
    """Nothing we know, and not below /api."""


_VERBS = {
    "revision", "tree", "paths-info", "refs", "commits", "xet-read-token", "xet-write-token",
    "auth-check", "preupload", "commit", "branch", "tag", "settings", "discussions",
    "treesize", "parquet", "super-squash", "likers", "like", "lfs-files", "compare",
    "safetensors-metadata", "leaf", "croissant", "jwt", "resource-group", "user-access-request",
    "variables", "secrets", "runtime", "events", "logs", "notebook", "sse", "scan", "statistics",
}  # fmt: skip
_FINAL_VERBS = {"refs"}
_CREDENTIALS = {"xet-read-token", "xet-write-token", "jwt"}
# What may follow a legacy id and end the route (§2.3). Of others `org/logs` is a repository.
_ALONE = _CREDENTIALS | {
    "refs", "auth-check", "discussions", "parquet", "croissant", "likers", "lfs-files", "scan",
}  # fmt: skip
# What these show is content of the repository, and no business of its owners alone.
_CONTENT = {
    "parquet", "safetensors-metadata", "discussions", "likers", "treesize", "compare", "leaf",
    "croissant", "statistics", "scan", "size", "splits", "rows", "leaderboard",
}  # fmt: skip
# What follows a type and is no repository.
_NO_REPOS = {
    ("spaces", "semantic-search"),
    ("spaces", "templates"),
    ("spaces", "hardware"),
    ("spaces", "zero-gpu", "quota"),
}
_FILE_MARKERS: dict[str, type[Resolve] | type[Raw]] = {"resolve": Resolve, "raw": Raw}
_PLAIN: dict[str, type[Route]] = {
    "agent-harnesses": AgentHarnesses,
    "telemetry": Telemetry,
    "whoami-v2": WhoAmI,
    "validate-yaml": ValidateYaml,
}


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
    if segments[0] == "buckets":
        return _parse_bucket_file(segments[1:])
    if segments[0] == "papers" and len(segments) == 2 and segments[1].endswith(".md"):
        return _pass_through(segments, shared=False)  # outside of /api, for `hf papers read`
    kind = RepoType.from_plural(segments[0])
    rest = segments[1:] if kind else segments
    marker = _marker_in(rest)
    if marker is None:
        return Git() if _is_git(rest) else Unknown()
    repo = _repo(kind or RepoType.MODEL, rest[:marker])
    revision, path = _revision_and_path(rest[marker + 1 :])
    if not path:
        return Unknown()
    return _FILE_MARKERS[rest[marker]](repo, revision, path)


def _marker_in(segments: list[str]) -> int | None:
    """
    Return where the marker is, not by counting: it follows an id of one or two segments (§1.1).

    Names may be markers, too, as in `org/raw/resolve/main/x`: of the readings that leave a path the
    literal /resolve/ decides, then the longer id.
    """
    found = [at for at in (2, 1) if len(segments) > at and segments[at] in _FILE_MARKERS]
    with_path = [at for at in found if len(segments) > at + 2]
    return max(with_path or found, key=lambda at: segments[at] == "resolve", default=None)


def _is_git(segments: list[str]) -> bool:
    """Tell what only git asks for: `{id}[.git]/info/refs`, `…/info/lfs/…`, `…/git-upload-pack`."""
    tail = segments[1:]
    pairs = (("info", "refs"), ("info", "lfs"))
    return tail[-1:] in (["git-upload-pack"], ["git-receive-pack"]) or any(
        pair in pairs for pair in itertools.pairwise(tail)
    )


def _parse_bucket_file(segments: list[str]) -> Route:
    if len(segments) < 4 or segments[2] != "resolve":
        return Unknown()
    bucket = _repo(RepoType.MODEL, segments[:2]).id
    return BucketFile(bucket, decode_path(segments[3:]))


def _parse_api(segments: list[str]) -> Route:
    first = segments[0] if segments else ""
    if first in _PLAIN:
        return _PLAIN[first]()
    if first == "resolve-cache":
        return _parse_resolve_cache(segments[1:])
    if first == "buckets":
        return _parse_bucket_api(segments)
    kind = RepoType.from_plural(first)
    if kind is None:
        return _pass_through(segments, shared=first.endswith("-tags-by-type"))
    if len(segments) < 2:
        return ListRepos(kind)
    if tuple(segments) in _NO_REPOS:
        return _pass_through(segments, shared=segments[1] == "semantic-search")
    return _parse_repo_api(kind, segments[1:])


def _parse_bucket_api(segments: list[str]) -> Route:
    if len(segments) == 4 and segments[3] == "paths-info":
        return BucketPaths(_repo(RepoType.MODEL, segments[1:3]).id)
    return _pass_through(segments, shared=_shows_a_bucket(segments[1:]))


def _shows_a_bucket(segments: list[str]) -> bool:
    """Tell whether that is a namespace's list, a bucket or its tree. "me" is whoever asks."""
    if not segments or decode_segment(segments[0]).lower() == "me":
        return False
    return len(segments) < 3 or segments[2] == "tree"


def _pass_through(segments: list[str], *, shared: bool, repo: RepoId | None = None) -> Route:
    """
    Refuse what would lead elsewhere when it is passed on: dots, however they are written.

    Credentials are refused wherever they may be issued, also below what is not known here.
    """
    for segment in segments:
        decoded = decode_segment(segment)
        check_path(decoded)
        if decoded in _CREDENTIALS:
            return Credentials(decoded)
    return PassThrough(shared, repo)


def _parse_resolve_cache(segments: list[str]) -> Route:
    """Parse `{type}s/{id}/{sha}/{path}`, the commit-pinned hop of regular files (§1.6)."""
    kind = RepoType.from_plural(segments[0]) if segments else None
    at = next((i for i in (2, 3) if len(segments) > i + 1 and is_sha(segments[i])), None)
    if kind is None or at is None:
        return Unknown()
    return Resolve(_repo(kind, segments[1:at]), segments[at], decode_path(segments[at + 1 :]))


def _parse_repo_api(kind: RepoType, segments: list[str]) -> Route:
    size = _id_size(segments)
    repo = _repo(kind, segments[:size])
    if len(segments) == size:
        return Info(repo)
    verb, rest = segments[size], segments[size + 1 :]
    if verb in _CREDENTIALS:
        return Credentials(verb)
    if verb == "refs" and not rest:
        return Refs(repo)
    if verb == "auth-check" and rest in ([], ["write"]):
        return AuthCheck(repo, write=bool(rest))
    if rest and verb in _AT_REVISION:
        return _parse_at_revision(repo, verb, rest)
    return _pass_through([verb, *rest], shared=verb in _CONTENT, repo=repo)


_AT_REVISION: dict[str, Callable[[RepoId, str], Route]] = {
    "revision": Info,
    "paths-info": PathsInfo,
    "commits": Commits,
    "tree": TreeListing,
}


def _parse_at_revision(repo: RepoId, verb: str, rest: list[str]) -> Route:
    revision, path = _revision_and_path(rest)
    if verb == "tree":
        return TreeListing(repo, revision, path)
    if path:
        return _pass_through(rest, shared=True, repo=repo)
    return _AT_REVISION[verb](repo, revision)


def _id_size(segments: list[str]) -> int:
    """Return how many leading segments are the id: two, or one for legacy ids like "gpt2"."""
    if _is_verb_at(2, segments):
        return 2
    if _is_verb_at(1, segments) and (len(segments) > 2 or segments[1] in _ALONE):
        return 1
    return min(2, len(segments))


def _is_verb_at(size: int, segments: list[str]) -> bool:
    """Words that end a route are verbs only at the end: `gpt2/tree/refs/pr/1`."""
    word = segments[size] if len(segments) > size else ""
    return word in _VERBS and (word not in _FINAL_VERBS or len(segments) == size + 1)


def _repo(kind: RepoType, raw_segments: list[str]) -> RepoId:
    return RepoId.parse(kind, "/".join(decode_segment(segment) for segment in raw_segments))


def _revision_and_path(raw_segments: list[str]) -> tuple[str, str]:
    """Split `{revision}[/{path}]`; an unencoded refs/pr/1 or refs/convert/x takes three."""
    if not raw_segments:
        raise InvalidName("The revision is missing")
    size = 3 if raw_segments[0] == "refs" and len(raw_segments) >= 3 else 1
    revision = "/".join(decode_segment(segment) for segment in raw_segments[:size])
    return normalize_revision(revision), decode_path(raw_segments[size:])
