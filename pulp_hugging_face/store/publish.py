"""
Verified bytes become an artifact: into the storage first, then into the database.

Nothing of the database is held while bytes move: a storage may be another server, and an upload of
gigabytes takes minutes. What fails in between leaves an object under its digest's name at most,
which is found there when the same bytes are wanted again (`recover`).
"""

import asyncio
import errno
import logging
import os
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import UUID

from django.core.files import File
from django.core.files.storage import Storage
from django.db import InterfaceError, OperationalError, transaction
from pulpcore.plugin import pulp_hashlib
from pulpcore.plugin.models import Artifact, Domain
from pulpcore.plugin.util import get_domain

from pulp_hugging_face.app.models import Blob
from pulp_hugging_face.hub.digests import BlobId

from .db import Database
from .objects import CHUNK, local_path
from .together import Together

log = logging.getLogger("pulp_hugging_face.store")

T = TypeVar("T")
Row = tuple["Stored", BlobId, Any]

# Uploads at one time, and how many of them may be large ones, so that small files do not wait for
# those. boto3 holds about 100 MiB for each.
_THREADS = 4
_LARGE, _LARGE_AT_ONCE = 64 * CHUNK, 2
# What is in its place already is written down again after so many seconds, while the database is
# away: a restart of it takes some.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Place:
    """Where bytes belong in a domain's storage; `artifact` is the row that says so already."""

    name: str
    artifact: UUID | None
    storage: Storage = field(compare=False, repr=False)

    @property
    def is_local(self) -> bool:
        """Tell whether that is a folder of this machine."""
        return local_path(self.storage, self.name) is not None


@dataclass(frozen=True)
class Stored:
    """Bytes that are in their place."""

    place: Place
    size: int
    digests: dict[str, str]


@dataclass(frozen=True)
class _Item:
    """A verified file on its way, and what is to be noted of it."""

    path: Path
    stored: Stored
    blob: BlobId
    note: Any


def nowhere(_: Path) -> bool:
    """Tell that a verified file was not moved by anybody else."""
    return False


class Publisher:
    """
    Puts verified files into storages, some at a time, in threads of its own.

    `write_down` notes, in a domain, bytes that are in their place: several at once, because each
    transaction costs more than the next small file on its way. Blocking.
    """

    def __init__(self, database: Database, write_down: Callable[[list[Row]], None]) -> None:
        self._database = database
        self._write_down = write_down
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-publish")
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._stopping = threading.Event()
        self._places: Together[str, Place] = Together(self._find_places, quiet=0)
        self._items: Together[_Item, None] = Together(self._finish)

    async def publish(
        self,
        path: Path,
        blob: BlobId,
        sha256: str,
        domain: str,
        note: Any,
        is_at: Callable[[Path], bool] = nowhere,
    ) -> None:
        """
        Put a verified file into a domain's storage, then have it written down with a `note`.

        `is_at` tells whether the file is elsewhere: who moved it may have died before the note.
        Raises DatabaseError and what storages raise (`objects.storage_errors`).
        """
        place = await self._places.do(domain, sha256)
        digests = {"sha256": sha256}
        if place.artifact is None and Artifact.DIGEST_FIELDS != ["sha256"]:
            # Other plugins want other digests: that costs reading the file once more.
            digests |= await self._run(_digests, path, Artifact.DIGEST_FIELDS)
        if blob.size > _LARGE:
            async with self._large:
                await self._run(_prepare, place, path, blob.size, self._stopping, is_at)
        else:
            await self._run(_prepare, place, path, blob.size, self._stopping, is_at)
        stored = Stored(place, blob.size, digests)
        await self._items.do(domain, _Item(path, stored, blob, note))

    async def recover(self, blob: BlobId, domain: str, note: Any, *, reading: bool) -> bool:
        """
        Have bytes written down that the storage has already; tell whether it has them.

        They may be an artifact of others, or have lost the process that was to note them. The
        latter are read as a whole (if `reading`): nobody vouches for them. `blob` must be named by
        its sha256. Raises as `publish` does.
        """
        place = await self._places.do(domain, blob.key)
        if place.artifact is None and not (reading and place.is_local):
            return False
        digests = await self._run(_digests_of_stored, place, blob, self._stopping)
        if digests is None:
            return False
        await self._write(domain, [(Stored(place, blob.size, digests), blob, note)])
        return True

    async def _find_places(self, domain: Hashable, sha256s: list[str]) -> list[Place | Exception]:
        return await self._database.call(_find_places, sha256s, domain=str(domain))

    async def _finish(self, domain: Hashable, batch: list[_Item]) -> list[Exception | None]:
        """
        Move what is of this machine, and write all of it down, at once: in between, other processes
        find neither the partial file nor the artifact.
        """
        failures = await self._run(_put_all, batch, self._stopping)
        good = [one for one, failure in zip(batch, failures, strict=True) if failure is None]
        rows = [(one.stored, one.blob, one.note) for one in good]
        try:
            await self._write(domain, rows)
        except (InterfaceError, OperationalError) as error:  # one by one it would be the same
            return [failure or error for failure in failures]
        return failures

    async def _write(self, domain: Hashable, rows: list[Row]) -> None:
        """Write down what is in its place; that is not given up while the database is away."""
        if not rows:
            return
        for pause in (*_PAUSES, None):
            try:
                await self._database.call(self._write_down, rows, domain=str(domain))
                return
            except (InterfaceError, OperationalError) as error:
                if pause is None or self._stopping.is_set():
                    raise
                log.warning("Stored, but not written down yet: %s", type(error).__name__)
            await asyncio.sleep(pause)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def close(self) -> None:
        """Break uploads off: a server that stops does not wait for gigabytes."""
        self._stopping.set()
        self._threads.shutdown(wait=False)


