"""
What the upstream lets us ask, learned from its answers and spread fairly (hub-protocol §2.1).

The Hub counts requests by token (or by address without one) and bucket, in fixed windows, and says
on each answer how many are left. Far from the limit nothing waits. Near it, requests are spaced
so that what is left lasts until the window ends; questions that can be done without are not
asked, others wait their caller's turn or are refused when that takes too long. After a 429
nothing is sent before the time it names. Each process counts for itself: what other processes
and other users of the token take, it learns with the next answer.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pulp_hugging_face.hub.errors import GaveWay, UpstreamBusy
from pulp_hugging_face.hub.limits import BUCKETS, Limit, bucket_of, parse_limits, retry_after

from .behalf import current, gives_way
from .gates import EARLY, Gate, RateGate, Slots

# Below this share of the quota requests are spaced.
LOW = 0.2
# Seconds without a request after a 429 that names none; doubled each time, up to the second.
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
# Whatever a 429 says, the upstream is asked again after so many seconds.
LONGEST_BLOCK = 3600.0
# `t` is in whole seconds: the window may end up to a second later (H24, too, waits t + 1).
_ROUNDING = 1.0
_LANES = 1000

What = Literal["asked", "limited", "delayed"]


class Meter(Protocol):
    """Counts what happens, by remote and bucket."""

    def note(self, remote: str, bucket: str, what: What) -> None:
        """Count one."""


@dataclass(frozen=True)
class Window:
    """
    A fixed window as we know it: requests left, its beginning and end (loop time), quota, length.

    `assumed` until an answer has told of it: then the one before has ended, and that is all.
    """

    left: int
    began_at: float
    ends_at: float
    quota: int
    length: int
    assumed: bool = False

    @property
    def is_low(self) -> bool:
        """Tell whether the limit is near."""
        return self.left <= LOW * self.quota


def _merged(known: Window, told: Window) -> Window:
    """Return what is certain of a window: answers overtake each other."""
    left, ends_at = min(known.left, told.left), min(known.ends_at, told.ends_at)
    if told.began_at < known.began_at:  # sent before it began, and so perhaps not of this window
        return replace(known, left=left)
    return Window(
        left=left,
        began_at=known.began_at,
        ends_at=told.ends_at if known.assumed else ends_at,
        quota=told.quota if told.length else max(told.quota, known.quota),
        length=told.length or known.length,
    )


def _differ(known: Window, told: Window) -> bool:
    """Tell whether a later answer is about another limit: what was left of that says nothing."""
    policies = known.length and told.length
    return bool(policies) and known.quota != told.quota and told.began_at >= known.began_at


class Lane(Gate):
    """One bucket of one token, as the upstream counts it."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self.bucket = bucket
        self._window: Window | None = None
        self._last = -math.inf  # when the last request went
        self._blocked_until = -math.inf
        self._strikes = 0  # 429 answers in a row
        self._sent = 0
        self._under_way: dict[int, float] = {}  # when requests without an answer yet were sent

    def is_pressed(self) -> bool:
        """Tell whether there is little left, or nothing may be sent at all."""
        now = _now()
        self._roll(now)
        low = self._window is not None and self._window.is_low
        return low or now < self._blocked_until or self._is_tried

    @property
    def _is_tried(self) -> bool:
        """Tell whether, after a 429, one goes ahead: the others when it is answered."""
        return bool(self._strikes and self._under_way)

    def wait(self) -> float:
        """Return the seconds until a request may go, as far as known."""
        now = _now()
        return max(self._opens(now) - now, 0.0)

    def is_idle(self, now: float) -> bool:
        """Tell whether nothing would be lost with it."""
        ended = self._window is None or self._window.ends_at <= now
        return ended and not self._queue and not self._under_way and self._blocked_until <= now

    def answered(self, number: int, status: int, headers: Mapping[str, str]) -> None:
        """Learn from the answer to a request."""
        now = _now()
        sent_at = self._under_way.pop(number, -math.inf)
        if status == 429:
            self._limited(sent_at, headers, now)
        elif sent_at >= self._blocked_until:
            self._strikes = 0
        self._pump()

    def lost(self, number: int) -> None:
        """Note that a request got no answer: the upstream may have counted it, or not."""
        self._under_way.pop(number, None)
        self._pump()

    def learn(self, limit: Limit, number: int | None, sent_at: float) -> None:
        """
        Take over what an answer says: to the request `number`, or None if to one of another lane.

        What was sent after that request, or before it and is not answered, may not be counted yet.
        The upstream wrote it between `sent_at` and now: a new window is only what must be one.
        """
        known = self._window
        number = self._sent + 1 if number is None else number
        uncounted = max(self._sent - number, 0) + sum(n < number for n in self._under_way)
        told = Window(
            left=max(limit.left - uncounted, 0),
            began_at=sent_at,
            ends_at=_now() + limit.seconds + _ROUNDING,
            quota=limit.quota or limit.left,
            length=limit.window,
        )
        if known is None or sent_at + limit.seconds >= known.ends_at or _differ(known, told):
            self._window = told
        else:
            self._window = _merged(known, told)
        self._pump()

    def untold(self, sent_at: float) -> None:
        """Note an answer without a word of the limit: there may be none any more."""
        window = self._window
        if window is not None and window.assumed and sent_at >= window.began_at:
            self._window = None

    def _limited(self, sent_at: float, headers: Mapping[str, str], now: float) -> None:
        if sent_at >= self._blocked_until:  # not one of a crowd that was sent before the first 429
            self._strikes += 1
        seconds: float | None = retry_after(headers)
        if seconds is None:
            ends = [limit.seconds + _ROUNDING for limit in parse_limits(headers) if not limit.left]
            pause = min(FIRST_PAUSE * 2 ** min(self._strikes - 1, 16), LONGEST_PAUSE)
            seconds = max(ends, default=pause)
        until = now + min(max(seconds, 1.0), LONGEST_BLOCK)
        self._blocked_until = max(self._blocked_until, until)
        self._refuse_hopeless(self._blocked_until, now)

    def _roll(self, now: float) -> None:
        """Begin a new window when the old one has ended: whole, until an answer says otherwise."""
        window = self._window
        if window is None or now < window.ends_at:
            return
        self._window = None
        if window.quota and window.length:
            ends_at = now + window.length + _ROUNDING
            left = max(window.quota - len(self._under_way), 0)
            began_at = window.ends_at - EARLY  # timers fire a little early
            self._window = Window(left, began_at, ends_at, window.quota, window.length, True)

    def _opens(self, now: float) -> float:
        """Return when the next request may go: what is left is spread until the window ends."""
        self._roll(now)
        window = self._window
        if window is None or not window.is_low:
            return self._blocked_until
        last = max(self._last, window.began_at)
        due = last + (window.ends_at - last) / (window.left + 1)
        return max(due, self._blocked_until)

    def _due(self, now: float) -> float:
        return math.inf if self._is_tried else self._opens(now)

    def _take(self, now: float) -> int:
        if self._window is not None:
            self._window = replace(self._window, left=max(self._window.left - 1, 0))
        self._last = now
        self._sent += 1
        self._under_way[self._sent] = now
        return self._sent

    def _give_back(self, number: int) -> None:
        self.lost(number)

    def _expected(self, ahead: int, now: float) -> float:
        wait = max(self._opens(now) - now, 0.0)
        window = self._window
        if window is None or not window.is_low:
            return wait
        if ahead >= window.left:
            return max(wait, window.ends_at - now)
        return wait + ahead * (window.ends_at - now) / window.left


