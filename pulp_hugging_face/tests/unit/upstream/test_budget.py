"""What is left of the upstream's limit is kept to, spread over its window, and shared fairly."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pulp_hugging_face.hub.errors import GaveWay, UpstreamBusy
from pulp_hugging_face.upstream import budget as module
from pulp_hugging_face.upstream.behalf import giving_way, on_behalf_of
from pulp_hugging_face.upstream.budget import Budget

from .virtual import now, run

API, FILE = "/api/models/org/repo", "/org/repo/resolve/main/x"
HOUR = 3600.0


def limit(left: int, seconds: int, quota: int = 100, window: int = 300, bucket: str = "api") -> Any:
    """Return the headers of an answer."""
    return {
        "RateLimit": f'"{bucket}";r={left};t={seconds}',
        "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={window}',
    }


class Meter:
    """Counts as the tally does."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def note(self, remote: str, bucket: str, what: str) -> None:
        assert remote == "remote"
        self.counts[bucket, what] += 1


async def ask(
    budget: Budget,
    headers: Any = (),
    status: int = 200,
    *,
    path: str = API,
    token: str | None = None,
    patience: float = HOUR,
) -> float:
    """Send a request, answer it at once, and return when it was sent."""
    permit = await budget.admit(path, token, patience)
    permit.answered(status, dict(headers))
    return now()


async def refusal(work: Coroutine[Any, Any, Any]) -> UpstreamBusy:
    """Return the refusal of a request, which must not have waited."""
    started = now()
    with pytest.raises(UpstreamBusy) as refused:
        await work
    assert now() == started
    return refused.value


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    def wrapped() -> None:
        run(test())

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@virtual
async def test_without_a_word_of_the_upstream_nothing_waits() -> None:
    budget, started = Budget("remote"), now()
    await asyncio.gather(*(ask(budget, patience=0) for _ in range(500)))
    assert now() == started


@virtual
async def test_far_from_the_limit_nothing_waits() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, limit(100, 300))
    await asyncio.gather(*(ask(budget, patience=0) for _ in range(79)))
    assert now() == started


@virtual
async def test_what_is_left_is_spread_over_the_rest_of_the_window() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, limit(10, 99))
    times = [await ask(budget) - started for _ in range(10)]
    assert times == pytest.approx([n * 100 / 11 for n in range(1, 11)], abs=0.01)


@virtual
async def test_a_new_window_is_a_new_beginning() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, limit(0, 29))
    assert await ask(budget) - started == pytest.approx(30)  # whole seconds are told: t + 1
    assert await ask(budget, patience=0) - started == pytest.approx(30)


@virtual
async def test_a_limit_that_is_told_no_more_is_kept_no_longer() -> None:
    """Its window has ended, and the answers of the next do not speak of one."""
    budget = Budget("remote")
    await ask(budget, limit(left=0, seconds=2, quota=4, window=2))
    await ask(budget)
    started = now()
    for _ in range(100):
        await ask(budget)
    assert now() == started


@virtual
async def test_a_failure_says_nothing_of_the_limit() -> None:
    budget = Budget("remote")
    await ask(budget, limit(left=0, seconds=2, quota=4, window=2))
    await ask(budget, status=503)
    started = now()
    for _ in range(100):
        await ask(budget, status=503)
    assert now() > started + 50


@virtual
async def test_after_a_pause_nothing_is_hurried() -> None:
    """What was not used is spread as well, not sent at once."""
    budget = Budget("remote")
    await ask(budget, limit(10, 99))
    await asyncio.sleep(50)
    started = now()
    times = [await ask(budget) - started for _ in range(4)]
    assert times == pytest.approx([0, 5, 10, 15], abs=0.01)


@virtual
async def test_who_would_wait_too_long_is_told_at_once_when_to_come() -> None:
    budget = Budget("remote")
    await ask(budget, limit(0, 40))
    error = await refusal(ask(budget, patience=5))
    assert (error.retry_after, error.bucket, error.status) == (41, "api", 429)


@virtual
async def test_who_is_overtaken_by_others_gives_up_in_time() -> None:
    budget = Budget("remote")
    await ask(budget, limit(10, 99))
    await ask(budget)
    started = now()

    async def others() -> None:
        await asyncio.sleep(1)
        for n in range(5):
            with on_behalf_of(f"caller {n}"):
                tasks.append(asyncio.create_task(ask(budget)))

    tasks: list[asyncio.Task[float]] = []
    with on_behalf_of("greedy"):
        first = asyncio.create_task(ask(budget))
        second = asyncio.create_task(ask(budget, patience=21))
    await others()
    await first
    with pytest.raises(UpstreamBusy):
        await second
    assert now() - started == pytest.approx(21)
    await asyncio.gather(*tasks)


