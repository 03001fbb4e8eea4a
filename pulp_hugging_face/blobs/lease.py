"""
The lease that keeps hosts which share a database from fetching the same file at a time.

Within a host the journal's locks do; this is asked once per host and large file.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import DatabaseUnavailable

from .journal import Flag, Lock
from .verify import POLL, Keeper
from .work import Work

if TYPE_CHECKING:
    from .fill import Fill

# Seconds to wait for another host before its file is fetched here too: clients break a connection
# that is silent for ten (§2.2).
PATIENCE = 5.0
_LOOK = 0.25


class Leases(Protocol):
    """Something only one host can have."""

    def attempt(self, place: str, blob: BlobId) -> AbstractAsyncContextManager[bool]:
        """Yield whether the lease of a blob is ours; it is, until the context ends."""
        ...


class NoLeases:
    """For a single host."""

    @asynccontextmanager
    async def attempt(self, place: str, blob: BlobId) -> AsyncIterator[bool]:
        """Yield True."""
        yield True


async def obtain(
    work: Work, fill: "Fill", leases: Leases, keeper: Keeper, permit: Callable[[], None]
) -> bool:
    """
    Call `permit` as soon as this host may fetch the file, and keep the lease until cancelled.

    Returns False, without that, when another host has published the file.
    """
    journal = work.journal
    while not journal.get(Flag.LEASE):
        if journal.try_lock(Lock.LEASE):
            try:
                return await _speak_for_host(work, fill, leases, keeper, permit)
            finally:
                journal.unlock(Lock.LEASE)
        await asyncio.sleep(POLL)
    permit()
    return True


async def _speak_for_host(
    work: Work, fill: "Fill", leases: Leases, keeper: Keeper, permit: Callable[[], None]
) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        async with leases.attempt(fill.place, fill.blob) as mine:
            # With the lease in hand: its last holder published before it gave it back.
            if await _is_held(keeper, fill):
                return False
            if mine or time.monotonic() > deadline:
                work.journal.set(Flag.LEASE)
                permit()
            if mine:
                await asyncio.Event().wait()  # until the fill ends, and cancels this
        if work.journal.get(Flag.LEASE):
            return True
        await asyncio.sleep(_LOOK)


async def _is_held(keeper: Keeper, fill: "Fill") -> bool:
    with suppress(DatabaseUnavailable):  # without a database the file may come twice
        return await keeper.held(fill)
    return False
