"""The small parts that need no database."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import EntryNotFound, UpstreamTimeout
from pulp_hugging_face.store.flights import Flights
from pulp_hugging_face.store.lru import Lru

# Lru.


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1)
    lru.put("b", 2)
    assert lru.get("a") == 1
    lru.put("c", 3)
    assert [lru.get(key) for key in "abc"] == [1, None, 3]


def test_a_value_put_again_is_new() -> None:
    lru: Lru[str, int] = Lru(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        lru.put(key, value)
    assert [lru.get(key) for key in "abc"] == [3, None, 4]


def test_a_value_can_be_forgotten_twice() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1)
    lru.pop("a")
    lru.pop("a")
    assert lru.get("a") is None


keys = st.integers(0, 5)
operations = st.lists(st.tuples(st.sampled_from(["get", "put", "pop"]), keys), max_size=60)


@settings(deadline=None)
@given(operations, st.integers(1, 4))
def test_it_behaves_like_a_bounded_list(steps: list[tuple[str, int]], size: int) -> None:
    lru: Lru[int, int] = Lru(size)
    model: list[int] = []
    for name, key in steps:
        if name == "get":
            assert lru.get(key) == (key if key in model else None)
        elif name == "put":
            lru.put(key, key)
        else:
            lru.pop(key)
        if name in ("put", "pop") or key in model:
            model = [other for other in model if other != key]
        if name == "put" or (name == "get" and lru.get(key) is not None):
            model = [*model, key][-size:]


# Flights.

Work = Callable[[], Coroutine[Any, Any, int]]


class Job:
    """Work that waits to be let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go_on = asyncio.Event()
        self.error = error
        self.begun = self.ended = 0

    async def __call__(self) -> int:
        self.begun += 1
        await self.go_on.wait()
        self.ended += 1
        if self.error:
            raise self.error
        return self.begun


@pytest.mark.asyncio
async def test_who_asks_at_the_same_time_gets_the_same_answer() -> None:
    flights, job = Flights(), Job()
    waiting = [asyncio.ensure_future(flights.join("key", job)) for _ in range(5)]
    await asyncio.sleep(0)
    assert flights.under_way("key") and not flights.under_way("other")
    job.go_on.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert job.begun == 1 and not flights.under_way("key")


@pytest.mark.asyncio
async def test_keys_are_kept_apart_and_later_is_another_time() -> None:
    flights, job = Flights(), Job()
    job.go_on.set()
    assert await asyncio.gather(flights.join("a", job), flights.join("b", job)) == [1, 2]
    assert await flights.join("a", job) == 3


@pytest.mark.asyncio
async def test_who_hangs_up_does_not_stop_it_for_others() -> None:
    flights, job = Flights(), Job()
    first = asyncio.create_task(_wait(flights, job))
    second = asyncio.create_task(_wait(flights, job))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    job.go_on.set()
    assert await second == 1 and first.cancelled()


@pytest.mark.asyncio
async def test_it_goes_on_when_nobody_waits_any_more() -> None:
    flights, job = Flights(), Job()
    only = asyncio.create_task(_wait(flights, job))
    await asyncio.sleep(0)
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    assert flights.under_way("key")
    job.go_on.set()
    await asyncio.sleep(0.01)
    assert job.ended == 1 and not flights.under_way("key")


async def _wait(flights: Flights, job: Job) -> int:
    return await flights.join("key", job)


@pytest.mark.asyncio
async def test_an_error_reaches_all() -> None:
    flights, job = Flights(), Job(EntryNotFound("Gone."))
    waiting = [asyncio.ensure_future(flights.join("key", job)) for _ in range(3)]
    job.go_on.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results == [job.error] * 3
    assert not flights.under_way("key")


@pytest.mark.asyncio
async def test_an_error_nobody_waits_for_is_not_reported_as_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flights, job = Flights(), Job(EntryNotFound("Gone."))
    flights.start("key", job)
    job.go_on.set()
    await asyncio.sleep(0.01)
    import gc

    gc.collect()
    assert "never retrieved" not in caplog.text


@pytest.mark.asyncio
async def test_patience_ends_but_the_work_does_not() -> None:
    flights, job = Flights(), Job()
    with pytest.raises(UpstreamTimeout):
        await flights.wait("key", job, 0.01)
    assert flights.under_way("key")
    job.go_on.set()
    assert await flights.wait("key", job, 1) == 1


@pytest.mark.asyncio
async def test_closing_stops_everything() -> None:
    flights, job = Flights(), Job()
    waiting = asyncio.ensure_future(flights.join("key", job))
    await asyncio.sleep(0)
    await flights.close()
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is (
        asyncio.CancelledError
    )
    assert job.ended == 0


def test_weights_bound_what_is_remembered() -> None:
    lru: Lru[str, str] = Lru(10, len)
    lru.put("a", "xxxx")
    lru.put("b", "xxxx")
    lru.put("c", "xxxx")
    assert [lru.get(key) for key in "abc"] == [None, "xxxx", "xxxx"]
    lru.put("b", "x")
    lru.put("d", "xxxxx")
    assert [lru.get(key) for key in "bcd"] == ["x", "xxxx", "xxxxx"]
    lru.put("e", "x" * 11)
    assert len(lru) == 0
    lru.put("f", "x" * 10)
    assert lru.get("f") is not None
