"""
One blob on its way in: downloaded once, read by many while it grows (architecture §4, Fill).

A fill is detached from whoever asked first. It downloads from the beginning, takes a broken
transfer up where it stopped, and hashes as it goes. Readers may read what has arrived, except the
last part: that is released only after the digest matched, so a corrupt file never looks complete.
Small files are released as a whole. On a mismatch the bytes are dropped and every reader breaks.
"""

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from pulp_hugging_face.hub.digests import BlobId, Digester
from pulp_hugging_face.hub.errors import (
    HubError,
    RedirectRefused,
    StorageFull,
    Trouble,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)

from .partial import PartialFile
from .source import Source

log = logging.getLogger("pulp_hugging_face.blobs")

CHUNK = 1024 * 1024
# Files up to this size reach no client before they are verified.
VERIFY_FIRST = 4 * CHUNK
# Of larger files, this much at the end is kept back until the digest matched.
HOLD_BACK = CHUNK
# Written out this often on the way, so that the last sync is short: clients wait for it.
SYNC_EVERY = 128 * CHUNK
_BACKOFF = 0.5

# Takes the fill, its verified file and the sha256; tells whether the bytes are kept now.
Publish = Callable[["Fill", Path, str], Awaitable[bool]]


class Fill:
    """
    The download of one blob and its readers.

    `claims` says on whose behalf the blob is to be kept (opaque here, read by the publisher);
    without claims the bytes are served but not kept ("streamed").
    """

    def __init__(
        self, blob: BlobId, source: Source, folder: Path, executor: Executor, retries: int
    ) -> None:
        self.blob = blob
        self.claims: set[Any] = set()
        self.published = False
        self._source = source
        self._folder = folder
        self._executor = executor
        self._retries = retries
        self._file: PartialFile | None = None
        self._position = 0  # bytes that have arrived
        self._released = 0  # bytes readers may have
        self._served = False  # whether any reader got some
        self._error: HubError | None = None
        self._done = False
        self._readers = 0
        self._synced = 0
        self._syncing: asyncio.Future[Any] | None = None
        self._changed = asyncio.Event()

    @property
    def position(self) -> int:
        """Return how many bytes have arrived from the beginning."""
        return self._position

    @property
    def done(self) -> bool:
        """Tell whether the fill has ended, well or badly."""
        return self._done

    async def run(self, publish: Publish) -> None:
        """Download, verify and publish; the outcome reaches every reader. Never raises."""
        started = time.monotonic()
        log.info("Filling %s (%d bytes) from %s", self.blob.key, self.blob.size, self._source)
        try:
            await self._download_verified(publish)
        except HubError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_storage_failure(error, self.blob.size))
        except asyncio.CancelledError:
            self._fail(UpstreamUnavailable("The server is stopping.", retry_after=5))
            raise
        except Exception as error:  # the boundary of a detached task: readers must not hang
            log.exception("Filling %s failed", self.blob.key)
            self._fail(UpstreamInvalid(f"Internal error: {type(error).__name__}"))
        finally:
            log.debug("Fill %s ended in %.3f s", self.blob.key, time.monotonic() - started)
            self._done = True
            self._notify()
            self._cleanup()

    async def _download_verified(self, publish: Publish) -> None:
        self._file = await self._call(PartialFile, self._folder, self.blob)
        digester = await self._download(self._file)
        if not digester.matches() and not self._served:
            log.warning("%s: digest mismatch, trying once more", self.blob.key)
            self._position = self._released = 0
            digester = await self._download(self._file)
        if not digester.matches():
            raise UpstreamInvalid(
                f"The upstream's bytes do not match their digest {self.blob.key}.", retry_after=5
            )
        if self.claims:
            await self._finish_sync(self._file)
            self.published = await publish(self, self._file.path, digester.sha256)
        self._released = self.blob.size
        self._notify()

    async def _download(self, file: PartialFile) -> Digester:
        """Fetch everything, taking broken transfers up again; give up without progress."""
        digester = Digester(self.blob)
        failures = 0
        while self._position < self.blob.size:
            before = self._position
            try:
                await self._fetch(file, digester)
            except (UpstreamUnavailable, UpstreamTimeout, UpstreamInvalid) as error:
                failures = 1 if self._position > before else failures + 1
                if failures > self._allowed(error):
                    raise
                log.info("%s: %s Resuming at %d", self.blob.key, error.message, self._position)
                await asyncio.sleep(_BACKOFF * failures)
        return digester

    def _allowed(self, error: Trouble) -> int:
        """Return how many failures in a row are borne: a wrong answer only once."""
        if isinstance(error, RedirectRefused):
            return 0
        return min(1, self._retries) if isinstance(error, UpstreamInvalid) else self._retries

    async def _fetch(self, file: PartialFile, digester: Digester) -> None:
        """Fetch from the current position until the transfer ends or breaks."""
        async with self._source.open(self._position, self.blob.size) as stream:
            skip = self._position - stream.start  # a server that ignores ranges starts over
            async for chunk in stream.chunks(CHUNK):
                data, skip = chunk[skip:], max(0, skip - len(chunk))
                if data:
                    await self._take(file, digester, data)
        if self._position < self.blob.size:
            raise UpstreamUnavailable("The upstream ended the transfer early.", retry_after=5)

    async def _take(self, file: PartialFile, digester: Digester, data: bytes) -> None:
        if self._position + len(data) > self.blob.size:
            raise UpstreamInvalid("The upstream sent more bytes than the file has.")
        await self._call(_write_and_hash, file, digester, self._position, data)
        self._position += len(data)
        self._sync_on_the_way(file)
        if self.blob.size > VERIFY_FIRST:
            self._released = max(0, min(self._position, self.blob.size - HOLD_BACK))
            self._notify()

    def _sync_on_the_way(self, file: PartialFile) -> None:
        if self._position - self._synced < SYNC_EVERY or not self.claims:
            return
        if self._syncing is None or self._syncing.done():
            self._synced = self._position
            loop = asyncio.get_running_loop()
            self._syncing = loop.run_in_executor(self._executor, file.sync)

    async def _finish_sync(self, file: PartialFile) -> None:
        if self._syncing is not None:
            await self._syncing
        await self._call(file.sync)

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    def _fail(self, error: HubError) -> None:
        log.warning("Filling %s failed: %s", self.blob.key, error.message)
        self._error = error

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # Readers

    def attach(self) -> None:
        """Count a reader in; `detach` must follow."""
        self._readers += 1

    def detach(self) -> None:
        """Count a reader out."""
        self._readers -= 1
        self._cleanup()

    def _cleanup(self) -> None:
        """Remove the file when nobody needs it: a published one has been moved away."""
        if self._done and self._readers == 0 and self._file is not None:
            file, self._file = self._file, None
            file.remove()
            file.close()

    async def wait_for(self, offset: int) -> None:
        """
        Wait until the byte at `offset` may be read (or the file is complete).

        Raises the HubError the fill failed with.
        """
        while self._released <= offset and self._released < self.blob.size:
            if self._error is not None:
                raise self._error
            if self._done and self._released < self.blob.size:
                raise UpstreamUnavailable("The download ended early.", retry_after=5)
            await self._changed.wait()

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield bytes `start` to `stop` as they arrive. Raises the HubError of a failed fill."""
        while start < stop:
            await self.wait_for(start)
            if self._file is None:
                raise UpstreamUnavailable("The download is gone.", retry_after=5)
            count = min(self._released, stop, start + CHUNK) - start
            self._served = True
            data = await self._call(self._file.read, start, count)
            yield data
            start += len(data)


def _write_and_hash(file: PartialFile, digester: Digester, offset: int, data: bytes) -> None:
    file.write(offset, data)
    digester.update(data)


def _storage_failure(error: OSError, size: int) -> HubError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"The disk is full: no room for a file of {size} bytes.")
    return UpstreamInvalid(f"The file cannot be stored: {error.strerror}.", status=500)
