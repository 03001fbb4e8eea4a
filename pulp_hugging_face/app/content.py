"""
Mount of the Hub endpoints in pulpcore's content app (architecture §5, Routing).

Two middlewares: the first finds the distribution and answers at once where no content guard stands
in the way; requests to guarded ones go on through pulpcore's own authentication to the second.
Everything that belongs to no Hugging Face distribution is left to pulpcore untouched.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from django.conf import settings
from django_guid import set_guid
from django_guid.utils import generate_guid
from pulpcore.plugin.content import app
from pulpcore.plugin.models import ContentGuard
from pulpcore.plugin.util import set_domain

from pulp_hugging_face.hub.errors import Forbidden
from pulp_hugging_face.serve.dispatch import serve
from pulp_hugging_face.serve.health import STORE_KEY, health
from pulp_hugging_face.serve.replies import refusal
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import View

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_VIEW = "hugging_face_view"


@web.middleware
async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests below unguarded Hugging Face distributions."""
    path = request.rel_url.raw_path
    if not path.startswith(settings.CONTENT_PATH_PREFIX):
        return await handler(request)
    store = request.config_dict[STORE_KEY]
    view = await store.distributions.find(path)
    if view is None:
        return await handler(request)
    set_guid(generate_guid())  # correlates the log lines, and the tasks that follow from it
    if view.guard is None:
        return await serve(store, view, request)
    request[_VIEW] = view
    return await handler(request)


@web.middleware
async def behind_authentication(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests below guarded distributions, once their guard permits."""
    view: View | None = request.get(_VIEW)
    if view is None:
        return await handler(request)
    store = request.config_dict[STORE_KEY]
    reason = await store.database.call(_refusal_of_guard, view, request, domain=view.domain)
    if reason is not None:
        return refusal(Forbidden(reason))
    return await serve(store, view, request)


def _refusal_of_guard(view: View, request: web.Request) -> str | None:
    """Return why the content guard refuses, or None. Blocking."""
    guard = ContentGuard.objects.filter(pk=view.guard).first()
    if guard is None:
        return None
    set_domain(guard.pulp_domain)
    try:
        guard.cast().permit(request)
    except PermissionError as error:
        return str(error) or "The content guard refuses."
    return None


async def _lifetime(application: web.Application) -> AsyncIterator[None]:
    store = application[STORE_KEY]
    await store.open()
    yield
    await store.close()


def _mount() -> None:
    app[STORE_KEY] = Store()
    app.middlewares.insert(0, front)
    app.middlewares.append(behind_authentication)
    app.add_routes([web.get("/health", health)])
    app.cleanup_ctx.append(_lifetime)


_mount()
