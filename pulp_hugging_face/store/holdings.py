"""
Blobs that are held: where their bytes are, and on whose behalf they are kept (architecture §3).

A blob is bytes of the domain under the digest the Hub knows. Each commit's file that is held has a
ContentArtifact, which protects the bytes from clean-up and lets pulpcore's own tools see them.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.db import IntegrityError, transaction
from pulpcore.plugin.models import Artifact, ContentArtifact, RemoteArtifact
from pulpcore.plugin.util import get_domain

from pulp_hugging_face.app.models import Blob, Commit, HuggingFaceRemote
from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import database_unavailable

from .db import DATABASE_ERRORS, Database
from .lru import Lru
from .objects import local_path, reason_of, storage_errors
from .publish import Publisher, Stored, record

log = logging.getLogger("pulp_hugging_face.store")

# Seconds in which a blob that was found is not looked for again.
TRUST = 1.0
_REMEMBERED = 20_000
_FLUSH_INTERVAL = 1.0
_USED_INTERVAL = 60.0
# Whether there is room where files of up to this size are kept is not asked before.
_SMALL = 4 * 1024 * 1024
_BLOB = Blob._meta.db_table
_FIND = f"""
    SELECT b.pulp_id, b.artifact_id, a.file, ca.pulp_id AS claim
    FROM {_BLOB} b
    JOIN core_artifact a ON a.pulp_id = b.artifact_id
    LEFT JOIN core_contentartifact ca
      ON ca.content_id = %s AND ca.relative_path = %s AND ca.artifact_id = b.artifact_id
    WHERE b.pulp_domain_id = %s AND b.key = %s
"""
_ARTIFACT = f"SELECT artifact_id FROM {_BLOB} WHERE pulp_domain_id = %s AND key = %s"


@dataclass(frozen=True)
class Claim:
    """One commit's file on whose behalf a blob is kept, and where it came from."""

    domain: str
    commit: UUID
    relative_path: str
    remote: UUID | None


@dataclass(frozen=True)
class Held:
    """A blob's bytes: its artifact and the artifact's name in the domain's storage."""

    blob: UUID
    artifact: UUID
    name: str
    claimed: bool


class Holdings:
    """Lookups of held blobs, and the writing down of claims and uses in batches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claims: dict[Claim, UUID] = {}
        self._used: set[UUID] = set()
        self._found: Lru[tuple[str, Claim], tuple[Held, float]] = Lru(_REMEMBERED)
        self._writer: asyncio.Task[None] | None = None
        self._publisher = Publisher(database, write_down)

    def clear(self) -> None:
        """Forget what was found."""
        self._found.clear()

    async def find(self, domain: UUID, blob: BlobId, claim: Claim) -> Held | None:
        """
        Return a blob's bytes, or None. `claimed` tells whether the claim is written down.

        What was found a moment ago is found again without looking: bytes that are removed
        meanwhile are noticed when they are opened.
        """
        found = self._found.get((blob.key, claim))
        if found is not None and time.monotonic() - found[1] < TRUST:
            return found[0]
        held = await self._find(domain, blob, claim)
        if held is not None:
            self._found.put((blob.key, claim), (held, time.monotonic()))
        return held

    async def _find(self, domain: UUID, blob: BlobId, claim: Claim) -> Held | None:
        row = await self._database.fetch_one(
            _FIND, (claim.commit, claim.relative_path, domain, blob.key)
        )
        if row is None:
            return None
        return Held(row["pulp_id"], row["artifact_id"], row["file"], row["claim"] is not None)

    def note_use(self, held: Held, claim: Claim | None) -> None:
        """Note that a blob was served, and for whom if that is not written down yet."""
        self._used.add(held.blob)
        if claim is not None and not held.claimed:
            self._claims[claim] = held.artifact

    async def drop(self, held: Held) -> None:
        """Forget a blob whose bytes turned out to be missing from the storage."""
        self._found.clear()
        log.warning("The bytes of artifact %s are missing from the storage", held.artifact)
        await self._database.call(_drop, held.blob)

    async def publish(self, fill: Fill, path: Path, sha256: str) -> bool:
        """
        Make a fill's verified file an artifact, and write its claims down (blobs.Keeper).

        Returns whether that worked: what cannot be kept can still be served.
        """
        claims: list[Claim] = sorted(fill.claims, key=lambda claim: claim.relative_path)
        domain = claims[0].domain
        try:
            await self._publisher.publish(path, fill.blob, sha256, domain, claims, fill.is_at)
        except DATABASE_ERRORS:
            log.exception("%s was served, but could not be kept", fill.blob.key)
            return False
        except storage_errors() as error:
            why = reason_of(error)
            log.error("%s was served, but the storage did not take it: %s", fill.blob.key, why)
            return False
        return True

    async def folder_of(self, fill: Fill) -> Path | None:
        """Return the folder of this machine into which a large file is to get, or None."""
        if fill.blob.size <= _SMALL:
            return None
        with suppress(*DATABASE_ERRORS):  # what depends on it tells so
            return await self._database.call(_folder, domain=next(iter(fill.claims)).domain)
        return None

    async def held(self, fill: Fill) -> bool:
        """Tell whether a fill's blob is held (blobs.Keeper). Raises DatabaseUnavailable."""
        with _or_unavailable():
            return await self._artifact_of(fill) is not None

    async def recover(self, fill: Fill) -> bool:
        """
        Hold a fill's blob by bytes that are in the storage already; tell whether they are
        (blobs.Keeper). Raises DatabaseUnavailable.
        """
        claims: list[Claim] = sorted(fill.claims, key=lambda claim: claim.relative_path)
        if not claims or not fill.blob.is_sha256:
            return False
        try:
            with _or_unavailable():
                found = await self._publisher.recover(
                    fill.blob, claims[0].domain, claims, reading=fill.whole
                )
        except storage_errors() as error:
            log.warning("%s was not looked for: %s", fill.blob.key, reason_of(error))
            return False
        if found:
            log.info("%s was in the storage already", fill.blob.key)
        return found

    async def adopt(self, fill: Fill) -> None:
        """Write down a fill's claims on a blob that somebody else published (blobs.Keeper)."""
        domain = next(iter(fill.claims)).domain
        try:
            artifact = await self._artifact_of(fill)
            if artifact is not None:  # it could be kept
                claims = dict.fromkeys(fill.claims, artifact)
                await self._database.call(write_claims, claims, domain=domain)
        except DATABASE_ERRORS:
            log.exception("%s was served, but not noted as held", fill.blob.key)

    async def _artifact_of(self, fill: Fill) -> UUID | None:
        row = await self._database.fetch_one(_ARTIFACT, (fill.scope, fill.blob.key))
        return row["artifact_id"] if row else None

    def start(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write(), name="hugging_face holdings")

    async def close(self) -> None:
        """Write what is left and stop."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        self._publisher.close()
        await self._flush_claims()

    async def _write(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(_FLUSH_INTERVAL)
            rounds += 1
            try:
                await self._flush_claims()
                if rounds * _FLUSH_INTERVAL >= _USED_INTERVAL:
                    rounds = 0
                    await self._flush_used()
            except Exception:  # the boundary of a detached task; claims are noted again when used
                log.exception("Writing down what was served failed")

    async def _flush_claims(self) -> None:
        claims, self._claims = self._claims, {}
        by_domain: dict[str, dict[Claim, UUID]] = {}
        for claim, artifact in claims.items():
            by_domain.setdefault(claim.domain, {})[claim] = artifact
        for domain, batch in by_domain.items():
            await self._database.call(write_claims, batch, domain=domain)

    async def _flush_used(self) -> None:
        used, self._used = self._used, set()
        if used:
            await self._database.call(_touch, used)


@contextmanager
def _or_unavailable() -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        log.warning("The database is not available: %s", type(error).__name__)
        raise database_unavailable() from error


def write_down(batch: list[tuple[Stored, BlobId, list[Claim]]]) -> None:
    """Write bytes that are in the storage down, and on whose behalf. Blocking, in the domain."""
    artifacts = record([(stored, blob) for stored, blob, _ in batch])
    claims = [claims for _, _, claims in batch]
    # Not in the same transaction: foreign keys are checked at its end, and a commit that was
    # deleted meanwhile must not undo it.
    write_claims({claim: pk for pk, some in zip(artifacts, claims, strict=True) for claim in some})


def write_claims(claims: dict[Claim, UUID]) -> None:
    """Write ContentArtifacts and RemoteArtifacts of held files. Blocking, in the claims' domain."""
    try:
        with transaction.atomic():
            _write_claims(claims)
    except IntegrityError:
        # A commit, remote or artifact was removed meanwhile: write the others one by one.
        for claim, artifact in claims.items():
            with suppress(IntegrityError), transaction.atomic():
                _write_claims({claim: artifact})


