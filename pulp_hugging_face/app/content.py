"""
Mount of the Hub endpoints in pulpcore's content app (architecture §5, Routing).

Two middlewares: the first finds the distribution and answers at once where no content guard stands
in the way; requests to guarded ones go on through pulpcore's own authentication to the second.
Everything that belongs to no Hugging Face distribution is left to pulpcore untouched; paths of the
Hub's shape at the root of the host are, where a setting says so, a distribution's too.
"""

import asyncio
import gc
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from django_guid import get_guid, set_guid
from pulpcore.plugin.content import app
from pulpcore.plugin.models import ContentGuard
from pulpcore.plugin.util import set_domain

from pulp_hugging_face.hub.errors import GuardRefused, database_unavailable
from pulp_hugging_face.hub.headers import CORS
from pulp_hugging_face.serve.accept import take_turns
from pulp_hugging_face.serve.base import Mount, trusted_proxies
from pulp_hugging_face.serve.dispatch import serve
from pulp_hugging_face.serve.health import STORE_KEY, health
from pulp_hugging_face.serve.replies import preflight, refusal
from pulp_hugging_face.serve.root import is_for_root
from pulp_hugging_face.store.db import DATABASE_ERRORS
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Found, View

log = logging.getLogger("pulp_hugging_face.serve")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FOUND = "hugging_face_found"


@web.middleware
async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests to unguarded Hugging Face distributions."""
    store = request.config_dict[STORE_KEY]
    found = await store.distributions.find(request.rel_url.raw_path)
    if found is None and is_for_root(request):
        found = await store.distributions.at_root()
    if found is None:
        return await handler(request)
    request[_FOUND] = found
    if request.method == "OPTIONS":
        return preflight()
    set_guid(_new_id())  # correlates the log lines, and the tasks that follow from it
    if found.view.guard is None:
        return await _serve(store, found, request)
    return await handler(request)


def _new_id() -> str:
    """
    Return an id that no other request has. It is no secret; django_guid's own comes from the
    system's source of those, and costs a tenth of a small request.
    """
    return f"{random.getrandbits(128):032x}"


@web.middleware
async def behind_authentication(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests to guarded distributions, once their guard permits."""
    found: Found | None = request.get(_FOUND)
    if found is None:
        return await handler(request)
    store = request.config_dict[STORE_KEY]
    view = found.view
    try:
        reason = await store.database.call(_refusal_of_guard, view, request, domain=view.domain)
    except DATABASE_ERRORS:
        log.exception("%s: the content guard cannot be asked", request.path)
        return refusal(database_unavailable())
    if reason is not None:
        return refusal(GuardRefused(reason))
    return await _serve(store, found, request)


def _serve(store: Store, found: Found, request: web.Request) -> Awaitable[web.StreamResponse]:
    return serve(store, found.view, request, Mount(found.path, found.written))


async def finish(request: web.Request, response: web.StreamResponse) -> None:
    """
    Add what every answer of a distribution has, pulpcore's refusals too.

    Pages of other origins may read it (CORS); a cache in front must not give it to callers with
    other tokens; clients quote X-Request-Id in their errors (§1.3), and it is in the log lines;
    which programs answer, in which versions, is nobody's business.
    """
    if _FOUND not in request:
        return
    for name, value in {**CORS, "Vary": "Authorization"}.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "pulp_hugging_face"
    if request.method != "OPTIONS" and (guid := get_guid()):
        response.headers.setdefault("X-Request-Id", guid)


def _refusal_of_guard(view: View, request: web.Request) -> str | None:
    """Return why the content guard refuses, or None. Blocking."""
    guard = ContentGuard.objects.filter(pk=view.guard).first()
    if guard is None:
        return None
    set_domain(guard.pulp_domain)
    # pulpcore took it from the path, which at the root names no domain; roles in it count.
    if "drf_request" in request:
        request["drf_request"].pulp_domain = guard.pulp_domain
    try:
        guard.cast().permit(request)
    except PermissionError as error:
        return str(error) or "The content guard refuses."
    return None


async def _lifetime(application: web.Application) -> AsyncIterator[None]:
    take_turns(asyncio.get_running_loop())  # before the sites of the process are made
    store = application[STORE_KEY]
    await store.open()
    # What was imported stays: collections that look at it cost a tenth of the time.
    gc.collect()
    gc.freeze()
    yield
    await store.close()


def _mount() -> None:
    trusted_proxies()  # a list that cannot be read is to be known now
    app[STORE_KEY] = Store()
    app.middlewares.insert(0, front)
    app.middlewares.append(behind_authentication)
    app.on_response_prepare.append(finish)
    app.add_routes([web.get("/health", health)])
    app.cleanup_ctx.append(_lifetime)


_mount()
