"""Who waits for an upstream in trouble, and who does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pulp_hugging_face.hub.errors import (
    RedirectRefused,
    RepoNotFound,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store.inquiries import Inquiries, Inquiry, Outcome
from pulp_hugging_face.store.views import Caller
from pulp_hugging_face.upstream.config import RemoteConfig

pytestmark = pytest.mark.asyncio

HUB = RemoteConfig("1", "https://hub.example")
A, B, C = (RepoId(RepoType.MODEL, f"org/{name}") for name in "abc")


class Upstream:
    """Answers with a count, or fails, or holds its answer until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> int:
        self.asked += 1
        await self.answers.wait()
        if self.error:
            raise self.error
        return self.asked


@pytest_asyncio.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest_asyncio.fixture
async def inquiries(settings: Any) -> AsyncIterator[Inquiries]:
    settings.HUGGING_FACE_REVALIDATE_SECONDS = 0.05
    made = Inquiries()
    yield made
    await made.close()


def about(repo: RepoId, upstream: Upstream, caller: Caller = Caller()) -> Inquiry[int]:  # noqa: B008
    return Inquiry(HUB, repo, ("key", repo), upstream, caller)


async def test_an_answer_is_new(inquiries: Inquiries, upstream: Upstream) -> None:
    reply = await inquiries.ask(about(A, upstream), older=True)
    assert (reply.outcome, reply.answer, reply.stale) == (Outcome.NEW, 1, False)


async def test_while_one_asks_others_go_on_with_what_they_have(
    inquiries: Inquiries, upstream: Upstream, settings: Any
) -> None:
    settings.HUGGING_FACE_REVALIDATE_SECONDS = 60
    upstream.answers.clear()
    first = asyncio.create_task(inquiries.ask(about(A, upstream), older=True))
    await asyncio.sleep(0)
    reply = await inquiries.ask(about(A, upstream), older=True)
    assert (reply.outcome, reply.stale) == (Outcome.OLD, False)
    last = asyncio.create_task(inquiries.ask(about(A, upstream), older=True, meanwhile=False))
    await asyncio.sleep(0)
    upstream.answers.set()
    assert [(await task).outcome for task in (first, last)] == [Outcome.NEW, Outcome.NEW]
    assert upstream.asked == 1


async def test_only_who_finds_it_silent_waits(
    inquiries: Inquiries, upstream: Upstream, settings: Any
) -> None:
    upstream.answers.clear()
    assert (await inquiries.ask(about(A, upstream), older=True)).stale
    settings.HUGGING_FACE_REVALIDATE_SECONDS = 3600
    async with asyncio.timeout(5):
        for _ in range(10):
            assert (await inquiries.ask(about(A, upstream), older=True)).stale
    assert upstream.asked == 1


async def test_two_repositories_tell_for_all_the_others(
    inquiries: Inquiries, upstream: Upstream
) -> None:
    upstream.error = UpstreamUnavailable("down")
    for repo in (A, B, C, C):
        assert (await inquiries.ask(about(repo, upstream), older=True)).stale
    assert upstream.asked == 2


async def test_a_refusal_is_an_answer(inquiries: Inquiries, upstream: Upstream) -> None:
    upstream.error = UpstreamUnavailable("down")
    for repo in (A, B):
        await inquiries.ask(about(repo, upstream), older=True)
    upstream.error = RepoNotFound("gone")
    with pytest.raises(RepoNotFound):
        await inquiries.ask(about(C, upstream), older=False)
    upstream.error = None
    assert (await inquiries.ask(about(A, upstream), older=True)).outcome is Outcome.NEW


async def test_who_has_nothing_asks_in_bad_weather_too(
    inquiries: Inquiries, upstream: Upstream
) -> None:
    upstream.error = UpstreamUnavailable("down")
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            await inquiries.ask(about(A, upstream), older=False)
    assert upstream.asked == 3
    upstream.error = None
    assert (await inquiries.ask(about(A, upstream), older=False)).outcome is Outcome.NEW
    assert (await inquiries.ask(about(A, upstream), older=True)).outcome is Outcome.NEW


async def test_in_bad_weather_who_has_nothing_is_told_soon(
    inquiries: Inquiries, upstream: Upstream
) -> None:
    upstream.answers.clear()
    assert (await inquiries.ask(about(A, upstream), older=True)).stale
    async with asyncio.timeout(5):
        with pytest.raises(UpstreamTimeout) as told:
            await inquiries.ask(about(A, upstream), older=False)
    assert told.value.retry_after


async def test_who_has_little_time_left_is_not_kept(
    inquiries: Inquiries, upstream: Upstream
) -> None:
    upstream.answers.clear()
    late = Caller(deadline=asyncio.get_running_loop().time() - 5)
    async with asyncio.timeout(5):
        with pytest.raises(UpstreamTimeout):
            await inquiries.ask(about(A, upstream, late), older=False)


async def test_clients_are_told_when_to_try_again_where_that_is_of_use(
    inquiries: Inquiries, upstream: Upstream
) -> None:
    upstream.error = UpstreamInvalid("a login page")
    with pytest.raises(UpstreamInvalid) as told:
        await inquiries.ask(about(A, upstream), older=False)
    assert told.value.retry_after
    upstream.error = RedirectRefused("elsewhere")
    with pytest.raises(RedirectRefused) as told:
        await inquiries.ask(about(A, upstream), older=False)
    assert told.value.retry_after is None


async def test_it_is_noticed_that_the_upstream_is_back(
    inquiries: Inquiries, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without anybody waiting for it, and by one question at a time."""
    monkeypatch.setattr("pulp_hugging_face.store.weather.FIRST_PAUSE", 0.01)
    upstream.error = UpstreamUnavailable("down")
    for repo in (A, B):
        await inquiries.ask(about(repo, upstream), older=True)
    upstream.error = None
    async with asyncio.timeout(10):
        while (await inquiries.ask(about(C, upstream), older=True)).stale:
            await asyncio.sleep(0.005)
    assert upstream.asked <= 5
