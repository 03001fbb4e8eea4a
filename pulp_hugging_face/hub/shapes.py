"""
Which JSON can be an answer to which route.

What stands between us and the upstream (a portal, a gateway, a cache of errors) may answer with
JSON of its own. It must not be kept in place of a list or a history; so answers to the routes that
we know are looked at before they count.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from . import routes
from .manifest import InvalidManifest, entry_from_json
from .names import InvalidName, is_sha

_REFS = ("branches", "converts", "tags")


def can_answer(target: str, data: Any) -> bool:
    """Tell whether JSON can be the answer to a path and query below an endpoint."""
    path, _, query = target.partition("?")
    try:
        route = routes.parse(path)
    except InvalidName:
        return True
    check = _CHECKS.get(type(route))
    return check is None or check(route, dict(parse_qsl(query)), data)


def _objects(data: Any, key: str) -> bool:
    """Tell an array of objects that all have a text under a key."""
    return isinstance(data, list) and all(
        isinstance(item, dict) and isinstance(item.get(key), str) for item in data
    )


def _list(_route: Any, _query: dict[str, str], data: Any) -> bool:
    return _objects(data, "id")


def _info(route: Any, _query: dict[str, str], data: Any) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("id"), str):
        return False
    asked = route.revision or ""
    return not is_sha(asked) or data.get("sha", asked) == asked


def _history(route: Any, query: dict[str, str], data: Any) -> bool:
    """A history is never empty, and that of a commit begins with it."""
    if not _objects(data, "id") or not all(is_sha(item["id"]) for item in data):
        return False
    if "p" in query or "cursor" in query:
        return True
    return bool(data) and (not is_sha(route.revision) or data[0]["id"] == route.revision)


def _refs(_route: Any, _query: dict[str, str], data: Any) -> bool:
    """The three keys are always there (§2.3)."""
    return isinstance(data, dict) and all(_objects(data.get(key), "targetCommit") for key in _REFS)


def _entries(_route: Any, _query: dict[str, str], data: Any) -> bool:
    if not _objects(data, "path"):
        return False
    try:
        for item in data:
            entry_from_json(item)
    except InvalidManifest:
        return False
    return True


def _whoami(_route: Any, _query: dict[str, str], data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("name"), str)


_CHECKS: dict[type[routes.Route], Callable[[Any, dict[str, str], Any], bool]] = {
    routes.ListRepos: _list,
    routes.Info: _info,
    routes.Commits: _history,
    routes.Refs: _refs,
    routes.TreeListing: _entries,
    routes.PathsInfo: _entries,
    routes.WhoAmI: _whoami,
}
