"""
What those bear who read a body: ten seconds without a byte, and a 429 (hub-protocol §2.2).

From 1.0 on the client library gives a body up at once on any 5xx, but comes back after a 429 when
`Retry-After` has passed. So passing trouble is waited out as long as they wait, and then told so.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from aiohttp import web

from pulp_hugging_face.hub.errors import (
    ServerStopping,
    Trouble,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.store.flights import PATIENCE
from pulp_hugging_face.store.views import Caller

T = TypeVar("T")

# Between two attempts of one request, and how long after its begin there is another one. A fill has
# tried again for some seconds already; longer, and a client that retries would wait for minutes.
PAUSE = 1.0
HOLD = 3.0
# The least that `Retry-After` says.
SOON = 2
# 0.36 is the other way round: it tries a body again on 5xx, and gives it up on a 429. So does a
# cache like this one behind this one: after a 429 it would ask for no file at all for a while.
_RETRY_5XX = ("hf_hub/0.", "pulp_hugging_face")


class Late(UpstreamTimeout):
    """Nothing has come while a client waits; what was begun goes on."""


async def in_time(caller: Caller, work: Awaitable[T]) -> T:
    """Return what comes before the caller gives up. Raises Late."""
    try:
        async with asyncio.timeout(caller.patience(PATIENCE)):
            return await work
    except TimeoutError:
        raise Late("The upstream did not answer in time.", retry_after=SOON) from None


async def hold_on(caller: Caller, error: Trouble) -> None:
    """Wait before another attempt, or raise `error` if there is no use or no time for one."""
    passes = isinstance(error, UpstreamUnavailable | UpstreamTimeout)
    if not passes or isinstance(error, ServerStopping) or (error.retry_after or 0) > PATIENCE:
        raise error
    if caller.patience(PATIENCE) < PATIENCE - HOLD:
        raise error
    await asyncio.sleep(PAUSE)


@contextmanager
def told_to_readers(request: web.Request) -> Iterator[None]:
    """Tell trouble that passes as a 429 to who reads a body; HEADs are asked again on 5xx."""
    try:
        yield
    except (UpstreamUnavailable, UpstreamTimeout) as error:
        agent = request.headers.get("User-Agent", "")
        if request.method == "HEAD" or any(name in agent for name in _RETRY_5XX):
            raise
        wait = max(error.retry_after or 0, SOON)
        told = type(error)(error.message, status=429, commit=error.commit, retry_after=wait)
        told.stale = error.stale
        raise told from error
