"""
On whose behalf the upstream is asked; it travels with the context, also into detached tasks.

A task that a request starts inherits the request's context. So what is fetched for many is on
behalf of the one who asked first: their share of the budget is used, and theirs is the request
that was not saved. Who waits for somebody else's question has asked nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pulp_hugging_face.hub.loops import Passage


@dataclass
class Behalf:
    """Who asks (a name that tells callers apart), and how often that led to the upstream."""

    caller: str = ""
    asked: int = 0


_BEHALF: ContextVar[Behalf | None] = ContextVar("hugging_face_behalf", default=None)
_OPTIONAL: ContextVar[bool] = ContextVar("hugging_face_optional", default=False)
_PASSAGE: ContextVar[Passage | None] = ContextVar("hugging_face_passage", default=None)


@contextmanager
def on_behalf_of(caller: str) -> Iterator[Behalf]:
    """Let all that is asked inside be on behalf of a caller; yields the count of it."""
    behalf = Behalf(caller)
    token = _BEHALF.set(behalf)
    try:
        yield behalf
    finally:
        _BEHALF.reset(token)


@contextmanager
def giving_way() -> Iterator[None]:
    """
    Mark all that is asked inside as what can be done without, such as looking for a newer answer.

    It is refused (UpstreamBusy) as soon as the upstream's limit comes near.
    """
    token = _OPTIONAL.set(True)
    try:
        yield
    finally:
        _OPTIONAL.reset(token)


@contextmanager
def in_background(name: str) -> Iterator[None]:
    """Let all that is asked inside be on nobody's behalf, and give way."""
    with on_behalf_of(name), giving_way():
        yield


@contextmanager
def because_of(passage: Passage) -> Iterator[None]:
    """Note through which caches the request came that leads to what is asked inside."""
    token = _PASSAGE.set(passage)
    try:
        yield
    finally:
        _PASSAGE.reset(token)


def passage() -> Passage:
    """Return through which caches the request came that this is about."""
    return _PASSAGE.get() or Passage()


def current() -> Behalf:
    """Return on whose behalf this is; what nobody asked for has a behalf of its own."""
    return _BEHALF.get() or Behalf()


def gives_way() -> bool:
    """Tell whether what is asked now can be done without."""
    return _OPTIONAL.get()