@virtual
async def test_what_can_be_done_without_gives_way_at_once() -> None:
    budget = Budget("remote")
    with giving_way():
        await ask(budget, limit(21, 100))
        await ask(budget)
        error = await refusal(ask(budget))
    assert isinstance(error, GaveWay)
    await ask(budget, patience=5)


@virtual
async def test_buckets_and_tokens_are_counted_by_themselves() -> None:
    budget = Budget("remote")
    await ask(budget, limit(0, 100), token="a")
    await refusal(ask(budget, token="a", patience=1))
    for token, path in (("a", FILE), ("b", API), (None, API)):
        await ask(budget, token=token, path=path, patience=0)


@virtual
async def test_the_headers_name_the_bucket() -> None:
    budget = Budget("remote")
    await ask(budget, limit(0, 100, bucket="resolvers"), path=API)
    await ask(budget, path=API, patience=0)
    assert (await refusal(ask(budget, path=FILE, patience=1))).bucket == "resolvers"


@virtual
async def test_a_bucket_of_another_name_is_that_of_the_request() -> None:
    budget = Budget("remote")
    await ask(budget, limit(0, 100, bucket="default"), path=FILE)
    await refusal(ask(budget, path=FILE, patience=1))


@virtual
async def test_what_is_under_way_counts_before_it_is_answered() -> None:
    budget = Budget("remote")
    permits = [await budget.admit(API, None, 0) for _ in range(8)]
    started = now()
    permits[0].answered(200, limit(10, 99))
    # Of ten, seven are used up by what is under way.
    times = [await ask(budget) - started for _ in range(4)]
    assert times == pytest.approx([25, 50, 75, 100], abs=0.01)


@virtual
async def test_answers_that_overtake_each_other_give_nothing_back() -> None:
    budget = Budget("remote")
    slow, quick = [await budget.admit(API, None, 0) for _ in range(2)]
    quick.answered(200, limit(0, 100))
    slow.answered(200, limit(90, 100))
    await refusal(ask(budget, patience=10))


@virtual
async def test_after_a_429_nothing_is_sent_before_its_time() -> None:
    budget = Budget("remote")
    permit = await budget.admit(API, None, 0)
    busy = permit.answered(429, {"Retry-After": "33"})
    assert busy is not None and busy.retry_after == 33
    await asyncio.sleep(10)
    assert (await refusal(ask(budget, patience=3))).retry_after == 23
    await asyncio.sleep(20)
    started = now()
    await ask(budget, patience=3)
    assert now() - started == pytest.approx(3)


@virtual
async def test_a_429_without_retry_after_is_obeyed_by_its_window() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, limit(0, 12), status=429)
    assert await ask(budget) - started == pytest.approx(13)


@virtual
async def test_after_a_bare_429_pauses_grow_and_end() -> None:
    budget, pauses = Budget("remote"), []
    await ask(budget, status=429)
    for _ in range(9):
        started = now()
        pauses.append(await ask(budget, status=429) - started)
    assert pauses[:4] == pytest.approx([5, 10, 20, 40])
    assert max(pauses) == pytest.approx(module.LONGEST_PAUSE)
    await ask(budget)
    started = now()
    await ask(budget, status=429)
    assert await ask(budget) - started == pytest.approx(5)


@virtual
async def test_a_crowd_of_429_counts_once() -> None:
    budget = Budget("remote")
    permits = [await budget.admit(API, None, 0) for _ in range(20)]
    waits = [permit.answered(429, {}) for permit in permits]
    assert {busy.retry_after for busy in waits if busy} == {5}


@virtual
async def test_after_a_429_one_goes_ahead() -> None:
    budget = Budget("remote")
    await ask(budget, status=429)
    first = await budget.admit(API, None, HOUR)
    others = [asyncio.create_task(ask(budget)) for _ in range(5)]
    await asyncio.sleep(1)
    assert not any(task.done() for task in others)
    first.answered(200, {})
    started = now()
    await asyncio.gather(*others)
    assert now() == started


@virtual
async def test_after_a_429_what_can_be_done_without_may_go_ahead() -> None:
    """Else nobody would find out that it is over, where older answers serve."""
    budget = Budget("remote")
    await ask(budget, status=429)
    await asyncio.sleep(6)
    with giving_way():
        first = await budget.admit(API, None, 0)
        await refusal(ask(budget))
        first.answered(200, {})
        await ask(budget, patience=0)


@virtual
async def test_after_a_429_a_lost_request_holds_nobody_up() -> None:
    budget = Budget("remote")
    await ask(budget, status=429)
    (await budget.admit(API, None, HOUR)).lost()
    await ask(budget, patience=0)


