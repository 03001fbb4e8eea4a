"""What counts as an answer that may be passed on, and kept."""

from collections.abc import Callable

import pytest

from pulp_hugging_face.hub.errors import UpstreamInvalid
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.upstream.client import HubClient

from .servers import answering, response

pytestmark = pytest.mark.asyncio

Client = Callable[..., HubClient]
PARQUET = "api/datasets/org/ds/parquet/default/train/0.parquet"


def redirect(location: str) -> bytes:
    return response(b"", f"Location: {location}", status="307 Temporary Redirect")


@pytest.mark.parametrize("location", [
    "/datasets/org/ds/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet",
    "/api/datasets/new/name/parquet/default/train/0.parquet",
    "/api/models?author=new",
])  # fmt: skip
async def test_a_redirect_to_what_a_hub_has_is_an_answer(client: Client, location: str) -> None:
    async with answering(redirect(location)) as own:
        answer = await client(own.url).fetch(PARQUET)
    assert answer.status == 307
    assert answer.headers["Location"] == own.url + location


@pytest.mark.parametrize("location", [
    "/login?next=%2Fapi", "/", "/maintenance.html", "/api/../login",
    f"/{PARQUET}", f"/{PARQUET}?",
])  # fmt: skip
async def test_a_login_page_or_a_circle_is_none(client: Client, location: str) -> None:
    """What a captive portal does must not be kept in place of a list."""
    async with answering(redirect(location)) as own:
        with pytest.raises(UpstreamInvalid):
            await client(own.url).fetch(PARQUET)


async def test_a_list_that_leads_to_itself_is_none(client: Client) -> None:
    target = "api/models?author=org&limit=2"
    async with answering(redirect(f"/{target}")) as own:
        with pytest.raises(UpstreamInvalid):
            await client(own.url).fetch(target)


@pytest.mark.parametrize("target", [
    "api/models?author=org", f"api/models/org/x/commits/{'a' * 40}", "api/whoami-v2",
    f"api/models/org/x/tree/{'a' * 40}?expand=true",
])  # fmt: skip
@pytest.mark.parametrize(("kind", "body"), [
    ("application/json", b"{}"), ("application/json", b'{"error": "Please log in"}'),
    ("text/plain", b"ok"), ("application/octet-stream", b"[]"),
])  # fmt: skip
async def test_what_cannot_answer_the_question_is_no_answer(
    client: Client, target: str, kind: str, body: bytes
) -> None:
    """A history is kept for ever: nobody else's JSON may take its place."""
    async with answering(response(body, f"Content-Type: {kind}")) as own:
        with pytest.raises(UpstreamInvalid):
            await client(own.url).fetch(target)


async def test_refs_that_are_none_are_not_believed(client: Client) -> None:
    async with answering(response(b"{}", "Content-Type: application/json")) as own:
        with pytest.raises(UpstreamInvalid):
            await client(own.url).refs(RepoId.parse(RepoType.MODEL, "org/x"))
