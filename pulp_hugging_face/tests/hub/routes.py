"""From a raw, undecoded path to the handler and to the *kind* under which it is counted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from . import (
    api,
    buckets,
    cdn,
    derived,
    discover,
    discussions,
    errors,
    gatherings,
    listing,
    owned,
    papers,
    people,
    resolve,
)
from .repos import Repo
from .wire import Answer, Ask, json_answer, redirect_answer
from .world import World

TYPES = {"models": "model", "datasets": "dataset", "spaces": "space", "kernels": "kernel"}
KERNEL_VERBS = {"", "revision", "tree", "refs", "xet-read-token"}
FILE_MARKERS = {"resolve": resolve.resolve, "raw": resolve.raw}
Handler = Callable[[World, Ask], Answer]
RepoHandler = Callable[[World, Ask, Repo], Answer]
SiteHandler = Callable[[World, Ask, list[str]], Answer]

GLOBAL = {
    "whoami-v2": ("whoami", listing.whoami),
    "agent-harnesses": ("agent_harnesses", listing.agent_harnesses),
    "validate-yaml": ("validate_yaml", listing.validate_yaml),
}
# Handlers that get the decoded segments which follow.
SITE: dict[str, tuple[str, SiteHandler]] = {
    "collections": ("collections", gatherings.route),
    "papers": ("papers", papers.route),
    "daily_papers": ("papers", papers.daily),
    "users": ("users", people.user_route),
    "organizations": ("organizations", people.organization_route),
    "tasks": ("tasks", discover.tasks),
    "quicksearch": ("quicksearch", discover.quicksearch),
    "trending": ("trending", discover.trending),
    "settings": ("settings", owned.settings),
    "notifications": ("notifications", owned.notifications),
    "jobs": ("jobs", owned.jobs),
}


@dataclass(frozen=True)
class Route:
    """`plain`: errors are text, as on file routes, and not JSON."""

    kind: str
    call: Handler
    plain: bool = False


def hub_route(ask: Ask) -> Route:
    segments = [segment for segment in ask.raw_path.split("/") if segment]
    if segments[:1] == ["api"]:
        return _api_route(ask, segments[1:])
    if len(segments) == 2 and segments[0] == "papers" and segments[1].endswith(".md"):
        paper = unquote(segments[1]).removesuffix(".md")
        return Route("paper_page", lambda w, a: papers.page(w, a, paper), plain=True)
    return _file_route(ask, segments) or _nowhere()


def cdn_route(ask: Ask) -> Route:
    if ask.raw_path.startswith("/cas/"):
        return Route("xet_cas", _no_cas)
    if "/uploads/avatars/" in ask.raw_path:
        return Route("cdn_avatar", people.avatar, plain=True)
    return Route(f"cdn_{ask.method.lower()}", cdn.object_answer, plain=True)


def _no_cas(world: World, ask: Ask) -> Answer:
    """No CAS here: reaching it is what a test wants to know."""
    return json_answer({"error": "no such reconstruction"}, status=404)


def _nowhere() -> Route:
    def call(world: World, ask: Ask) -> Answer:
        raise errors.page_not_found()

    return Route("other", call)


def _file_route(ask: Ask, segments: Sequence[str]) -> Route | None:
    """`[datasets|spaces|kernels/]{ns}/{name}/resolve/{rev}/{path}`, found by its marker (§1.1)."""
    if segments[:1] == ["buckets"]:
        return _bucket_file(ask, segments[1:])
    repo_type = TYPES.get(segments[0] if segments else "", "model")
    rest = list(segments[1:] if repo_type != "model" else segments)
    readings = [at for at in (1, 2) if len(rest) > at + 2 and rest[at] in FILE_MARKERS]
    if not readings:
        return None
    # A repository may be called "raw" or "resolve".
    at = max(readings, key=lambda at: (rest[at] == "resolve", at))
    revision, path = api.raw_revision(rest[at + 1 :])
    handler = _file_handler(FILE_MARKERS[rest[at]], revision, unquote("/".join(path)))
    call = with_repo(repo_type, unquote("/".join(rest[:at])), handler)
    return Route(f"{rest[at]}_{ask.method.lower()}", call, plain=True)


def _file_handler(handler: Callable[..., Answer], revision: str, path: str) -> RepoHandler:
    return lambda world, ask, repo: handler(world, ask, repo, revision, path)


def with_repo(repo_type: str, repo_id: str, handler: RepoHandler) -> Handler:
    """Find the repository, or redirect an old name, or refuse."""

    def call(world: World, ask: Ask) -> Answer:
        world.user_of(ask)
        if world.find(repo_type, repo_id) is None:
            canonical = world.canonical(repo_type, repo_id)
            if canonical is not None:
                world.visible(repo_type, canonical, ask)
                return _moved(ask, repo_id, canonical)
        return handler(world, ask, world.visible(repo_type, repo_id, ask))

    return call


def _moved(ask: Ask, old: str, new: str) -> Answer:
    """307 to the same sub-path under the new name, query kept (rule 4)."""
    name = re.compile(rf"/{re.escape(old)}(?=[/?]|$)")
    return redirect_answer(307, name.sub(f"/{new}", ask.target, count=1))


def _api_route(ask: Ask, segments: list[str]) -> Route:
    first = segments[0] if segments else ""
    if first in GLOBAL and len(segments) == 1:
        kind, handler = GLOBAL[first]
        return Route(kind, handler)
    if first == "buckets" and len(segments) > 1:
        return _bucket_route(segments[1:])
    if first in SITE:
        kind, site = SITE[first]
        rest = [unquote(segment) for segment in segments[1:]]
        return Route(kind, lambda w, a: site(w, a, rest))
    if first == "telemetry":
        return Route("telemetry", listing.telemetry)
    if first == "resolve-cache" and len(segments) > 4:
        return _cache_route(ask, segments[1:])
    if first in ("models-tags-by-type", "datasets-tags-by-type"):
        repo_type = TYPES[first.removesuffix("-tags-by-type")]
        return Route("api_tags", lambda w, a: listing.tags_by_type(w, a, repo_type))
    if first in TYPES:
        return _typed_route(ask, TYPES[first], segments[1:])
    return _nowhere()


def _bucket_route(rest: list[str]) -> Route:
    """`/api/buckets/{ns}` is a list, `/api/buckets/{ns}/{name}` a bucket, then a verb."""
    namespace = unquote(rest[0])
    if len(rest) == 1:
        return Route("api_bucket_list", lambda w, a: buckets.of_namespace(w, a, namespace))
    repo_id, verb, rest = unquote("/".join(rest[:2])), "".join(rest[2:3]), rest[3:]
    if verb not in BUCKET_VERBS:
        return _nowhere()
    kind, build = BUCKET_VERBS[verb]
    handler = build(rest)
    return _repo_route(kind, "bucket", repo_id, handler) if handler else _nowhere()


def _bucket_file(ask: Ask, segments: Sequence[str]) -> Route | None:
    """`/buckets/{ns}/{name}/resolve/{path}`, the path with or without `%2F` (§1.1)."""
    if len(segments) < 4 or segments[2] != "resolve":
        return None
    repo_id, path = unquote("/".join(segments[:2])), unquote("/".join(segments[3:]))
    call = with_repo("bucket", repo_id, lambda w, a, r: buckets.resolve(w, a, r, path))
    return Route(f"bucket_{ask.method.lower()}", call, plain=True)


def _cache_route(ask: Ask, segments: list[str]) -> Route:
    repo_type = TYPES.get(segments[0], "model")
    repo_id = unquote("/".join(segments[1:3]))
    sha, path = unquote(segments[3]), unquote("/".join(segments[4:]))
    call = with_repo(repo_type, repo_id, _file_handler(resolve.resolve_cache, sha, path))
    return Route("resolve_cache_head" if ask.method == "HEAD" else "resolve_cache", call, True)


def _typed_route(ask: Ask, repo_type: str, rest: list[str]) -> Route:
    """Below `/api/models`: a list, or a repository id of one or two segments and a verb."""
    if not rest:
        if repo_type == "kernel":
            return _nowhere()
        return Route("api_list", lambda w, a: listing.repositories(w, a, repo_type))
    if repo_type == "space" and rest == ["semantic-search"]:
        return Route("space_search", listing.semantic_search)
    length = 1 if _is_route(rest[1:]) and not _is_route(rest[2:]) else min(2, len(rest))
    repo_id = unquote("/".join(rest[:length]))
    verb, rest = (rest[length] if len(rest) > length else ""), rest[length + 1 :]
    if repo_type == "kernel" and verb not in KERNEL_VERBS:
        return _nowhere()
    if verb not in VERBS:
        return _nowhere() if verb else _repo_route("api_info", repo_type, repo_id, api.info)
    kind, build = VERBS[verb]
    handler = build(rest)
    return _repo_route(kind, repo_type, repo_id, handler) if handler else _nowhere()


def _is_route(segments: list[str]) -> bool:
    """Whether a verb is followed by what it needs: a repository may be called "tree"."""
    if not segments or segments[0] not in VERBS:
        return False
    return VERBS[segments[0]][1](segments[1:]) is not None


def _repo_route(kind: str, repo_type: str, repo_id: str, handler: RepoHandler) -> Route:
    return Route(kind, with_repo(repo_type, repo_id, handler))


def _at_revision(handler: Callable[..., Answer]) -> Callable[[list[str]], RepoHandler | None]:
    """A verb that is followed by a revision and nothing else."""

    def build(rest: list[str]) -> RepoHandler | None:
        if not rest:
            return None
        revision, _ = api.raw_revision(rest)
        return lambda w, a, r: handler(w, a, r, revision)

    return build


def _tree(rest: list[str]) -> RepoHandler | None:
    if not rest:
        return None
    revision, path = api.raw_revision(rest)
    directory = unquote("/".join(path))
    return lambda w, a, r: api.tree(w, a, r, revision, directory)


def _with_rest(handler: Callable[..., Answer]) -> Callable[[list[str]], RepoHandler | None]:
    """A verb whose handler reads the raw segments that follow it."""
    return lambda rest: lambda w, a, r: handler(w, a, r, rest)


def _alone(handler: RepoHandler) -> Callable[[list[str]], RepoHandler | None]:
    """A verb that nothing follows."""
    return lambda rest: None if rest else handler


def _needs_rest(handler: Callable[..., Answer]) -> Callable[[list[str]], RepoHandler | None]:
    return lambda rest: _with_rest(handler)(rest) if rest else None


BUCKET_VERBS: dict[str, tuple[str, Callable[[list[str]], RepoHandler | None]]] = {
    "": ("api_bucket", _alone(buckets.info)),
    "tree": ("api_bucket_tree", _with_rest(buckets.tree)),
    "paths-info": ("bucket_paths_info", _alone(buckets.paths_info)),
    "xet-read-token": ("xet_token", _alone(api.xet_token)),
}
VERBS: dict[str, tuple[str, Callable[[list[str]], RepoHandler | None]]] = {
    "revision": ("api_info", _at_revision(api.info)),
    "tree": ("api_tree", _tree),
    "paths-info": ("paths_info", _at_revision(api.paths_info)),
    "refs": ("api_refs", _alone(api.refs)),
    "commits": ("api_commits", _at_revision(api.commits)),
    "auth-check": ("auth_check", _with_rest(api.auth_check)),
    "jwt": ("jwt", _alone(owned.jwt)),
    "likers": ("likers", _alone(people.likers)),
    "scan": ("api_scan", _alone(discussions.scan)),
    "discussions": ("discussions", _with_rest(discussions.route)),
    "user-access-request": ("access_requests", _needs_rest(discussions.access_requests)),
    "parquet": ("api_parquet", _with_rest(derived.parquet)),
    "safetensors-metadata": ("api_safetensors", _needs_rest(derived.safetensors_metadata)),
    "treesize": ("api_treesize", _needs_rest(derived.treesize)),
    "compare": ("api_compare", _needs_rest(derived.compare)),
    "xet-read-token": ("xet_token", _at_revision(api.xet_token)),
}