@dataclass(frozen=True)
class Permit:
    """A request that may be sent now. Its outcome must be told: `answered` or `lost`."""

    budget: "Budget"
    lane: Lane | None
    token: str
    number: int
    sent_at: float

    def answered(self, status: int, headers: Mapping[str, str]) -> UpstreamBusy | None:
        """Learn from the answer; returns what a 429 means."""
        return self.budget.answered(self, status, headers)

    def lost(self) -> None:
        """Note that there was no answer."""
        if self.lane is not None:
            self.lane.lost(self.number)


class Budget:
    """
    What one remote may be asked by this process.

    `rate_limit` (requests a second) and `transfers` (bodies at a time) are the administrator's
    limits, None for none.
    """

    def __init__(
        self,
        remote: str,
        rate_limit: float | None = None,
        transfers: int | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._remote = remote
        self._rate = RateGate(rate_limit) if rate_limit else None
        self._slots = Slots(transfers) if transfers else None
        self._meter = meter
        self._lanes: dict[tuple[str, str], Lane] = {}

    @asynccontextmanager
    async def transfer(self) -> AsyncIterator[None]:
        """Have one of the transfers that may run at a time."""
        if self._slots is None:
            yield
        else:
            async with self._slots.hold(current().caller):
                yield

    @property
    def room(self) -> float:
        """Return how many more transfers there may be; below zero, how many wait."""
        return math.inf if self._slots is None else self._slots.room

    async def admit(self, path: str, token: str | None, patience: float) -> Permit:
        """
        Wait until a request for a path below the remote's URL may be sent.

        Raises UpstreamBusy, with the seconds after which asking again makes sense.
        """
        bucket, who = bucket_of(path), _name(token)
        lane = self._lane(who, bucket) if bucket is not None else None
        if lane is not None:
            self._refuse_early(lane, patience)
        delayed = await self._keep_rate(patience)
        if lane is None or bucket is None:
            return Permit(self, None, who, 0, _now())
        behalf = current()
        number, waited = await lane.enter(behalf.caller, patience)
        behalf.asked += 1
        self._note(bucket, "asked")
        if waited or delayed:
            self._note(bucket, "delayed")
        return Permit(self, lane, who, number, _now())

    def _refuse_early(self, lane: Lane, patience: float) -> None:
        """Refuse what must give way, and what has no hope, before it uses up the rate."""
        pressed = lane.is_pressed() or (self._rate is not None and self._rate.is_pressed)
        refusal = lane.busy(lane.wait())
        if gives_way() and pressed:
            raise GaveWay(refusal.message, retry_after=refusal.retry_after, bucket=lane.bucket)
        if lane.wait() > patience:
            raise refusal

    async def _keep_rate(self, patience: float) -> bool:
        if self._rate is None:
            return False
        _, waited = await self._rate.enter(current().caller, patience)
        return waited

    def answered(
        self, permit: Permit, status: int, headers: Mapping[str, str]
    ) -> UpstreamBusy | None:
        """Learn from an answer; returns what a 429 means."""
        lane = permit.lane
        told = [(limit, self._named(permit, limit)) for limit in parse_limits(headers)]
        for limit, named in told:
            if named is not None:
                number = permit.number if named is lane else None
                named.learn(limit, number, permit.sent_at)
        if lane is not None:
            if status < 400 and all(named is not lane for _, named in told):
                lane.untold(permit.sent_at)
            lane.answered(permit.number, status, headers)
        if status != 429:
            return None
        if lane is None:
            wait = retry_after(headers)
            return UpstreamBusy(Gate.sentence, retry_after=wait or int(FIRST_PAUSE))
        self._note(lane.bucket, "limited")
        return lane.busy(lane.wait())

    def _named(self, permit: Permit, limit: Limit) -> Lane | None:
        """Return the lane a limit is about; the request's own where the name is not the Hub's."""
        if limit.bucket in BUCKETS:
            return self._lane(permit.token, limit.bucket)
        return permit.lane

    def _lane(self, who: str, bucket: str) -> Lane:
        lane = self._lanes.get((who, bucket))
        if lane is None:
            if len(self._lanes) >= _LANES:
                self._forget_idle()
            lane = self._lanes[who, bucket] = Lane(bucket)
        return lane

    def _forget_idle(self) -> None:
        now = _now()
        self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_idle(now)}

    def _note(self, bucket: str, what: What) -> None:
        if self._meter is not None:
            self._meter.note(self._remote, bucket, what)


def _now() -> float:
    """Return the time by the running loop's clock."""
    return asyncio.get_running_loop().time()


def _name(token: str | None) -> str:
    """Return what tells tokens apart without being one."""
    return hashlib.sha256(token.encode()).hexdigest() if token else ""
