"""
List and search among info objects that are held, with the Hub's parameters (hub-protocol §2.3).

For endpoints that answer by themselves; with an upstream behind it, the upstream searches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BadRequest

Json = dict[str, Any]

_SORTS = {
    "downloads": "downloads",
    "likes": "likes",
    "likes7d": "likes",
    "trendingScore": "trendingScore",
    "trending_score": "trendingScore",
    "lastModified": "lastModified",
    "last_modified": "lastModified",
    "createdAt": "createdAt",
    "created_at": "createdAt",
}
# What an element of a list shows unless more is asked for.
_SHORT = (
    "_id", "id", "modelId", "likes", "trendingScore", "private", "downloads", "tags",
    "pipeline_tag", "library_name", "createdAt", "sdk",
)  # fmt: skip
_FULL = (*_SHORT, "author", "sha", "lastModified", "gated", "disabled", "description")
_TRUE = ("true", "1", "")


@dataclass(frozen=True)
class Query:
    """The parameters of a list, as pairs: some repeat, some are written `name[]` (§2.3)."""

    pairs: Sequence[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for key, value in self.pairs if key in (name, f"{name}[]")]

    def value(self, name: str) -> str:
        """Return the first value of a parameter, "" for none."""
        return next(iter(self.values(name)), "")

    def flag(self, name: str) -> bool:
        """Tell whether a boolean is set; it may have no value at all."""
        return bool(found := self.values(name)) and found[0].lower() in _TRUE


def search(infos: Iterable[Mapping[str, Any]], query: Query) -> list[Mapping[str, Any]]:
    """Return what a query finds, in its order. Raises BadRequest for a sort that is none."""
    found = [info for info in infos if _matches(info, query)]
    found.sort(key=lambda info: str(info["id"]).lower())
    word = query.value("sort")
    if word:
        key = _SORTS.get(word)
        if key is None:
            raise BadRequest(f"Invalid sort: {word}")
        newest_first = query.value("direction") in ("", "-1")
        found.sort(key=lambda info: _sortable(info.get(key)), reverse=newest_first)
    return found


def _sortable(value: object) -> tuple[bool, Any]:
    """What is not known comes last in the usual, descending order."""
    return (isinstance(value, (int, float, str)), value if value is not None else 0)


def _matches(info: Mapping[str, Any], query: Query) -> bool:
    repo_id = str(info["id"])
    author = query.value("author")
    if author and repo_id.partition("/")[0].lower() != author.lower():
        return False
    words = " ".join(query.values("search")).lower().split()
    if not all(word in repo_id.lower() for word in words):
        return False
    tags = {str(tag).lower() for tag in info.get("tags") or ()}
    tags |= {str(info.get(key, "")).lower() for key in ("pipeline_tag", "library_name", "sdk")}
    wanted = [*query.values("filter"), *query.values("pipeline_tag"), *query.values("library")]
    if not {tag.lower() for value in wanted for tag in value.split(",")} <= tags | {""}:
        return False
    gated = query.value("gated").lower()
    return not gated or bool(info.get("gated")) == (gated in _TRUE)


def shown(info: Mapping[str, Any], query: Query) -> Json:
    """Return one element of a list, with the keys that the query asks for."""
    expand = query.values("expand")
    if expand:
        wanted: Iterable[str] = ("_id", "id", *expand)
    else:
        more = [name for name in ("config", "cardData") if query.flag(name)]
        wanted = (*(_FULL if query.flag("full") else _SHORT), *more)
    return {key: info[key] for key in wanted if key in info}


def page(
    found: Sequence[Mapping[str, Any]], after: str | None, size: int
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return the page behind an id, and the id that the next one is behind (None: no next)."""
    start = 0
    if after is not None:
        ids = [info["id"] for info in found]
        start = ids.index(after) + 1 if after in ids else len(ids)
    chosen = found[start : start + size]
    more = start + size < len(found)
    return chosen, str(chosen[-1]["id"]) if more else None
