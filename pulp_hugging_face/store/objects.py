"""
Reading held bytes where they are kept: a folder of this machine, or an object storage.

The files of django-storages fetch a whole object before the first byte, so S3 is asked for ranges,
through a client made from the storage's own settings. Everything that waits, waits in threads.
"""

import asyncio
import copy
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from django.core.files.storage import Storage

from pulp_hugging_face.hub.errors import StorageUnavailable
from pulp_hugging_face.hub.ranges import ByteRange

from .flights import Flights
from .lru import Lru

log = logging.getLogger("pulp_hugging_face.store")

T = TypeVar("T")

CHUNK = 1024 * 1024
# Reads that wait for a storage at one time; each holds one chunk.
_THREADS = 16
# Seconds for each chunk, attempts included: clients break a silent connection after ten (§2.2).
PATIENCE = 8.0
_ATTEMPTS = 3
# Seconds for which an object that was seen is believed to be there: before clients are sent to it.
_SEEN = 60.0
_REMEMBERED = 20_000
_STORAGES = 64


class Body(Protocol):
    """Bytes of an object, from some position on."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class Backend(Protocol):
    """An object storage. Blocking."""

    def open(self, name: str, part: ByteRange) -> Body:
        """Open a range. Raises FileNotFoundError when no object of that size is there."""
        ...

    def url(self, name: str, disposition: str, kind: str) -> str:
        """Return an address that needs no other credentials, and answers with these headers."""
        ...


@lru_cache(maxsize=1)
def storage_errors() -> tuple[type[Exception], ...]:
    """Return what a storage raises when it fails, of the libraries that are installed."""
    errors: list[type[Exception]] = [OSError, StorageUnavailable]
    with suppress(ImportError):
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        errors += [Boto3Error, BotoCoreError, ClientError]
    with suppress(ImportError):
        from azure.core.exceptions import AzureError

        errors.append(AzureError)
    with suppress(ImportError):
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        errors += [GoogleAPIError, GoogleAuthError]
    return tuple(errors)


def reason_of(error: BaseException) -> str:
    """Return what may be logged of a storage's failure: its words may tell credentials."""
    answer = getattr(error, "response", None)
    told = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    words = error.strerror if isinstance(error, OSError) else told
    return f"{type(error).__name__} {words or ''}".strip()


def local_path(storage: Storage, name: str) -> str | None:
    """Return where a file is on this machine, or None in an object storage."""
    try:
        return storage.path(name)
    except NotImplementedError:
        return None