@virtual
async def test_a_429_is_told_at_once_to_those_who_wait() -> None:
    budget = Budget("remote")
    await ask(budget, limit(10, 99))
    permit = await budget.admit(API, None, HOUR)
    waiting = asyncio.create_task(ask(budget, patience=15))
    await asyncio.sleep(1)
    permit.answered(429, {"Retry-After": "60"})
    started = now()
    with pytest.raises(UpstreamBusy):
        await waiting
    assert now() == started


@virtual
async def test_no_429_shuts_the_upstream_off_for_ever() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, {"Retry-After": "999999999"}, status=429)
    assert await ask(budget, patience=math.inf) - started == pytest.approx(module.LONGEST_BLOCK)


@virtual
async def test_who_gives_up_uses_up_nothing() -> None:
    budget, started = Budget("remote"), now()
    await ask(budget, limit(4, 99))
    await ask(budget)
    gone = asyncio.create_task(ask(budget))
    after = asyncio.create_task(ask(budget))
    await asyncio.sleep(1)
    gone.cancel()
    assert await after - started == pytest.approx(40, abs=0.01)


@virtual
async def test_rate_limit_spaces_all_requests() -> None:
    meter = Meter()
    budget, started = Budget("remote", rate_limit=4, meter=meter), now()
    paths = [API, FILE, "/api/resolve-cache/models/org/repo/0/x", API]
    times = await asyncio.gather(*(ask(budget, path=path, token=path) for path in paths))
    assert [time - started for time in times] == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.01)
    assert meter.counts["api", "delayed"] == 1


@virtual
async def test_rate_limit_refuses_what_would_wait_too_long() -> None:
    budget = Budget("remote", rate_limit=1)
    tasks = [asyncio.create_task(ask(budget, patience=3.5)) for _ in range(10)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, UpstreamBusy)]
    assert len(refused) == 6
    assert all("rate_limit" in error.message for error in refused)


@virtual
async def test_so_many_transfers_run_at_a_time_and_callers_take_turns() -> None:
    budget, running, order = Budget("remote", transfers=2), Counter[str](), []

    async def transfer(caller: str) -> None:
        with on_behalf_of(caller):
            async with budget.transfer():
                running["now"] += 1
                assert running["now"] <= 2
                order.append(caller)
                await asyncio.sleep(10)
                running["now"] -= 1

    greedy = [asyncio.create_task(transfer("greedy")) for _ in range(6)]
    await asyncio.sleep(1)
    await asyncio.gather(*greedy, transfer("polite"))
    assert order.index("polite") <= 3


@virtual
async def test_a_transfer_that_fails_or_is_given_up_frees_its_place() -> None:
    budget = Budget("remote", transfers=1)

    async def hold() -> None:
        async with budget.transfer():
            await asyncio.sleep(10)

    with pytest.raises(ValueError):
        async with budget.transfer():
            raise ValueError
    tasks = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(1)
    tasks[1].cancel()
    await asyncio.sleep(0)
    started = now()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert now() - started == pytest.approx(19)


@virtual
async def test_what_happens_is_counted() -> None:
    meter = Meter()
    budget = Budget("remote", meter=meter)
    with on_behalf_of("somebody") as behalf:
        await ask(budget, limit(2, 9, bucket="resolvers"), path=FILE)
        await ask(budget, path=FILE)
        await ask(budget, path=FILE)
        await ask(budget, status=429)
        await ask(budget, path="/api/resolve-cache/models/org/repo/0/x")
    assert behalf.asked == 4
    assert meter.counts == {
        ("resolvers", "asked"): 3,
        ("resolvers", "delayed"): 2,
        ("api", "asked"): 1,
        ("api", "limited"): 1,
    }


@virtual
async def test_tokens_are_not_kept_in_clear_or_for_ever() -> None:
    budget = Budget("remote")
    for n in range(3000):
        await ask(budget, limit(50, 10), token=f"hf_secret{n}")
        await asyncio.sleep(1)
    assert len(budget._lanes) <= module._LANES
    assert "hf_secret" not in repr(vars(budget))


@virtual
async def test_what_is_left_of_another_limit_says_nothing_of_this_one() -> None:
    """A 429 may be by another policy than the answers before and after it."""
    budget = Budget("remote")
    await ask(budget, limit(99_990, 300, quota=100_000))
    await ask(budget, limit(0, 1, quota=500) | {"Retry-After": "1"}, 429)
    await ask(budget, limit(499, 300, quota=500))
    await ask(budget, limit(99_980, 299, quota=100_000))
    with giving_way():
        began = now()
        assert await ask(budget, limit(99_979, 299, quota=100_000)) == began
