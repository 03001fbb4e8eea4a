"""Fixtures of the way out: the fixture Hub, and clients that speak to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from pulp_hugging_face.tests.unit.hub_process import hub, running_hub  # noqa: F401
from pulp_hugging_face.upstream import client as client_module
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions whose connection broke are asked again at once."""
    monkeypatch.setattr(client_module, "_RETRY_DELAY", 0)


@pytest_asyncio.fixture
async def egress() -> AsyncIterator[Callable[..., Egress]]:
    """Make ways out that are closed at the end of the test."""
    async with AsyncExitStack() as stack:

        def make(url: str, **fields: Any) -> Egress:
            fields = {"redirect_hosts": ("127.0.0.2",), **fields}
            made = Egress(RemoteConfig("remote", url, **fields))
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
def client(egress: Callable[..., Egress]) -> Callable[..., HubClient]:
    """Make clients of a Hub at a URL."""

    def make(url: str, token: str | None = None, **fields: Any) -> HubClient:
        return HubClient(egress(url, token=token, **fields), token)

    return make
