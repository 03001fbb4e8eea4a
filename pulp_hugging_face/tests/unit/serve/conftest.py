"""A server that answers as the content app does below a distribution, on a real store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pulp_hugging_face.tests.unit.store.fixtures import (
    Makers,
    database,
    domain,
    hub,
    makers,
    postgres,
    running_hub,
    store,
)

from pulp_hugging_face.serve.dispatch import serve  # isort: skip (after Django is configured)
from pulp_hugging_face.store.service import Store  # isort: skip
from pulp_hugging_face.store.views import View  # isort: skip

__all__ = ["database", "domain", "hub", "makers", "postgres", "running_hub", "store"]

Client = TestClient[web.Request, web.Application]
Serving = Callable[..., Awaitable[Client]]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken transfers are taken up again at once."""
    monkeypatch.setattr("pulp_hugging_face.blobs.transfer.BACKOFF", 0)


@pytest_asyncio.fixture
async def serving(store: Store, makers: Makers) -> AsyncIterator[Serving]:
    """Start servers of distributions; the arguments are the remote's fields, or a view."""
    clients: list[Client] = []

    async def start(view: View | None = None, **fields: Any) -> Client:
        values = {"metadata_ttl": 600, **fields}
        shown = view or await asyncio.to_thread(lambda: makers.view(**values))

        async def handler(request: web.Request) -> web.StreamResponse:
            return await serve(store, shown, request)

        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", handler)
        client = TestClient(TestServer(application), auto_decompress=False)
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()
