"""From a request to its handler, and from every outcome to an answer."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from aiohttp import web

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.errors import (
    DatabaseUnavailable,
    EntryNotFound,
    HubError,
    NotSupported,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
)
from pulp_hugging_face.hub.headers import CORS
from pulp_hugging_face.hub.names import InvalidName, InvalidPath, InvalidRevision
from pulp_hugging_face.store.db import DATABASE_ERRORS
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from . import api, files
from .replies import json_reply, moved, public_url, refusal

log = logging.getLogger("pulp_hugging_face.serve")

_READS = ("GET", "HEAD")


def caller_of(request: web.Request) -> Caller:
    """Return who asks. Only bearer tokens are Hub tokens; Pulp's own credentials never are."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return Caller(token.strip() or None) if scheme.lower() == "bearer" else Caller()


async def serve(store: Store, view: View, request: web.Request) -> web.StreamResponse:
    """Answer a request below a distribution; whatever goes wrong is said in the Hub's form."""
    route: routes.Route = routes.Unknown()
    try:
        route = routes.parse(request.rel_url.raw_path[len(view.path) :])
        return await _handle(store, view, request, route)
    except RepoMoved as move:
        assert isinstance(route, routes.RepoRoute)
        return moved(request, view, route.repo, move.repo_id)
    except InvalidName as error:
        return refusal(_no_such_name(error))
    except HubError as error:
        log.log(_level(error), "%s %s: %s", request.method, request.path, error.message)
        return refusal(error)
    except DATABASE_ERRORS:
        log.exception("%s %s: the database failed", request.method, request.path)
        return _broken(
            request, DatabaseUnavailable("The database is not available.", retry_after=5)
        )
    except (ConnectionError, asyncio.CancelledError):
        raise  # the client is gone
    except Exception:  # the boundary of a request: nothing but the Hub's form leaves it
        log.exception("%s %s failed", request.method, request.path)
        return _broken(request, HubError("Internal error."))


def _broken(request: web.Request, error: HubError) -> web.StreamResponse:
    """Refuse; or, when an answer has begun, break it off so that it cannot look complete."""
    if request.writer is not None and request.writer.output_size > 0:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("The answer had begun") from error
    return refusal(error)


def _no_such_name(error: InvalidName) -> HubError:
    """Return the refusal of a name that cannot exist: as for one that does not."""
    if isinstance(error, InvalidPath):
        return EntryNotFound("Entry not found")
    if isinstance(error, InvalidRevision):
        return RevisionNotFound("Invalid rev id")
    return RepoNotFound("Repository not found")


def _level(error: HubError) -> int:
    """A missing file is everyday (clients probe for optional ones), trouble is news."""
    return logging.INFO if error.status >= 500 else logging.DEBUG


async def _handle(
    store: Store, view: View, request: web.Request, route: routes.Route
) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return _preflight()
    caller = caller_of(request)
    if isinstance(route, routes.PathsInfo) and request.method == "POST":
        return await api.paths_info(store, view, caller, request, route)
    if request.method == "POST" and isinstance(route, routes.Telemetry):
        return web.Response(status=200)
    if request.method not in _READS:
        raise NotSupported(f"{request.method} is not offered here.", status=405)
    return await _read(store, view, caller, request, route)


def _read(
    store: Store, view: View, caller: Caller, request: web.Request, route: routes.Route
) -> Awaitable[web.StreamResponse]:
    """Return the answer to a GET or HEAD."""
    arguments: Any = (store, view, caller, request, route)
    match route:
        case routes.Resolve():
            return files.resolve(*arguments)
        case routes.Info():
            return api.info(*arguments)
        case routes.TreeListing():
            return api.tree(*arguments)
        case routes.Refs():
            return api.refs(*arguments)
        case _:
            return _plain(view, request, route)


async def _plain(view: View, request: web.Request, route: routes.Route) -> web.StreamResponse:
    """Answer what needs no repository."""
    match route:
        case routes.Home():
            endpoint = public_url(request, view.path)
            return json_reply({"HF_ENDPOINT": endpoint})
        case routes.AgentHarnesses():
            return json_reply({"standardEnvVars": [], "harnesses": {}})
        case routes.Telemetry():
            return web.Response(status=200)
        case routes.XetToken():
            raise NotSupported("Xet is not offered here: files are served over HTTP.")
        case routes.Unknown(api=True):
            raise NotSupported("This route of the API is not offered here.")
        case _:
            raise EntryNotFound("There is nothing at this address.")


def _preflight() -> web.Response:
    """Answer a browser's question whether it may ask (CORS)."""
    return web.Response(
        status=204,
        headers={
            **CORS,
            "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Range, If-None-Match",
            "Access-Control-Max-Age": "86400",
        },
    )