class _S3:
    """S3 and what speaks like it, by ranges."""

    # What says that there is no such object; a missing bucket is another matter.
    _ABSENT = ("NoSuchKey", "InvalidRange")

    def __init__(self, storage: Any) -> None:
        from boto3.s3.transfer import S3Transfer
        from botocore.config import Config
        from storages.utils import safe_join

        quick = copy.copy(storage)
        limits = Config(
            connect_timeout=3,
            read_timeout=PATIENCE,
            retries={"total_max_attempts": 2},
            max_pool_connections=_THREADS,
        )
        quick.client_config = storage.client_config.merge(limits)
        self._storage = quick
        self._client = quick.connection.meta.client
        self._key: Callable[[str], str] = lambda name: safe_join(quick.location, name)
        self._allowed = S3Transfer.ALLOWED_DOWNLOAD_ARGS

    def open(self, name: str, part: ByteRange) -> Body:
        from botocore.exceptions import ClientError

        # Such as the customer's key of an encrypted object.
        parameters = self._storage.get_object_parameters(name)
        try:
            answer = self._client.get_object(
                Bucket=self._storage.bucket_name,
                Key=self._key(name),
                Range=f"bytes={part.start}-{part.stop - 1}",
                **{key: value for key, value in parameters.items() if key in self._allowed},
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in self._ABSENT:
                raise FileNotFoundError(name) from error
            raise
        body: Body = answer["Body"]
        told = answer.get("ContentRange")
        if told != part.content_range:
            body.close()
            if told is None:
                raise StorageUnavailable("The storage does not answer ranges.")
            raise FileNotFoundError(f"{name} has another size than {part.size}")
        return body

    def url(self, name: str, disposition: str, kind: str) -> str:
        names = {"ResponseContentDisposition": disposition, "ResponseContentType": kind}
        return str(self._storage.url(name, parameters=names))


class _Other:
    """What django-storages offers for every storage: correct, but it reads from the beginning."""

    _PARAMETERS = {
        "AzureStorage": ("content_disposition", "content_type"),
        "GoogleCloudStorage": ("response_disposition", "response_type"),
    }

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._names = next(
            (
                self._PARAMETERS[kind.__name__]
                for kind in storage.__class__.__mro__
                if kind.__name__ in self._PARAMETERS
            ),
            None,
        )

    def open(self, name: str, part: ByteRange) -> Body:
        if not self._storage.exists(name) or self._storage.size(name) != part.size:
            raise FileNotFoundError(name)
        file: Any = self._storage.open(name, "rb")
        file.seek(part.start)
        body: Body = file
        return body

    def url(self, name: str, disposition: str, kind: str) -> str:
        if self._names is None:
            return ""
        parameters = dict(zip(self._names, (disposition, kind), strict=True))
        return str(self._storage.url(name, parameters=parameters))


def _backend(storage: Any) -> Backend:
    names = {kind.__name__ for kind in storage.__class__.__mro__}
    return _S3(storage) if "S3Storage" in names else _Other(storage)


class Objects:
    """What one content process reads from storages: 16 chunks of 1 MiB at one time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-storage")
        # Clients of boto3 belong to the thread that asks the storage for them: one is enough.
        self._signer = ThreadPoolExecutor(1, thread_name_prefix="hf-storage-signer")
        # By identity; the storage is kept with it, so that its id is not given to another one.
        self._backends: Lru[int, tuple[Storage, Backend]] = Lru(_STORAGES)
        # By name: names of artifacts are those of domain and digest.
        self._seen: Lru[str, float] = Lru(_REMEMBERED)
        self._looks = Flights()

    async def close(self) -> None:
        """Stop looking; reads end with their clients."""
        await self._looks.close()
        self._threads.shutdown(wait=False)
        self._signer.shutdown(wait=False)

    async def whole(self, storage: Storage, name: str, size: int) -> bytes:
        """Return a small file. Raises FileNotFoundError and StorageUnavailable."""
        path = local_path(storage, name)
        if path is not None:
            body = await _run(self._threads, _read_local, path)
            if len(body) != size:
                raise FileNotFoundError(f"{name} has another size than {size}")
            return body
        part = ByteRange(0, size, size)
        return b"".join([data async for data in self.chunks(storage, name, part)])

    async def url(self, storage: Storage, name: str, disposition: str, kind: str) -> str:
        """
        Return an address of an object for a client, "" if the storage gives none.

        It needs no other credentials, and is answered with this Content-Disposition and -Type.
        Raises StorageUnavailable.
        """
        backend = await self._backend(storage)
        return await self._patiently(_run(self._signer, backend.url, name, disposition, kind))

    async def require(self, storage: Storage, name: str, size: int) -> None:
        """
        Raise FileNotFoundError unless the object was there, in its size, a minute ago or later.

        Whom we send to an object that is missing gets an answer we cannot take back. Raises
        StorageUnavailable.
        """
        seen = self._seen.get(name)
        if seen is None or time.monotonic() - seen > _SEEN:
            await self._looks.join(name, lambda: self._look(storage, name, size))

    async def _look(self, storage: Storage, name: str, size: int) -> None:
        backend = await self._backend(storage)
        # The first byte and not the metadata: an answer to HEAD does not say what is missing.
        await self._patiently(
            _run(self._threads, _close_at_once, backend, name, ByteRange(0, 1, size))
        )
        self._seen.put(name, time.monotonic())

    async def chunks(self, storage: Storage, name: str, part: ByteRange) -> AsyncIterator[bytes]:
        """
        Yield a range, chunk by chunk, as the consumer takes it.

        Raises FileNotFoundError before the first chunk only, and StorageUnavailable. What breaks
        is taken up where it broke; a storage ends connections of slow clients, too.
        """
        if not part.length:
            return
        reading = _Reading(await self._backend(storage), name, part)
        try:
            while reading.position < part.stop:
                yield await self._patiently(_run(self._threads, reading.next))
        except FileNotFoundError as error:
            if reading.position == part.start:
                raise
            raise StorageUnavailable("The file has just gone from the storage.") from error
        finally:
            with suppress(RuntimeError):  # the process is ending
                self._threads.submit(reading.close)

    async def _backend(self, storage: Storage) -> Backend:
        known = self._backends.get(id(storage))
        if known is None:
            backend = await self._patiently(_run(self._signer, _backend, storage))
            known = (storage, backend)
            self._backends.put(id(storage), known)
        return known[1]

    async def _patiently(self, work: "asyncio.Future[T]") -> T:
        """Wait for a thread as long as clients do. Raises StorageUnavailable."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await work
        except FileNotFoundError:
            raise
        except storage_errors() as error:  # TimeoutError is an OSError
            log.warning("The storage fails: %s", reason_of(error))
            raise StorageUnavailable(
                "The storage of this server does not answer.", retry_after=5
            ) from error


class _Reading:
    """One way through a range of an object. Blocking."""

    def __init__(self, backend: Backend, name: str, part: ByteRange) -> None:
        self._backend, self._name, self._part = backend, name, part
        self._body: Body | None = None
        self._closed = False
        self.position = part.start

    def next(self) -> bytes:
        """Return the next bytes, up to a chunk; takes up again what broke."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._next()
            except FileNotFoundError:
                raise
            except storage_errors():
                self._drop()
                if attempt == _ATTEMPTS or self._closed:
                    raise
        raise AssertionError("not reached")

    def _next(self) -> bytes:
        part = self._part
        if self._body is None:
            rest = ByteRange(self.position, part.stop, part.size)
            self._body = self._backend.open(self._name, rest)
        data = self._body.read(min(CHUNK, part.stop - self.position))
        if not data:
            raise StorageUnavailable("The storage ended early.")
        self.position += len(data)
        return data

    def close(self) -> None:
        """Give the connection back, also while another thread waits for bytes."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            with suppress(*storage_errors()):
                body.close()


def _read_local(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _close_at_once(backend: Backend, name: str, part: ByteRange) -> None:
    with closing(backend.open(name, part)):
        pass


def _run(executor: Executor, function: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
    return asyncio.get_running_loop().run_in_executor(executor, function, *args)