def _find_places(sha256s: list[str]) -> list[Place | Exception]:
    """Return where bytes of digests belong, and keep what is there from clean-ups. Blocking."""
    domain = get_domain()
    storage = domain.get_storage()
    artifacts = Artifact.objects.filter(sha256__in=sha256s, pulp_domain=domain)
    known = {artifact.sha256: artifact for artifact in artifacts}
    if known:
        artifacts.touch()
    return [
        Place(known[sha256].file.name, known[sha256].pk, storage)
        if sha256 in known
        else Place(Artifact(sha256=sha256).storage_path(""), None, storage)
        for sha256 in sha256s
    ]


def _put_all(batch: list[_Item], stopping: threading.Event) -> list[Exception | None]:
    """Move the files of this machine; return what went wrong with each. Blocking."""
    failures: list[Exception | None] = []
    for one in batch:
        try:
            if one.stored.place.is_local:  # what was copied before is left as it is
                _put(one.stored.place, one.path, one.stored.size, stopping)
            failures.append(None)
        except Exception as error:  # raised again, for the file it is about
            failures.append(error)
    return failures


def _prepare(
    place: Place,
    path: Path,
    size: int,
    stopping: threading.Event,
    is_at: Callable[[Path], bool],
) -> None:
    """Do what takes time: write out what will be moved, copy or upload all else. Blocking."""
    target = Path(local_path(place.storage, place.name) or "")
    if place.is_local and not path.exists() and is_at(target):
        return  # who moved it had written it out
    if place.is_local and _is_near(target, path):
        with path.open("rb") as content:
            os.fsync(content.fileno())
    else:
        _put(place, path, size, stopping)


def _is_near(target: Path, path: Path) -> bool:
    """Tell whether a file gets to its target by a rename: on the same file system."""
    while not target.exists():
        target = target.parent
    return target.stat().st_dev == path.stat().st_dev


def _put(place: Place, path: Path, size: int, stopping: threading.Event) -> None:
    """
    Put a verified file where it belongs. Blocking.

    In a folder on the same file system that is a rename. Bytes of a known artifact are put back if
    they have gone or are too few.
    """
    storage, name = place.storage, place.name
    if (place.artifact is not None or place.is_local) and storage.exists(name):
        if storage.size(name) == size:
            return
        storage.delete(name)
    with path.open("rb") as content:
        saved = storage.save(name, _Verified(content, path, stopping))
    if saved != name:
        storage.delete(saved)
        raise OSError(errno.EEXIST, f"The storage renamed {name}: let it overwrite files")


class _Verified(File):
    """A file that storages of this machine may move, and others read until the server stops."""

    def __init__(self, content: IO[bytes], path: Path, stopping: threading.Event) -> None:
        super().__init__(content, name=str(path))
        self._path, self._stopping = path, stopping

    def temporary_file_path(self) -> str:
        """Tell pulpcore's FileSystem what to rename."""
        return str(self._path)

    def read(self, size: int = -1) -> bytes:
        """Read on, unless the server stops."""
        if self._stopping.is_set():
            raise OSError(errno.ECANCELED, "The server is stopping")
        data: bytes = self.file.read(size)
        return data


def record(batch: Sequence[tuple[Stored, BlobId]]) -> list[UUID]:
    """Write artifacts and blobs down, in the domain; return the artifacts' ids. Blocking."""
    domain = get_domain()
    with transaction.atomic():
        ids = _artifacts([stored for stored, _ in batch], domain)
        blobs = {
            blob.key: Blob(key=blob.key, size=blob.size, artifact_id=artifact, pulp_domain=domain)
            for (_, blob), artifact in zip(batch, ids, strict=True)
        }
        Blob.objects.bulk_create(
            # In order: two processes that write the same rows must not wait for each other.
            [blobs[key] for key in sorted(blobs)],
            update_conflicts=True,
            unique_fields=["pulp_domain", "key"],
            update_fields=["artifact", "last_used"],
        )
    return ids


def _artifacts(batch: list[Stored], domain: Domain) -> list[UUID]:
    """Return the ids of artifacts, created where they are not yet there."""
    new = {
        stored.digests["sha256"]: Artifact(
            file=stored.place.name, size=stored.size, pulp_domain=domain, **stored.digests
        )
        for stored in batch
        if stored.place.artifact is None
    }
    if new:
        Artifact.objects.bulk_create([new[key] for key in sorted(new)], ignore_conflicts=True)
    # Another process may have been faster.
    found = Artifact.objects.filter(sha256__in=new, pulp_domain=domain)
    ids = dict(found.values_list("sha256", "pk")) if new else {}
    return [stored.place.artifact or ids[stored.digests["sha256"]] for stored in batch]


def _digests_of_stored(
    place: Place, blob: BlobId, stopping: threading.Event
) -> dict[str, str] | None:
    """Return the digests of bytes in a storage, or None if those of a blob are not there."""
    storage, name = place.storage, place.name
    if not storage.exists(name) or storage.size(name) != blob.size:
        return None
    if place.artifact is not None:
        return {"sha256": blob.key}
    path = Path(local_path(storage, name) or "")
    digests = _digests(path, ["sha256", *Artifact.DIGEST_FIELDS], stopping)
    if digests["sha256"] == blob.key:
        return digests
    log.warning("%s holds other bytes, and no artifact is there: removed", name)
    storage.delete(name)
    return None


def _digests(
    path: Path, names: list[str], stopping: threading.Event | None = None
) -> dict[str, str]:
    hashers = {name: pulp_hashlib.new(name) for name in names}
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            if stopping is not None and stopping.is_set():
                raise OSError(errno.ECANCELED, "The server is stopping")
            for hasher in hashers.values():
                hasher.update(data)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}
