"""
One blob on its way in: downloaded once, read by many while it grows (architecture §4, Fill).

A fill is what one process has to do with a blob's partial file. The processes of a host share the
file and need no leader: who misses a segment that nobody is fetching locks it and fetches it, in
runs; who finds it locked waits for its mark. One of them hashes the beginning as it grows. The end
of a large file is released only after the digest matched, so a corrupt file never looks complete;
small files are released as a whole. On a mismatch the bytes are dropped and every reader breaks.
"""

import asyncio
import errno
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import (
    HubError,
    ServerStopping,
    StorageFull,
    UpstreamInvalid,
    UpstreamUnavailable,
)

from .admission import Parts
from .journal import Flag, State
from .lease import Leases, obtain
from .partial import SUFFIX, BeingLeft, BeingPublished, PartialFile, place_of
from .reader import Reader, gone
from .room import Room, Target
from .runs import Runs
from .segments import PARALLEL_ABOVE, Appetite, Layout, is_rest
from .source import Source
from .verify import Keeper, Verifier, mismatch
from .work import Work

# Where a fill's file is to be kept, if that is a folder of this machine.
TargetOf = Callable[["Fill"], Awaitable[Path | None]]

log = logging.getLogger("pulp_hugging_face.blobs")

# A file of which only ranges are wanted stays open so long after its last reader (seconds).
LINGER = 5.0
# Between two looks at what other processes do (seconds), while that is waited for.
_SHORTEST_LOOK, _LONGEST_LOOK = 0.005, 0.05
_PUBLISHING_PATIENCE = 8.0


