"""
What the upstream last told: where a revision points, and what may be seen (architecture §3, Known).

Shared by all processes through the database; nothing here is trusted for longer than its age says.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pulp_hugging_face.app.models import KnownRef, KnownRepo
from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    DisabledRepo,
    Forbidden,
    RepoNotFound,
    refusal_from_code,
)
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.upstream.client import InfoAnswer

from . import recording
from .db import Database, Row
from .lru import Lru
from .views import RemoteView

_REPO = KnownRepo._meta.db_table
_REF = KnownRef._meta.db_table
_LOAD = f"""
    SELECT r.repo_id, r.canonical_id, r.visibility, r.checked_at, r.refusal,
           r.refusal_status, r.refusal_message,
           f.sha, f.checked_at AS ref_checked_at, f.refusal AS ref_refusal,
           f.refusal_status AS ref_refusal_status, f.refusal_message AS ref_refusal_message
    FROM {_REPO} r
    LEFT JOIN {_REF} f
      ON f.remote_id = r.remote_id AND f.repo_type = r.repo_type
     AND f.repo_id = r.canonical_id AND f.revision = %s
    WHERE r.remote_id = %s AND r.repo_type = %s AND r.repo_id = %s
"""
_REFS = f"""
    SELECT refs, refs_checked_at FROM {_REPO}
    WHERE remote_id = %s AND repo_type = %s AND repo_id = %s
"""
_SPELLINGS = f"""
    SELECT DISTINCT canonical_id FROM {_REPO}
    WHERE remote_id = %s AND repo_type = %s AND lower(canonical_id) = lower(%s) LIMIT 2
"""
# Seconds in which this process does not look whether another one has heard something newer.
TRUST = 1.0
_REMEMBERED = 20_000
_REVISIONS = 256
_INFO = f"""
    SELECT info FROM {_REF}
    WHERE remote_id = %s AND repo_type = %s AND repo_id = %s AND revision = %s AND sha = %s
"""


# What `visibility` may be. Gated repositories can be private as well.
PUBLIC, GATED, PRIVATE, PRIVATE_GATED = "public", "gated", "private", "private-gated"


def visibility_of(info: dict[str, Any], *, private: bool = False) -> str:
    """Return the visibility that an info object tells, or that of a private one."""
    gated = bool(info.get("gated"))
    if private or info.get("private"):
        return PRIVATE_GATED if gated else PRIVATE
    return GATED if gated else PUBLIC


@dataclass(frozen=True)
class Known:
    """
    What one remote knows of a repository and of one of its revisions.

    `checked_at` and `ref_checked_at` are when; `refusal` and `ref_refusal` what was refused then;
    `sha` is "" while the revision is unknown. In token mode "client" a refusal is of those without
    a token, while the rest may be what a token was told.
    """

    repo: RepoId
    visibility: str = PUBLIC
    checked_at: datetime | None = None
    refusal: DefiniteRefusal | None = None
    sha: str = ""
    ref_checked_at: datetime | None = None
    ref_refusal: DefiniteRefusal | None = None

    @property
    def is_public(self) -> bool:
        """Tell whether everybody may see the repository's content."""
        return self.visibility == PUBLIC and self.refusal is None

    @property
    def is_listed(self) -> bool:
        """Tell whether everybody may see its information and listings (gated ones: yes, §2.7)."""
        return self.visibility in (PUBLIC, GATED) and self.refusal is None

    @property
    def is_gated(self) -> bool:
        """Tell whether its files have to be asked for apart."""
        return self.visibility in (GATED, PRIVATE_GATED)

    @property
    def is_private(self) -> bool:
        """Tell whether only some may know that it exists."""
        return self.visibility in (PRIVATE, PRIVATE_GATED)

    def age(self) -> float:
        """Return the seconds since the repository was last answered for."""
        return _age(self.checked_at)

    def ref_age(self) -> float:
        """Return the seconds since the revision was last answered for."""
        return _age(self.ref_checked_at)


def _age(moment: datetime | None) -> float:
    return (datetime.now(UTC) - moment).total_seconds() if moment else float("inf")


