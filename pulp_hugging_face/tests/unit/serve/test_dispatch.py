"""Whatever goes wrong is said in the Hub's form, and nothing else leaves."""

from typing import Any
from unittest.mock import Mock
from uuid import UUID

import psycopg
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from django.core.files.storage import InMemoryStorage
from django.db import OperationalError

from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    GatedRepo,
    HubError,
    RepoMoved,
    StorageFull,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
)
from pulp_hugging_face.serve.dispatch import caller_of, serve
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.tally import Tallies
from pulp_hugging_face.store.views import View

pytestmark = pytest.mark.asyncio

P = "/pulp/content/hf"
SHA = "0123456789abcdef0123456789abcdef01234567"
VIEW = View(
    pk=UUID(int=1),
    domain_pk=UUID(int=2),
    domain="default",
    base_path="hf",
    path=P,
    guard=None,
    repository=None,
    version=None,
    remote=None,
    storage=InMemoryStorage(),
)


class Raising:
    """A store that always fails in the same way."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.tallies = Tallies(None)  # type: ignore[arg-type]

    passing = Store.passing

    async def resolve(self, *_: Any) -> Any:
        raise self.error


async def answer(error: BaseException, target: str = "/org/repo/resolve/main/x") -> web.Response:
    unsent = Mock(output_size=0)
    request = make_mocked_request("GET", P + target, writer=unsent)
    response = await serve(Raising(error), VIEW, request)  # type: ignore[arg-type]
    assert isinstance(response, web.Response)
    return response


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EntryNotFound("No.", commit=SHA), 404, "EntryNotFound"),
        (GatedRepo("Ask.", status=401), 401, "GatedRepo"),
        (UpstreamTimeout("Slow."), 429, "UpstreamTimeout"),  # about a body: see test_patience.py
        (UpstreamInvalid("Broken."), 502, "UpstreamInvalid"),
        (UpstreamBusy("Slow down.", retry_after=5), 429, "UpstreamBusy"),
        (StorageFull("Full."), 507, "InsufficientStorage"),
        (psycopg.OperationalError("password=secret"), 503, "DatabaseUnavailable"),
        (OperationalError("password=secret"), 503, "DatabaseUnavailable"),
        (RuntimeError("secret detail"), 500, None),
        (RecursionError("secret detail"), 500, None),
    ],
)
async def test_every_error_has_its_answer(error: Exception, status: int, code: str | None) -> None:
    response = await answer(error)
    assert response.status == status and response.headers.get("X-Error-Code") == code
    assert response.text is not None and "secret" not in response.text
    assert "secret" not in str(response.headers)
    if isinstance(error, HubError):
        assert response.headers["X-Error-Message"] == error.message
        assert response.headers.get("X-Repo-Commit") == error.commit
    if isinstance(error, UpstreamBusy):
        assert response.headers["Retry-After"] == "5"
        assert response.headers["RateLimit"] == '"api";r=0;t=5'


async def test_a_moved_repository_is_a_redirect() -> None:
    response = await answer(RepoMoved("new/name"), "/org/repo/resolve/main/x?a=b")
    assert response.status == 307
    assert response.headers["Location"] == f"{P}/new/name/resolve/main/x?a=b"


@pytest.mark.parametrize("error", [ConnectionResetError(), ConnectionError()])
async def test_a_client_that_is_gone_is_no_error_of_ours(error: Exception) -> None:
    assert (await answer(error)).status == 499


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("Bearer hf_x", "hf_x"),
        ("bearer  hf_x ", "hf_x"),
        ("Bearer ", None),
        ("Bearer", None),
        ("Basic dXNlcjpwYXNz", None),
        ("Token hf_x", None),
    ],
)
async def test_only_a_bearer_token_is_a_token_of_the_hub(
    header: str | None, token: str | None
) -> None:
    headers = {"Authorization": header} if header is not None else {}
    assert caller_of(make_mocked_request("GET", "/", headers=headers)).token == token


async def test_an_answer_that_has_begun_is_broken_off() -> None:
    transport = Mock()
    request = make_mocked_request(
        "GET", f"{P}/org/repo/resolve/main/x", writer=Mock(output_size=5), transport=transport
    )
    response = await serve(Raising(RuntimeError("x")), VIEW, request)  # type: ignore[arg-type]
    assert response.status == 499
    transport.abort.assert_called()
