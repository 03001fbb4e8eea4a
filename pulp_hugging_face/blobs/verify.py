"""The digest of a growing file, and what follows from it."""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pulp_hugging_face.hub.digests import BlobId, Digester
from pulp_hugging_face.hub.errors import UpstreamInvalid

from .journal import Flag, Lock, State
from .partial import PartialFile
from .work import Work

if TYPE_CHECKING:
    from .fill import Fill

log = logging.getLogger("pulp_hugging_face.blobs")

# So many segments are hashed by one call into a thread.
_BATCH = 8
# Written out this often on the way, so that the keeper's last sync is short, and that a machine
# that fails costs no more. Each sync slows the download down.
SYNC_SEGMENTS = 1024
POLL = 0.03


class Keeper(Protocol):
    """Where verified files go."""

    async def publish(self, fill: "Fill", path: Path, sha256: str) -> bool:
        """Keep a verified file on behalf of the fill's claims; tell whether that worked."""
        ...

    async def adopt(self, fill: "Fill") -> None:
        """Note the fill's claims on a blob that is held already."""
        ...

    async def held(self, fill: "Fill") -> bool:
        """Tell whether the fill's blob is held."""
        ...

    async def recover(self, fill: "Fill") -> bool:
        """Hold the fill's blob by bytes that are there already; tell whether they are."""
        ...


def mismatch(blob: BlobId) -> UpstreamInvalid:
    """Return the error of bytes that are not what they should be."""
    return UpstreamInvalid(
        f"The upstream's bytes do not match their digest {blob.key}.", retry_after=5
    )


class Verifier:
    """
    Hashes the beginning of the file as it grows; then publishes it, or declares it bad.

    One process does it; the others watch, to take over when it dies.
    """

    def __init__(self, work: Work, fill: "Fill", keeper: Keeper) -> None:
        self._work = work
        self._journal = work.journal
        self._fill = fill
        self._keeper = keeper
        self._syncing: asyncio.Future[None] | None = None
        self._synced = 0

    async def run(self) -> None:
        """Return when the file is verified, by whomever. Raises UpstreamInvalid if it is bad."""
        while not self._journal.try_lock(Lock.VERIFY):
            if self._is_settled():
                return
            if self._journal.is_good:
                self._work.waiters.wake(self._work.verified)
            await asyncio.sleep(POLL)
        try:
            if not self._is_settled():
                await self._verify()
        finally:
            await self._end_of_sync()
            self._journal.unlock(Lock.VERIFY)

    def _is_settled(self) -> bool:
        state = self._journal.state
        if state is State.BAD:
            raise mismatch(self._work.blob)
        kept = self._journal.get(Flag.PUBLISHED) or self._fill.needs_no_keeping
        return state is State.VERIFIED and bool(kept)

    async def _verify(self) -> None:
        digester = await self._hash()
        if not digester.matches():
            await self._end_of_sync()
        if not digester.matches() and self._take_back():
            log.warning("%s: digest mismatch, trying once more", self._work.blob.key)
            digester = await self._hash()
        if not digester.matches():
            await self._drop()
            raise mismatch(self._work.blob)
        if self._work.file.suspect:
            await self._work.call(self._work.file.redeem)
        await self._publish(digester.sha256)

    async def _drop(self) -> None:
        """Break every reader, and keep clients from going on with what they have got."""
        if not self._work.verify_first:
            try:  # first: a client whose answer breaks is back in a moment
                await self._work.call(self._work.file.condemn)
            except OSError as error:
                log.warning("%s: no note of bad bytes: %s", self._work.blob.key, error.strerror)
        self._journal.set(Flag.STATE, State.BAD)
        await self._work.call(self._work.file.remove)

    async def _hash(self) -> Digester:
        work, done = self._work, 0
        digester = Digester(work.blob)
        while done < work.layout.count:
            last = self._journal.first_absent(done, min(done + _BATCH, work.layout.count))
            if last == done:
                await work.waiters.wait(done)
                continue
            start, stop = work.layout.first_byte(done), work.layout.first_byte(last)
            await work.call(_hash, work.file, digester, start, stop)
            done = last
            self._sync_on_the_way(done)
        return digester

    def _take_back(self) -> bool:
        """
        Forget all, to fetch it again, unless some byte of it reached a client.

        Nothing in here gives way to readers of this process; the lock keeps out the others'.
        """
        if not self._journal.try_lock(Lock.RELEASE):
            return False  # somebody is about to release
        try:
            if self._journal.get(Flag.RELEASED) or self._journal.get(Flag.RETRIED):
                return False
            self._journal.set(Flag.RETRIED)
            self._journal.forget()
            self._synced = 0
        finally:
            self._journal.unlock(Lock.RELEASE)
        self._work.kick()
        return True

    async def _publish(self, sha256: str) -> None:
        if self._fill.claims:
            # Clients have it from now on: neither the disk nor the database is waited for.
            self._journal.set(Flag.STATE, State.MATCHED)
            self._work.waiters.wake(self._work.verified)
            try:
                if self._syncing is not None:
                    await self._syncing
                await self._fill.publish(self._keeper, sha256)
            except Exception:
                await self._work.call(self._work.file.remove)
                raise
            if not self._fill.in_vain:
                self._journal.set(Flag.PUBLISHED)
                await self._work.call(self._work.file.remove)
        self._journal.set(Flag.STATE, State.VERIFIED)

    async def _end_of_sync(self) -> None:
        """Wait for a sync under way: it marks segments, which others may have begun anew then."""
        if self._syncing is not None:
            await asyncio.wait({self._syncing})

    def _sync_on_the_way(self, done: int) -> None:
        if done - self._synced < SYNC_SEGMENTS or not self._fill.claims:
            return
        if self._syncing is None or self._syncing.done():
            if self._syncing is not None:
                self._syncing.result()  # the kernel tells of a failing disk only once
            self._synced = done
            self._syncing = asyncio.ensure_future(self._work.sync(done))
            # Nobody may be left to ask how it went: it may wait for longer than the file is open.
            self._syncing.add_done_callback(lambda it: it.cancelled() or it.exception())


def _hash(file: PartialFile, digester: Digester, start: int, stop: int) -> None:
    step = file.layout.segment
    for offset in range(start, stop, step):
        digester.update(file.read(offset, min(step, stop - offset)))
