"""Answers of the upstream's API that are passed on: what counts as one."""

import asyncio
from dataclasses import dataclass
from typing import Any

from pulp_hugging_face.hub import longjson, routes
from pulp_hugging_face.hub.errors import UpstreamInvalid
from pulp_hugging_face.hub.names import InvalidName
from pulp_hugging_face.hub.shapes import can_answer

# Longer bodies are read in a thread.
QUICK = 256 * 1024


@dataclass(frozen=True)
class RawAnswer:
    """
    An answer of the upstream's API as it came: status below 500, some headers, body.

    `headers` has "Location" for a redirect within the upstream, and then no body.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""


def require_other_route(target: str, below: str) -> None:
    """Raise UpstreamInvalid for a redirect to the question itself, or to what no Hub has."""
    path, _, query = below.partition("?")
    asked = target.partition("?")
    try:
        route = routes.parse(path)
    except InvalidName:
        route = routes.Unknown()
    leads_back = (path.lstrip("/"), query) == (asked[0], asked[2])
    if leads_back or isinstance(route, routes.Home | routes.Git | routes.Unknown):
        raise UpstreamInvalid("The upstream redirects to what is no part of the Hub's API.")


async def require_api_answer(target: str, answer: RawAnswer) -> None:
    """Raise UpstreamInvalid for pages, and JSON, of whatever stands in between."""
    if len(answer.body) <= QUICK:
        _require(target, answer)
    else:
        await asyncio.to_thread(_require, target, answer)


async def read_json(body: bytes) -> Any:
    """Return a body as data. Raises UpstreamInvalid."""
    return _read(body) if len(body) <= QUICK else await asyncio.to_thread(_read, body)


def _read(body: bytes) -> Any:
    try:
        return longjson.loads(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamInvalid("The upstream's answer is not JSON.") from error


def _require(target: str, answer: RawAnswer) -> None:
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        raise UpstreamInvalid("The upstream answered with a web page.")
    if "json" in kind:
        data = _read(answer.body)
        if answer.status < 300 and not can_answer(target, data):
            raise UpstreamInvalid("The upstream's JSON is no answer to what was asked.")
    elif answer.status < 300 and not can_answer(target, None):
        raise UpstreamInvalid("The upstream's answer is not JSON.")
    elif answer.status >= 400 and "X-Error-Message" not in answer.headers:
        raise UpstreamInvalid(f"The upstream answered {answer.status} without a reason.")