class AlreadyHeld(HubError):
    """Not an error for clients: the blob was published meanwhile, and is to be looked up again."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The file has just been stored.", retry_after=1)


class Fill:
    """
    The download of one blob, as far as this process takes part in it, and its readers here.

    `claims` says on whose behalf the blob is to be kept (opaque here, read by the keeper); without
    claims the bytes are served but not kept ("streamed").
    """

    def __init__(
        self,
        scope: str,
        blob: BlobId,
        source: Source,
        room: Room,
        executor: Executor,
        syncs: Executor,
        *,
        retries: int,
        leases: Leases,
        lane: int = 0,
        target_of: TargetOf | None = None,
    ) -> None:
        self.scope = scope
        self.place = place_of(scope, lane)  # what tells it from other fills
        self.blob = blob
        self.claims: set[Any] = set()
        self.published = False
        self.in_vain = False  # could not be kept: the file stays, so that it need not come again
        self.done = False
        self.whole = False
        self._source = source
        self._room = room
        self._executor, self._syncs = executor, syncs
        self._retries = retries
        self._leases = leases
        self._target_of = target_of
        self._parts = Parts(room)
        self._appetite = Appetite(Layout.of(blob.size))
        self._need = 0  # bytes asked for, before the file is open
        self._has_room = False  # for the whole: that was looked at
        self._work: Work | None = None
        self._runs: Runs | None = None
        self._readers: set[Reader] = set()
        self._idle_since = time.monotonic()
        self._ready = asyncio.Event()  # opened, or failed
        self._ended = asyncio.Event()
        self._ending = False
        self._crash: Exception | None = None
        self.error: HubError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hashing = False
        self._adopted: set[Any] = set()

    # Wishes.

    def want(self, start: int, stop: int, *, resumes: bool = False) -> None:
        """Note what somebody asks for: that may mean that the whole is wanted."""
        whole = self._appetite.wants_whole(start, stop) or not self.blob.is_sha256
        whole = whole or (resumes and is_rest(self.blob.size, start, stop))
        self.whole = self.whole or whole
        self._need += stop - start
        if self._work is not None:
            self._work.kick()

    def want_whole(self) -> None:
        """Note that somebody wants the whole."""
        self.whole = True
        if self._work is not None:
            self._work.kick()

    def add_claim(self, claim: Any) -> None:
        """Note on whose behalf the blob is to be kept."""
        self.claims.add(claim)
        if self._work is not None:
            self._work.journal.set(Flag.KEEP)

    @property
    def usable(self) -> bool:
        """Tell whether new readers may join."""
        if self.done or self._ending:
            return False
        if self._work is None:
            return True
        # Whoever does not find a published blob held must not be served from here: its bytes are
        # gone from the storage, and are to be fetched again.
        journal = self._work.journal
        return journal.state is not State.BAD and not journal.get(Flag.PUBLISHED)

    @property
    def is_being_published(self) -> bool:
        """Tell whether it is verified, and on its way into the storage."""
        return self._work is not None and self._work.journal.state is State.MATCHED

    @property
    def needs_no_keeping(self) -> bool:
        """Tell whether nothing is to be done by this process once it is verified."""
        return self.in_vain or not self.claims

    def is_at(self, path: Path) -> bool:
        """Tell whether a path names the file. Blocking."""
        return self._work is not None and self._work.file.is_at(path)

    @property
    def position(self) -> int:
        """Return how many bytes have arrived from the beginning."""
        return self._work.position() if self._work is not None else 0

    @property
    def trouble(self) -> HubError | None:
        """Return why nothing arrives at the moment, if that is known."""
        return self._work.trouble if self._work is not None else None

    # Life.

    async def run(self, keeper: Keeper) -> None:
        """Fetch, verify and publish; the outcome reaches every reader. Never raises."""
        started = time.monotonic()
        try:
            await self._open(keeper)
            await self._follow(keeper)
        except HubError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_storage_failure(error, self.blob.size))
        except asyncio.CancelledError:
            self._fail(ServerStopping(retry_after=5))
            raise
        except Exception as error:  # the boundary of a detached task: readers must not hang
            log.exception("Filling %s failed", self.blob.key)
            self._fail(UpstreamInvalid(f"Internal error: {type(error).__name__}"))
        finally:
            log.debug("Fill %s ended in %.3f s", self.blob.key, time.monotonic() - started)
            await self._end()

    async def _open(self, keeper: Keeper) -> None:
        file = await self._open_file(keeper)
        self._work = Work(self.blob, file, self._executor, self._syncs, self._retries)
        if file.fresh and (await keeper.held(self) or await keeper.recover(self)):
            raise AlreadyHeld
        if self.claims:
            file.journal.set(Flag.KEEP)
        self._runs = Runs(self._work, self._source, self._spawn)
        present = file.journal.present_bytes()
        log.info(
            "Filling %s (%d bytes, %d present) from %s",
            *(self.blob.key, self.blob.size, present, self._source),
        )
        self._ready.set()

    async def _open_file(self, keeper: Keeper) -> PartialFile:
        loop, folder = asyncio.get_running_loop(), self._room.folder / self.place
        deadline = time.monotonic() + _PUBLISHING_PATIENCE
        target = await self._target() if self.whole else None
        while True:
            try:
                return await loop.run_in_executor(self._executor, self._open_in, folder, target)
            except (BeingPublished, BeingLeft):
                if await keeper.held(self):
                    raise AlreadyHeld from None
                if time.monotonic() > deadline:
                    message = "The file is being stored."
                    raise UpstreamUnavailable(message, retry_after=1) from None
                await asyncio.sleep(_LONGEST_LOOK)

    def _open_in(self, folder: Path, target: Target | None) -> PartialFile:
        """Open the file; a new one only if there is room for what is wanted of it. Blocking."""
        path = folder / (self.blob.key + SUFFIX)
        if path.exists():
            return self._room.watch(PartialFile(folder, self.blob))
        self._has_room = self.whole
        return self._room.admit(path, self._needed(0), lambda: self._create(folder), target)

    def _create(self, folder: Path) -> PartialFile:
        file = self._room.watch(PartialFile(folder, self.blob))
        if self._has_room:
            file.journal.set(Flag.WHOLE)
        return file

    async def _target(self) -> Target | None:
        """Return where it is to be kept, if that is known to be a folder of this machine."""
        folder = await self._target_of(self) if self.claims and self._target_of else None
        return Target(folder, self.blob.size) if folder else None

    async def admit(self, work: Work, start: int, stop: int) -> None:
        """Make room for a range, unless there is for the whole. Raises StorageFull."""
        if not self.whole and not self.done:
            await self._parts.admit(work, start, stop)

    def _needed(self, present: int) -> int:
        return self.blob.size - present if self.whole else min(self._need, self.blob.size)

    async def _follow(self, keeper: Keeper) -> None:
        """Do what is to be done here until it is complete, or nobody wants more of it."""
        assert self._work is not None and self._runs is not None
        work, runs, look, began = self._work, self._runs, _SHORTEST_LOOK, False
        while not self._is_complete(keeper):
            work.kicked.clear()
            if self.whole and not began:
                began = True
                await self._begin_whole(work, keeper)
            moved = work.look()
            foreign = runs.start(whole=self.whole)
            if not self.whole and not self._readers and self._is_forgotten():
                return
            look = _SHORTEST_LOOK if moved else min(look * 1.5, _LONGEST_LOOK)
            await self._pause(work, look if foreign else None)
            self._raise_failure()
        await self._adopt(keeper)

    async def _begin_whole(self, work: Work, keeper: Keeper) -> None:
        if not self._has_room:
            need, target = self._needed(work.journal.present_bytes()), await self._target()
            grant = partial(work.journal.set, Flag.WHOLE)
            await work.call(self._room.admit, work.file.path, need, grant, target)
        work.journal.set(Flag.WHOLE)
        work.whole = True
        assert self._runs is not None
        if self.blob.size > PARALLEL_ABOVE:
            self._spawn(self._lease, work, keeper)
        else:
            self._runs.permit()

    async def _lease(self, work: Work, keeper: Keeper) -> None:
        assert self._runs is not None
        if not await obtain(work, self, self._leases, keeper, self._runs.permit):
            if not work.released:
                raise AlreadyHeld
            self._runs.permit()  # who is in the middle of an answer cannot be sent elsewhere

    async def _pause(self, work: Work, look: float | None) -> None:
        timeout = look
        if timeout is None and not self.whole:
            timeout = LINGER
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await work.kicked.wait()
        await asyncio.sleep(0)  # an event that is set already lets nobody else run

    def _is_forgotten(self) -> bool:
        if self._runs is None or self._runs.under_way:
            return False
        self._ending = time.monotonic() - self._idle_since >= LINGER
        return self._ending

    def _is_complete(self, keeper: Keeper) -> bool:
        assert self._work is not None
        journal, work = self._work.journal, self._work
        if journal.state is State.BAD:
            raise mismatch(self.blob)
        if self.whole or work.prefix() == work.layout.count:
            self._start_hashing(keeper)
        else:
            return False
        settled = journal.get(Flag.PUBLISHED) or self.needs_no_keeping
        return journal.state is State.VERIFIED and bool(settled)

    def _start_hashing(self, keeper: Keeper) -> None:
        if not self._hashing:
            self._hashing = True
            self._spawn(self._verify, keeper)

    async def _verify(self, keeper: Keeper) -> None:
        assert self._work is not None
        try:
            await Verifier(self._work, self, keeper).run()
        finally:
            self._hashing = False  # a claim may have come that wants it published after all

    def _spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Do something beside; its failure is the fill's."""
        task = asyncio.create_task(self._guarded(work, *args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        try:
            await work(*args)
        except Exception as error:  # raised again by `_follow`
            self._crash = self._crash or error
        finally:
            if self._work is not None:
                self._work.kick()

    def _raise_failure(self) -> None:
        if self._crash is not None:
            raise self._crash

    async def publish(self, keeper: Keeper, sha256: str) -> None:
        """Hand the verified file over (see Verifier)."""
        assert self._work is not None
        file = self._work.file
        await self._work.call(file.require_name)
        self._adopted = set(self.claims)
        self.published = await keeper.publish(self, file.path, sha256)
        self.in_vain = not self.published

    async def _adopt(self, keeper: Keeper) -> None:
        """Note claims that came too late for the publication, or that another process made."""
        while self.claims - self._adopted and not self.in_vain:
            self._adopted = set(self.claims)
            await keeper.adopt(self)
            self.published = True
        self._ending = True

    def _fail(self, error: HubError) -> None:
        if not isinstance(error, AlreadyHeld):
            log.warning("Filling %s failed: %s", self.blob.key, error.message)
        self.error = error

    async def _end(self) -> None:
        self._ending = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runs is not None:
            self._runs.give_up()
        self.done = True
        self._ready.set()
        self._ended.set()
        if self._work is not None:
            self._work.waiters.wake_all()
        self._cleanup()

    def _cleanup(self) -> None:
        """Close the file when nobody needs it."""
        if not self.done or self._readers or self._work is None:
            return
        work, self._work = self._work, None
        keep = not isinstance(self.error, StorageFull | AlreadyHeld)
        try:
            self._executor.submit(work.file.leave, keep=keep)
        except RuntimeError:  # the server has stopped, and its threads too
            work.file.leave(keep=keep)

    # Readers.

    def reader(self, start: int, stop: int, *, resumes: bool = False) -> Reader:
        """
        Return a reader of bytes `start` to `stop`; its `close` must follow.

        `resumes` tells that the client has what is before them.
        """
        ahead = self._appetite.read_ahead(start, stop)
        reader = Reader(self, start, stop, ahead, resumes=resumes)
        self._readers.add(reader)
        return reader

    def detach(self, reader: Reader) -> None:
        """Count a reader out."""
        self._readers.discard(reader)
        self._idle_since = time.monotonic()
        if self._work is not None and not self._readers:
            self._work.kick()
        self._cleanup()

    async def opened(self) -> Work:
        """Wait until the file is open, and return what is known of it. Raises HubError."""
        await self._ready.wait()
        if self._work is None:
            raise self.error or gone()
        return self._work

    async def ended(self) -> None:
        """Wait until the fill has ended, well or badly."""
        await self._ended.wait()

    async def complete(self) -> None:
        """Wait until the fill has ended. Raises the HubError it failed with."""
        await self._ended.wait()
        if self.error is not None:
            raise self.error

    def covers(self, index: int) -> bool:
        """Tell whether a segment is being fetched by this process."""
        return self._runs is not None and self._runs.covers(index)

    def want_ahead(self, first: int, last: int) -> None:
        """Note that segments will be needed soon."""
        if not self.whole and self._runs is not None and self._work is not None:
            self._runs.hungry.append((first, last))
            self._work.kick()


def _storage_failure(error: OSError, size: int) -> HubError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"The disk is full: no room for a file of {size} bytes.")
    return UpstreamInvalid(f"The file cannot be stored: {error.strerror}.", status=500)