class KnownStore:
    """Reading and writing what is known."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # By revision; a repository is forgotten as a whole.
        self._read: Lru[tuple[UUID, RepoId], dict[str, tuple[Known, float]]] = Lru(_REMEMBERED)
        self._writes = 0

    def clear(self) -> None:
        """Forget what was read: what it is about has changed."""
        self._writes += 1
        self._read.clear()

    async def load(self, remote: UUID, repo: RepoId, revision: str) -> Known | None:
        """
        Return what is known of a repository (by any of its ids) and a revision.

        What another process wrote is seen after TRUST seconds, what this one wrote at once.
        """
        remembered = self._read.get((remote, repo)) or {}
        read = remembered.get(revision)
        if read is not None and time.monotonic() - read[1] < TRUST:
            return read[0]
        writes, now = self._writes, time.monotonic()
        row = await self._database.fetch_one(_LOAD, (revision, remote, repo.type.value, repo.id))
        if row is None:
            return None
        known = _known(repo, row)
        if writes == self._writes:
            if len(remembered) >= _REVISIONS:
                remembered = {}
            remembered[revision] = (known, now)
            self._read.put((remote, repo), remembered)
        return known

    async def _write(
        self, remote: UUID, repos: Iterable[RepoId], function: Callable[..., None], *args: Any
    ) -> None:
        """Write, and forget what was read of these repositories."""
        try:
            await self._database.call(function, *args)
        finally:
            self._writes += 1  # also for those who are reading now
            for repo in repos:
                self._read.pop((remote, repo))

    async def info(
        self, remote: UUID, repo: RepoId, revision: str, sha: str
    ) -> dict[str, Any] | None:
        """Return the info object last told of a revision (by canonical id) if it is of a commit."""
        row = await self._database.fetch_one(
            _INFO, (remote, repo.type.value, repo.id, revision, sha)
        )
        return row["info"] if row else None

    async def refs(self, remote: UUID, repo: RepoId) -> tuple[dict[str, Any] | None, float]:
        """Return the refs last listed by the upstream and their age in seconds."""
        row = await self._database.fetch_one(_REFS, (remote, repo.type.value, repo.id))
        if row is None:
            return None, float("inf")
        return row["refs"], _age(row["refs_checked_at"])

    async def spelling(self, remote: UUID, repo: RepoId) -> RepoId | None:
        """Return how the upstream spells an id that differs in letter case, if that is known."""
        rows = await self._database.fetch(_SPELLINGS, (remote, repo.type.value, repo.id))
        names = [row["canonical_id"] for row in rows if row["canonical_id"] != repo.id]
        return RepoId(repo.type, names[0]) if len(rows) == 1 and names else None

    async def record_answer(
        self,
        remote: RemoteView,
        domain: UUID,
        asked: RepoId,
        revision: str,
        answer: InfoAnswer,
        visibility: str,
        refusal: DefiniteRefusal | None = None,
    ) -> None:
        """
        Store the commit, and that this remote was told of it.

        `refusal` is what those without a token were told.
        """
        await self._write(
            remote.pk,
            (asked, answer.repo),
            recording.record_answer,
            remote,
            domain,
            asked,
            revision,
            answer,
            visibility,
            refusal,
        )

    async def record_seen(
        self,
        remote: RemoteView,
        asked: RepoId,
        canonical: RepoId,
        visibility: str,
        refusal: DefiniteRefusal | None = None,
    ) -> None:
        """Remember that the repository was shown, without a word of any revision."""
        await self._write(
            remote.pk,
            (asked, canonical),
            recording.record_seen,
            remote,
            asked,
            canonical,
            visibility,
            refusal,
        )

    async def record_refusal(
        self, remote: RemoteView, repo: RepoId, refusal: DefiniteRefusal
    ) -> None:
        """Remember that the repository was refused as a whole."""
        await self._write(remote.pk, (repo,), recording.record_refusal, remote, repo, refusal)

    async def record_no_revision(
        self, remote: RemoteView, repo: RepoId, revision: str, refusal: DefiniteRefusal
    ) -> None:
        """Remember that the repository has no such revision (any more)."""
        await self._write(
            remote.pk, (repo,), recording.record_no_revision, remote, repo, revision, refusal
        )

    async def touch(self, remote: RemoteView, repo: RepoId, revision: str) -> None:
        """Remember that what is known of a revision (by canonical id) may go on for now."""
        await self._write(remote.pk, (repo,), recording.touch, remote, repo, revision)

    async def forget_commit(self, remote: UUID, repo: RepoId, sha: str) -> None:
        """Forget every revision that points to a commit which is no longer held."""
        await self._write(remote, (repo,), recording.forget_commit, remote, repo, sha)

    async def record_refs(self, remote: UUID, repo: RepoId, refs: dict[str, Any]) -> None:
        """Remember the upstream's list of refs."""
        await self._database.call(recording.record_refs, remote, repo, refs)


def _known(asked: RepoId, row: Row) -> Known:
    return Known(
        repo=RepoId(asked.type, row["canonical_id"]),
        visibility=row["visibility"],
        checked_at=row["checked_at"],
        refusal=_refusal(row, ""),
        sha=row["sha"] or "",
        ref_checked_at=row["ref_checked_at"],
        ref_refusal=_refusal(row, "ref_"),
    )


def _refusal(row: Row, prefix: str) -> DefiniteRefusal | None:
    code = row[f"{prefix}refusal"]
    if not code:
        return None
    status, message = row[f"{prefix}refusal_status"], row[f"{prefix}refusal_message"]
    return refusal_from_code(code, status, message) or RepoNotFound(message, status=status)


def ends_serving(refusal: DefiniteRefusal) -> bool:
    """Tell whether a refusal is about the repository as a whole."""
    return isinstance(refusal, RepoNotFound | DisabledRepo | Forbidden)