def _write_claims(claims: dict[Claim, UUID]) -> None:
    artifacts = Artifact.objects.in_bulk(set(claims.values()))
    commits = set(
        Commit.objects.filter(pk__in={claim.commit for claim in claims}).values_list(
            "pk", flat=True
        )
    )
    valid = [claim for claim, pk in claims.items() if pk in artifacts and claim.commit in commits]
    ordered = sorted(valid, key=lambda claim: (str(claim.commit), claim.relative_path))
    held = {claim: artifacts[claims[claim]] for claim in ordered}
    # Two remotes may claim the same file; a row must not be written twice in one statement.
    rows = {(claim.commit, claim.relative_path): artifact for claim, artifact in held.items()}
    ContentArtifact.objects.bulk_create(
        [
            ContentArtifact(content_id=commit, relative_path=path, artifact=artifact)
            for (commit, path), artifact in rows.items()
        ],
        update_conflicts=True,
        unique_fields=["content", "relative_path"],
        update_fields=["artifact"],
    )
    _write_remote_artifacts(held)


def _write_remote_artifacts(held: dict[Claim, Artifact]) -> None:
    """Write where the files came from, so that pulpcore can repair and reclaim them."""
    remotes = HuggingFaceRemote.objects.in_bulk({claim.remote for claim in held if claim.remote})
    found = ContentArtifact.objects.filter(
        content_id__in={claim.commit for claim in held},
        relative_path__in=[claim.relative_path for claim in held],
    )
    by_path = {(row.content_id, row.relative_path): row for row in found}
    rows = [
        RemoteArtifact(
            remote=remotes[claim.remote],
            content_artifact=by_path[claim.commit, claim.relative_path],
            url=remotes[claim.remote].get_remote_artifact_url(claim.relative_path),
            size=artifact.size,
            sha256=artifact.sha256,
        )
        for claim, artifact in held.items()
        if claim.remote in remotes
    ]
    RemoteArtifact.objects.bulk_create(rows, ignore_conflicts=True)


def _folder() -> Path | None:
    path = local_path(get_domain().get_storage(), "")
    return None if path is None else Path(path)


def _drop(blob: UUID) -> None:
    Blob.objects.filter(pk=blob).delete()


def _touch(blobs: set[UUID]) -> None:
    Blob.objects.filter(pk__in=blobs).update(last_used=datetime.now(UTC))
