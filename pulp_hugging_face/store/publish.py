"""
Verified bytes become an artifact: into the storage first, then into the database.

Nothing of the database is held while bytes move: a storage may be another server, and an upload of
gigabytes takes minutes. What fails in between leaves an object under its digest's name at most,
which the next publication of the same bytes overwrites.
"""

import asyncio
import errno
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import UUID

from django.core.files import File
from django.core.files.storage import Storage
from django.db import IntegrityError, transaction
from pulpcore.plugin import pulp_hashlib
from pulpcore.plugin.models import Artifact
from pulpcore.plugin.util import get_domain

from pulp_hugging_face.app.models import Blob
from pulp_hugging_face.hub.digests import BlobId

from .db import Database
from .objects import CHUNK, local_path

T = TypeVar("T")

# Uploads at one time, and how many of them may be large ones, so that small files do not wait for
# those. boto3 holds about 100 MiB for each.
_THREADS = 4
_LARGE, _LARGE_AT_ONCE = 64 * CHUNK, 2


@dataclass(frozen=True)
class Place:
    """Where bytes belong in a domain's storage; `artifact` is the row that says so already."""

    name: str
    artifact: UUID | None
    storage: Storage = field(compare=False, repr=False)


@dataclass(frozen=True)
class Stored:
    """Bytes that are in their place."""

    place: Place
    size: int
    digests: dict[str, str]


class Publisher:
    """Puts verified files into storages, some at a time, in threads of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hf-publish")
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._stopping = threading.Event()

    async def publish(
        self,
        path: Path,
        size: int,
        sha256: str,
        domain: str,
        record: Callable[..., None],
        *args: Any,
    ) -> None:
        """
        Put a verified file into a domain's storage, then call `record(stored, *args)` there.

        Raises DatabaseError and what storages raise (`objects.storage_errors`).
        """
        place = await self._database.call(_find_place, sha256, domain=domain)
        digests = {"sha256": sha256}
        if place.artifact is None and Artifact.DIGEST_FIELDS != ["sha256"]:
            # Other plugins want other digests: that costs reading the file once more.
            digests |= await self._run(_digests, path, Artifact.DIGEST_FIELDS)
        if size > _LARGE:
            async with self._large:
                await self._run(_put, place, path, size, self._stopping)
        else:
            await self._run(_put, place, path, size, self._stopping)
        await self._database.call(record, Stored(place, size, digests), *args, domain=domain)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def close(self) -> None:
        """Break uploads off: a server that stops does not wait for gigabytes."""
        self._stopping.set()
        self._threads.shutdown(wait=False)


def _find_place(sha256: str) -> Place:
    """Return where bytes of a digest belong, and keep what is there from clean-ups. Blocking."""
    domain = get_domain()
    known = Artifact.objects.filter(sha256=sha256, pulp_domain=domain).first()
    if known is None:
        return Place(Artifact(sha256=sha256).storage_path(""), None, domain.get_storage())
    known.touch()
    return Place(known.file.name, known.pk, domain.get_storage())


def _put(place: Place, path: Path, size: int, stopping: threading.Event) -> None:
    """
    Put a verified file where it belongs. Blocking.

    In a folder on the same file system that is a rename. Bytes of a known artifact are put back if
    they have gone or are too few.
    """
    storage, name = place.storage, place.name
    is_local = local_path(storage, name) is not None
    if (place.artifact is not None or is_local) and storage.exists(name):
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


def record(stored: Stored, blob: BlobId) -> UUID:
    """Write artifact and blob down, in the domain; return the artifact's id. Blocking."""
    with transaction.atomic():
        artifact = stored.place.artifact or _new_artifact(stored)
        Blob.objects.bulk_create(
            [Blob(key=blob.key, size=blob.size, artifact_id=artifact, pulp_domain=get_domain())],
            update_conflicts=True,
            unique_fields=["pulp_domain", "key"],
            update_fields=["artifact", "last_used"],
        )
    return artifact


def _new_artifact(stored: Stored) -> UUID:
    artifact = Artifact(file=stored.place.name, size=stored.size, **stored.digests)
    try:
        with transaction.atomic():
            artifact.save()
    except IntegrityError:  # another process was faster
        sha256 = stored.digests["sha256"]
        artifact = Artifact.objects.get(sha256=sha256, pulp_domain=get_domain())
    pk: UUID = artifact.pk
    return pk


def _digests(path: Path, names: list[str]) -> dict[str, str]:
    hashers = {name: pulp_hashlib.new(name) for name in names}
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            for hasher in hashers.values():
                hasher.update(data)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}
