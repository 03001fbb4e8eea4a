"""
Which upstreams are in trouble, as far as this process has heard.

One repository can be in trouble by itself: a route that answers 500, a listing that never ends. Two
of them, with nothing good heard in between, mean the whole upstream, and so does a rate limit. Then
one question at a time, at growing intervals, finds out when it is over; nobody waits for it.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pulp_hugging_face.hub.errors import Trouble, UpstreamBusy
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.upstream.config import RemoteConfig

from .lru import Lru

# Seconds between two questions at first and at most. Repositories that were in trouble themselves
# let others ask first and wait half as long again: 3 to 30 seconds.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 20.0
# Seconds after which trouble that nobody has met again no longer counts: a client waits once more.
HOLD = 60.0
# A rate limit that claims to last longer is asked about all the same (its window has 300 seconds).
_LONGEST_LIMIT = 300.0
_JITTER = 0.2
# The Hub's limit for questions; that for files says nothing of questions (§2.1).
_QUESTIONS = "api"
_REPOS = 1024
_REMOTES = 256

# What is asked about: a repository, or the route of a question that is not about one.
Subject = RepoId | str


@dataclass
class _Spell:
    """A time of trouble: when it was last met, when to ask again, the pause after that."""

    met: float
    due: float
    pause: float = FIRST_PAUSE

    def lasts(self, now: float) -> bool:
        return now < max(self.met, self.due) + HOLD


@dataclass
class _Sky:
    """One remote: trouble of single repositories, which of them are evidence, trouble of all."""

    single: Lru[Subject, _Spell] = field(default_factory=lambda: Lru(_REPOS))
    evidence: set[Subject] = field(default_factory=set)
    whole: _Spell | None = None


class Weather:
    """What questions to upstreams came to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By configuration: with another address or token everything may be different.
        self._skies: Lru[RemoteConfig, _Sky] = Lru(_REMOTES)

    def is_bad(self, remote: RemoteConfig, subject: Subject) -> bool:
        """Tell whether a question would only meet trouble that is known already."""
        return self._spell(remote, subject) is not None

    def is_time(self, remote: RemoteConfig, subject: Subject) -> bool:
        """Tell whether a question behind the answer is due; if so, the next one is due later."""
        spell, sky, now = self._spell(remote, subject), self._skies.get(remote), self._clock()
        if spell is None or sky is None:
            return False
        patience = spell.pause / 2 if subject in sky.evidence else 0.0
        if now < spell.due + patience:
            return False
        spell.pause = min(spell.pause * 2, LONGEST_PAUSE)
        spell.due = now + _varied(spell.pause)
        return True

    def good(self, remote: RemoteConfig, subject: Subject) -> None:
        """Note an answer, be it a refusal."""
        sky = self._skies.get(remote)
        if sky is None:
            return
        sky.evidence.clear()
        if sky.whole is not None:
            sky.whole = None
            sky.single.clear()  # what was met in bad weather says nothing of the good
        else:
            sky.single.pop(subject)

    def bad(self, remote: RemoteConfig, subject: Subject, error: Trouble) -> None:
        """Note trouble."""
        now = self._clock()
        sky = self._skies.get(remote)
        if sky is None:
            sky = _Sky()
            self._skies.put(remote, sky)
        if sky.whole is not None and sky.whole.lasts(now):
            _meet(sky.whole, now, error)
            return
        sky.whole = None
        sky.evidence.add(subject)
        spell = sky.single.get(subject) or _begin(now)
        _meet(spell, now, error)
        sky.single.put(subject, spell)
        limited = isinstance(error, UpstreamBusy) and error.bucket == _QUESTIONS
        if limited or len(sky.evidence) > 1:
            sky.whole = _begin(now)
            _meet(sky.whole, now, error)

    def _spell(self, remote: RemoteConfig, subject: Subject) -> _Spell | None:
        sky, now = self._skies.get(remote), self._clock()
        if sky is None:
            return None
        if sky.whole is not None and sky.whole.lasts(now):
            return sky.whole
        single = sky.single.get(subject)
        return single if single is not None and single.lasts(now) else None


def _begin(now: float) -> _Spell:
    return _Spell(now, now + _varied(FIRST_PAUSE))


def _meet(spell: _Spell, now: float, error: Trouble) -> None:
    spell.met = now
    if isinstance(error, UpstreamBusy) and error.retry_after is not None:
        spell.due = max(spell.due, now + min(error.retry_after, _LONGEST_LIMIT))


def _varied(seconds: float) -> float:
    """Return about that many seconds, so that processes do not ask in step."""
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)
