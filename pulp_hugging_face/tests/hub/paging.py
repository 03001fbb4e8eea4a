"""Lists in pages: an opaque cursor and an absolute `Link` (hub-protocol.md §2.5)."""

import base64
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote

from . import errors
from .wire import Ask
from .world import World

Item = TypeVar("Item")


def paged(
    world: World, ask: Ask, items: Sequence[Item], most: int
) -> tuple[list[Item], dict[str, str]]:
    """The page that is asked for by `limit` and `cursor`, and the headers that name the next."""
    limit = min(ask.number("limit", most) or most, most)
    start = _offset(ask.value("cursor"))
    headers = {}
    if start + limit < len(items):
        headers["Link"] = f'<{_next_url(world, ask, start + limit)}>; rel="next"'
    return list(items[start : start + limit]), headers


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor))
    except ValueError as error:
        raise errors.bad_request("Invalid cursor") from error


def _next_url(world: World, ask: Ask, offset: int) -> str:
    kept = [pair for pair in ask.raw_query.split("&") if pair and not pair.startswith("cursor=")]
    cursor = quote(base64.b64encode(str(offset).encode()).decode(), safe="")
    return f"{world.hub_url}{ask.raw_path}?{'&'.join([*kept, f'cursor={cursor}'])}"
