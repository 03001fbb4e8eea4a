"""Whatever comes and however long it takes: never more than was left, and fair shares of it."""

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import event, given
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import UpstreamBusy
from pulp_hugging_face.upstream.behalf import on_behalf_of
from pulp_hugging_face.upstream.budget import Budget

from .virtual import now, run

API = "/api/models/org/repo"
LONG = 100_000.0


@dataclass
class Hub:
    """Counts in fixed windows: begun by the first request in them, or at full multiples."""

    quota: int
    window: int
    aligned: bool
    started: float = -LONG
    used: int = 0
    refused: int = 0
    # When requests were sent; when answers arrived, what they left, and until when.
    sent: list[float] = field(default_factory=list)
    told: list[tuple[float, int, float]] = field(default_factory=list)

    def count(self) -> tuple[int, int, int]:
        """Take a request: status, requests left, whole seconds until the window ends."""
        if now() - self.started >= self.window:
            self.started = now() - now() % self.window if self.aligned else now()
            self.used = 0
        self.used += 1
        left = self.quota - self.used
        self.refused += left < 0
        return 429 if left < 0 else 200, max(left, 0), int(self.started + self.window - now())

    async def ask(self, budget: Budget, there: float, back: float, patience: float) -> None:
        permit = await budget.admit(API, None, patience)
        self.sent.append(now())
        await asyncio.sleep(there)
        status, left, seconds = self.count()
        until = now() + seconds
        await asyncio.sleep(back)
        self.told.append((now(), left, until))
        headers = {
            "RateLimit": f'"api";r={left};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"api";q={self.quota};w={self.window}',
        }
        permit.answered(status, headers)

    def assert_kept_to(self) -> None:
        """No answer was followed by more requests in its time than it had left."""
        for at, left, until in self.told:
            assert sum(at < sent < until for sent in self.sent) <= left


@dataclass(frozen=True)
class Coming:
    """A request: seconds after the one before, on its way, and patience."""

    after: float
    there: float
    back: float
    patience: float
    caller: str


seconds = st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 2.5])
comings = st.builds(
    Coming,
    after=st.sampled_from([0.0, 0.0, 0.0, 0.1, 1.0, 7.0, 40.0]),
    there=seconds,
    back=seconds,
    patience=st.sampled_from([0.0, 3.0, 100.0]),
    caller=st.sampled_from(["a", "b", "c"]),
)


@given(
    st.integers(1, 40),
    st.integers(10, 100),
    st.booleans(),
    st.lists(comings, min_size=1, max_size=120),
)
def test_never_more_than_was_left(
    quota: int, window: int, aligned: bool, requests: list[Coming]
) -> None:
    hub = Hub(quota, window, aligned)

    async def simulate() -> None:
        budget = Budget("remote")
        # What nobody knows cannot be kept to: some are under way before the first answer.
        first = [asyncio.create_task(one(budget, 0, early)) for early in requests[-quota:]]
        while not hub.told:
            await asyncio.sleep(0.005)
        work = (one(budget, at, coming) for at, coming in zip(arrivals, requests, strict=True))
        await asyncio.gather(*first, *work)

    async def one(budget: Budget, at: float, request: Coming) -> None:
        await asyncio.sleep(at)
        try:
            with on_behalf_of(request.caller):
                await hub.ask(budget, request.there, request.back, request.patience)
        except UpstreamBusy as busy:
            event("refused")
            assert busy.retry_after and busy.retry_after <= window + 1

    arrivals = list(itertools.accumulate(request.after for request in requests))
    run(simulate())
    assert hub.refused == 0
    hub.assert_kept_to()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 60))
def test_callers_of_unequal_demand_get_their_shares(demands: list[int], left: int) -> None:
    """Of what one window has left nobody gets more than another who wanted more."""
    served: Counter[int] = Counter()

    async def simulate() -> None:
        budget = Budget("remote")
        permit = await budget.admit(API, None, 0)
        headers = {
            "RateLimit": f'"api";r={left};t=100',
            "RateLimit-Policy": '"fixed window";"api";q=1000;w=300',
        }
        permit.answered(200, headers)
        # The greediest come first.
        tasks = [
            asyncio.create_task(ask(budget, number))
            for demand, number in sorted(zip(demands, range(len(demands)), strict=True))[::-1]
            for _ in range(demand)
        ]
        await asyncio.sleep(100.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(budget: Budget, number: int) -> None:
        with on_behalf_of(str(number)):
            await budget.admit(API, None, LONG)
        served[number] += 1

    run(simulate())
    assert sum(served.values()) == min(left, sum(demands))
    for one, other in itertools.permutations(range(len(demands)), 2):
        assert served[one] >= min(demands[one], served[other] - 1)
