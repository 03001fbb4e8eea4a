"""Batches of what is asked for within a moment."""

import asyncio
from collections.abc import Hashable

import pytest

from pulp_hugging_face.store.together import MOST, Together

pytestmark = pytest.mark.asyncio


class Doubler:
    """Doubles numbers, and fails at negative ones."""

    def __init__(self) -> None:
        self.batches: list[tuple[Hashable, list[int]]] = []

    async def __call__(self, key: Hashable, numbers: list[int]) -> list[int]:
        self.batches.append((key, numbers))
        await asyncio.sleep(0.001)
        if min(numbers) < 0:
            raise ValueError(f"{min(numbers)} is negative")
        return [2 * number for number in numbers]


async def busy(work: Doubler, **settings: float) -> Together[int, int]:
    """Return batches of which there has just been one."""
    together = Together(work, **settings)
    await asyncio.gather(together.do("a", 0), together.do("b", 0))
    work.batches.clear()
    return together


async def test_the_first_after_a_while_is_not_kept_waiting() -> None:
    work = Doubler()
    together = Together(work, quiet=3600, longest=3600)
    async with asyncio.timeout(5):
        assert await together.do("a", 1) == 2


async def test_what_comes_within_a_moment_is_one_batch() -> None:
    work = Doubler()
    together = await busy(work)
    results = await asyncio.gather(*(together.do("a", number) for number in range(50)))
    assert results == [2 * number for number in range(50)]
    assert work.batches == [("a", list(range(50)))]


async def test_keys_are_batches_of_their_own() -> None:
    work = Doubler()
    together = await busy(work)
    assert await asyncio.gather(together.do("a", 1), together.do("b", 2)) == [2, 4]
    assert sorted(key for key, _ in work.batches) == ["a", "b"]


async def test_a_batch_is_not_longer_than_it_may_be() -> None:
    work = Doubler()
    together = await busy(work, quiet=0.001)
    await asyncio.gather(*(together.do("a", number) for number in range(2 * MOST + 1)))
    assert [len(numbers) for _, numbers in work.batches] == [MOST, MOST, 1]


async def test_what_is_wrong_with_one_is_not_the_others_failure() -> None:
    together = await busy(Doubler())
    results = await asyncio.gather(
        *(together.do("a", number) for number in (1, -1, 3)), return_exceptions=True
    )
    assert (results[0], results[2]) == (2, 6)
    assert isinstance(results[1], ValueError)


async def test_a_stream_without_a_pause_is_not_waited_for_for_ever() -> None:
    work = Doubler()
    together = await busy(work, quiet=0.02, longest=0.1)
    tasks = []
    for number in range(40):
        tasks.append(asyncio.create_task(together.do("a", number)))
        await asyncio.sleep(0.01)
    assert len(work.batches) >= 2
    await asyncio.gather(*tasks)


async def test_who_gives_up_does_not_stop_the_others() -> None:
    together = await busy(Doubler())
    first, second = (asyncio.create_task(together.do("a", number)) for number in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 4


async def test_the_next_batch_begins_anew() -> None:
    work = Doubler()
    together = Together(work, quiet=0)
    assert await together.do("a", 1) == 2
    assert await together.do("a", 2) == 4
    assert len(work.batches) == 2
