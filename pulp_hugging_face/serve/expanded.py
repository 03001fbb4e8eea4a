"""
Expanded listings: entries with the commit that last touched them and the state of security scans.

Only the upstream knows these; while it cannot be asked and did not say before, or lost a commit
that is held, callers get the plain entries with a warning, since clients take both for optional.
"""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from pulp_hugging_face.hub.errors import EntryNotFound, RevisionNotFound, Trouble, UpstreamInvalid
from pulp_hugging_face.hub.manifest import InvalidManifest
from pulp_hugging_face.hub.names import quote_path
from pulp_hugging_face.hub.payloads import expanded_item
from pulp_hugging_face.store.answers import Answered
from pulp_hugging_face.store.questions import PINNED_TTL
from pulp_hugging_face.store.resolver import Resolution
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from .replies import json_reply, off_loop, rewriter_of

# Asked about a commit that is held. It has no such commit any more after a force-push and garbage
# collection; whether it had a path is known here.
NOBODY_CAN_SAY = (Trouble, RevisionNotFound, EntryNotFound)
# What the upstream is told of a listing's query.
_PARAMETERS = ("recursive", "expand", "limit", "cursor")


async def tree_page(
    store: Store,
    view: View,
    caller: Caller,
    request: web.Request,
    resolution: Resolution,
    path: str,
) -> web.Response | None:
    """Return one page of an expanded listing, or None when nobody can say."""
    sha = resolution.commit.sha
    pairs = [(name.removesuffix("[]"), value) for name, value in request.query.items()]
    query = urlencode([pair for pair in pairs if pair[0] in _PARAMETERS])
    suffix = f"tree/{sha}" + (f"/{quote_path(path)}" if path else "") + f"?{query}"
    answered = await _ask(store, view, caller, resolution, suffix, None)
    if answered is None:
        return None
    headers = {"X-Repo-Commit": sha}
    link = rewriter_of(request, view).link(answered.answer.headers.get("Link", ""))
    if link is not None:
        headers["Link"] = link
    items = await _items(answered)
    return json_reply(items, headers, stale=answered.stale or resolution.stale)


async def paths(
    store: Store, view: View, caller: Caller, resolution: Resolution, paths: list[str]
) -> tuple[list[dict[str, Any]], bool] | None:
    """Return expanded entries and whether they may be out of date, or None (nobody can say)."""
    body = {"paths": paths, "expand": True}
    suffix = f"paths-info/{resolution.commit.sha}"
    answered = await _ask(store, view, caller, resolution, suffix, body)
    return None if answered is None else (await _items(answered), answered.stale)


async def _ask(
    store: Store, view: View, caller: Caller, resolution: Resolution, suffix: str, body: Any
) -> Answered | None:
    try:
        answered = await store.questions.about_commit(
            view, caller, resolution, suffix, ttl=PINNED_TTL, body=body
        )
    except NOBODY_CAN_SAY:
        return None
    # A route, or a cursor of ours, that the upstream does not know: the plain listing serves.
    return None if answered is None or answered.answer.status >= 400 else answered


async def _items(answered: Answered) -> list[dict[str, Any]]:
    return await off_loop(len(answered.answer.body), lambda: _read_items(answered.json()))


def _read_items(data: Any) -> list[dict[str, Any]]:
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UpstreamInvalid("The upstream's listing is not an array of objects.")
    try:
        return [expanded_item(item) for item in data]
    except InvalidManifest as error:
        raise UpstreamInvalid(f"The upstream's listing has an invalid entry: {error}") from error
