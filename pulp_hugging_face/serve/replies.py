"""Answers that are no files: JSON, refusals, redirects."""

import re
from typing import Any

from aiohttp import web
from django.conf import settings

from pulp_hugging_face.hub.errors import HubError
from pulp_hugging_face.hub.headers import CORS, error_headers
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.hub.payloads import error_body
from pulp_hugging_face.store.views import View

_SLASHES = re.compile("/+")


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
    rest = _SLASHES.sub("/", request.rel_url.raw_path[len(view.path) :])
    new = RepoId(old.type, new_id)
    for before, after in ((old.api_path, new.api_path), (old.path, new.path)):
        if rest == f"/{before}" or rest.startswith(f"/{before}/"):
            rest = f"/{after}" + rest[len(before) + 1 :]
            break
    query = request.rel_url.raw_query_string
    location = view.path + rest + (f"?{query}" if query else "")
    return web.Response(
        status=307, headers={"Location": location, **CORS}, text=f"Moved to {new_id}"
    )


def public_url(request: web.Request, view: View, raw_path: str) -> str:
    """Return an absolute URL on the base clients see: CONTENT_ORIGIN, else as they called us."""
    origin = getattr(settings, "CONTENT_ORIGIN", None)
    if not origin:
        origin = f"{request.scheme}://{request.host}"
    return f"{origin.rstrip('/')}{raw_path}"
