"""
Questions to upstreams, where an older answer may do.

Who finds an upstream in trouble waits for it once; all others get their older answer at once, and
the upstream is asked behind it from time to time (`weather`). Who has none tries all the same.
"""

import logging
from collections.abc import Callable, Coroutine, Hashable
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from django.conf import settings

from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    GaveWay,
    LoopDetected,
    RedirectRefused,
    Trouble,
)
from pulp_hugging_face.upstream.behalf import giving_way
from pulp_hugging_face.upstream.config import RemoteConfig

from .flights import PATIENCE, Flights
from .views import NOBODY, Caller
from .weather import Subject, Weather

log = logging.getLogger("pulp_hugging_face.store")

# What clients are told to wait where the upstream did not say.
_RETRY_AFTER = 5

T = TypeVar("T")


class Outcome(Enum):
    """Which answer is to be used."""

    NEW = "the upstream answered"
    OLD = "somebody else is asking already, the older answer serves meanwhile"
    STALE = "the upstream is in trouble, the older answer goes on"


@dataclass(frozen=True)
class Inquiry(Generic[T]):
    """
    A question: to whom, about what, by whom, and the work that asks and records the answer.

    Those with the same `key` are asked once; `subject` is what trouble with it says something of.
    """

    remote: RemoteConfig
    subject: Subject
    key: Hashable
    work: Callable[[], Coroutine[Any, Any, T]]
    caller: Caller = NOBODY


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What came of a question: the `answer` of the work if the outcome is NEW."""

    outcome: Outcome
    answer: T | None = None

    @property
    def stale(self) -> bool:
        """Tell whether the upstream could not be asked."""
        return self.outcome is Outcome.STALE


class Inquiries:
    """The questions of a process."""

    def __init__(self) -> None:
        self._flights = Flights()
        self._weather = Weather()

    async def close(self) -> None:
        """Stop questions under way."""
        await self._flights.close()

    async def ask(self, inquiry: Inquiry[T], *, older: bool, meanwhile: bool = True) -> Reply[T]:
        """
        Ask, with or without an `older` answer to fall back on.

        `meanwhile` lets the older answer serve while somebody else is asking. Raises what the
        upstream refuses, and Trouble when there is nothing older.
        """
        bad = self._weather.is_bad(inquiry.remote, inquiry.subject)
        if older:
            if bad:
                self.ask_behind(inquiry)
                return Reply(Outcome.STALE)
            if meanwhile and self._flights.under_way(inquiry.key):
                return Reply(Outcome.OLD)
        limit = settings.HUGGING_FACE_REVALIDATE_SECONDS if older or bad else PATIENCE
        try:
            with giving_way() if older else nullcontext():
                answer = await self._flights.wait(
                    inquiry.key, lambda: self._watched(inquiry), inquiry.caller.patience(limit)
                )
        except Trouble as error:
            # Also that it took too long; then the question itself still goes on.
            self.trouble(inquiry.remote, inquiry.subject, error)
            if not older:
                raise _with_a_hint(error) from error
            log.info("%s Serving what is known of %s", error.message, inquiry.subject)
            return Reply(Outcome.STALE)
        return Reply(Outcome.NEW, answer)

    def ask_behind(self, inquiry: Inquiry[Any]) -> None:
        """Ask without anybody waiting; in trouble only from time to time."""
        bad = self._weather.is_bad(inquiry.remote, inquiry.subject)
        if not bad or self._weather.is_time(inquiry.remote, inquiry.subject):
            with giving_way():
                self._flights.start(inquiry.key, lambda: self._watched(inquiry))

    def trouble(self, remote: RemoteConfig, subject: Subject, error: Trouble) -> None:
        """Note trouble; that a question gave way to others is none."""
        if not isinstance(error, GaveWay):
            self._weather.bad(remote, subject, error)

    async def _watched(self, inquiry: Inquiry[T]) -> T:
        try:
            answer = await inquiry.work()
        except DefiniteRefusal:
            self._weather.good(inquiry.remote, inquiry.subject)
            raise
        except Trouble as error:
            self.trouble(inquiry.remote, inquiry.subject, error)
            raise
        self._weather.good(inquiry.remote, inquiry.subject)
        return answer


def _with_a_hint(error: Trouble) -> Trouble:
    """Say when to ask again, unless that would be of no use."""
    if error.retry_after is None and not isinstance(error, RedirectRefused | LoopDetected):
        error.retry_after = _RETRY_AFTER
    return error
