"""From a request to its handler, and from every outcome to an answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    HubError,
    InvalidCredentials,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
    Trouble,
    database_unavailable,
)
from pulp_hugging_face.hub.loops import CDN_LOOP
from pulp_hugging_face.hub.names import InvalidName, InvalidPath, InvalidRevision
from pulp_hugging_face.store.db import DATABASE_ERRORS
from pulp_hugging_face.store.flights import PATIENCE
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from . import api, files, history, local, passthrough
from .base import Mount, attach, below
from .replies import moved, preflight, refusal

log = logging.getLogger("pulp_hugging_face.serve")

Handler = Callable[..., Awaitable[web.StreamResponse]]


def caller_of(request: web.Request) -> Caller:
    """
    Return who asks. Only bearer tokens are Hub tokens; Pulp's own credentials never are.

    Raises InvalidCredentials for what cannot be a token.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    hub_token = token.strip() or None if scheme.lower() == "bearer" else None
    if hub_token and not hub_token.isascii():  # what is no UTF-8 could not even be hashed
        raise InvalidCredentials
    return Caller(hub_token, deadline=time.monotonic() + PATIENCE)


def asker_of(caller: Caller, request: web.Request) -> str:
    """
    Return what tells apart who shares the upstream's limits: the token's hash, else the peer.

    Forwarded addresses are not looked at: anybody could invent any number of them.
    """
    return caller.token_hash if caller.token else request.remote or ""


async def serve(
    store: Store, view: View, request: web.Request, mount: Mount | None = None
) -> web.StreamResponse:
    """
    Answer a request below a distribution; whatever goes wrong is said in the Hub's form.

    `mount` is where the distribution is for this request, if not at its own path.
    """
    attach(request, mount or Mount.at(view.path))
    try:
        caller = caller_of(request)
    except InvalidCredentials as error:
        return refusal(error)
    asker = asker_of(caller, request)
    with store.tallies.handling(view, below(request), asker) as handling:
        try:
            response = await _answer(store, view, caller, request)
        except ConnectionError as error:
            log.debug("%s %s: the client is gone: %s", request.method, request.path, error)
            return _gone(request)
        handling.answered(request.method, response.status)
    return response


def _gone(request: web.Request) -> web.Response:
    """
    Return what nobody gets any more: aiohttp would take an exception for an error of ours.

    499 is nginx's word for it in access logs.
    """
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499, reason="Client Closed Request")


async def _answer(
    store: Store, view: View, caller: Caller, request: web.Request
) -> web.StreamResponse:
    route: routes.Route = routes.Unknown()
    try:
        route = routes.parse(below(request))
        with store.passing(request.headers.getall(CDN_LOOP, ())):
            return await _handle(store, view, caller, request, route)
    except RepoMoved as move:
        assert isinstance(route, routes.RepoRoute)
        return moved(request, route.repo, move.repo_id)
    except InvalidName as error:
        return refusal(_no_such_name(error))
    except HubError as error:
        log.log(_level(error), "%s %s: %s", request.method, request.path, error.message)
        return _broken(request, error)
    except DATABASE_ERRORS:
        log.exception("%s %s: the database failed", request.method, request.path)
        return _broken(request, database_unavailable())
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
    news = error.status >= 500 or isinstance(error, Trouble)
    return logging.INFO if news else logging.DEBUG


async def _handle(
    store: Store, view: View, caller: Caller, request: web.Request, route: routes.Route
) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return preflight()
    if request.method == "POST":
        if isinstance(route, routes.PathsInfo):
            return await api.paths_info(store, view, caller, request, route)
        if isinstance(route, routes.BucketPaths):
            return await passthrough.bucket_paths(store, view, caller, request, route)
        accepted = local.accepted(route)
        if accepted is not None:
            return accepted
    if request.method not in local.READS:
        return local.not_a_read(request.method, route)
    handler = HANDLERS.get(type(route))
    if handler is None:
        return await local.plain(request, route)
    return await handler(store, view, caller, request, route)


# Who answers a GET or HEAD; what is not here needs no repository (`local.plain`).
HANDLERS: dict[type[routes.Route], Handler] = {
    routes.Resolve: files.resolve,
    routes.Raw: files.raw,
    routes.Info: api.info,
    routes.TreeListing: api.tree,
    routes.Refs: api.refs,
    routes.Commits: history.commits,
    routes.AuthCheck: api.auth_check,
    routes.ListRepos: passthrough.list_repos,
    routes.WhoAmI: passthrough.whoami,
    routes.PassThrough: passthrough.pass_through,
    routes.BucketFile: passthrough.bucket_file,
}
