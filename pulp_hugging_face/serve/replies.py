"""Answers that are no files: JSON, refusals, redirects."""

from typing import Any

from aiohttp import web
from django.conf import settings

from pulp_hugging_face.hub.errors import HubError
from pulp_hugging_face.hub.headers import CORS, error_headers
from pulp_hugging_face.hub.names import RepoId, RepoType, decode_segment
from pulp_hugging_face.hub.payloads import error_body
from pulp_hugging_face.store.views import View


def json_reply(data: Any, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON answer readable by browser clients too."""
    return web.json_response(data, headers={**CORS, **(headers or {})})


def refusal(error: HubError) -> web.Response:
    """Return the answer by which every client knows the reason of a refusal (§2.1)."""
    return web.json_response(error_body(error), status=error.status, headers=error_headers(error))


def moved(request: web.Request, view: View, old: RepoId, new_id: str) -> web.Response:
    """
    Return the 307 for a renamed or legacy repository.

    `Location` is a path with our prefix and the original query: a host breaks clients up to 1.29, a
    lost query makes a listing silently incomplete (rule 4).
    """
    segments = [part for part in request.rel_url.raw_path[len(view.path) :].split("/") if part]
    start = _id_start(old, segments)
    # An id takes one segment when its slash is encoded, or for legacy ids, else two.
    size = 2 if "/" in old.id and "/" not in decode_segment(segments[start]) else 1
    segments[start : start + size] = [new_id]
    rest = "/" + "/".join(segments)
    query = request.rel_url.raw_query_string
    location = view.path + rest + (f"?{query}" if query else "")
    return web.Response(
        status=307, headers={"Location": location, **CORS}, text=f"Moved to {new_id}"
    )


def _id_start(repo: RepoId, segments: list[str]) -> int:
    """Return which segment of a path below the endpoint the id begins with."""
    if segments[0] != "api":
        return 0 if repo.type is RepoType.MODEL else 1
    return 3 if segments[1] == "resolve-cache" else 2


def public_url(request: web.Request, raw_path: str) -> str:
    """Return an absolute URL on the base clients see: CONTENT_ORIGIN, else as they called us."""
    origin = getattr(settings, "CONTENT_ORIGIN", None)
    if not origin:
        origin = f"{request.scheme}://{request.host}"
    return f"{origin.rstrip('/')}{raw_path}"
