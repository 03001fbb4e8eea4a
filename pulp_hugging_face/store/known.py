"""
What the upstream last told: where a revision points, and what may be seen (architecture §3, Known).

Shared by all processes through the database; nothing here is trusted for longer than its age says.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

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

from .commits import save_commit
from .db import Database, Row

_REPO = KnownRepo._meta.db_table
_REF = KnownRef._meta.db_table
_LOAD = f"""
    SELECT r.repo_id, r.canonical_id, r.visibility, r.opened, r.checked_at, r.refusal,
           r.refusal_status, r.refusal_message, r.refs IS NOT NULL AS has_refs,
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
_OUTCOME = ["checked_at", "refusal", "refusal_status", "refusal_message"]


@dataclass(frozen=True)
class Known:
    """
    What one remote knows of a repository and of one of its revisions.

    `checked_at` and `ref_checked_at` are when; `refusal` and `ref_refusal` what was refused then;
    `sha` is "" while the revision is unknown.
    """

    repo: RepoId
    visibility: str = "public"
    opened: bool = False
    checked_at: datetime | None = None
    refusal: DefiniteRefusal | None = None
    sha: str = ""
    ref_checked_at: datetime | None = None
    ref_refusal: DefiniteRefusal | None = None
    has_refs: bool = field(default=False, compare=False)

    @property
    def is_public(self) -> bool:
        """Tell whether everybody may see the repository's content."""
        return self.visibility == "public" and self.refusal is None

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

    async def load(self, remote: UUID, repo: RepoId, revision: str) -> Known | None:
        """Return what is known of a repository (by any of its ids) and a revision."""
        parameters = (revision, remote, repo.type.value, repo.id)
        row = await self._database.fetch_one(_LOAD, parameters)
        return _known(repo, row) if row else None

    async def refs(self, remote: UUID, repo: RepoId) -> tuple[dict[str, Any] | None, float]:
        """Return the refs last listed by the upstream and their age in seconds."""
        row = await self._database.fetch_one(_REFS, (remote, repo.type.value, repo.id))
        if row is None:
            return None, float("inf")
        return row["refs"], _age(row["refs_checked_at"])

    async def record_answer(
        self,
        remote: UUID,
        domain: UUID,
        asked: RepoId,
        revision: str,
        answer: InfoAnswer,
        visibility: str,
    ) -> None:
        """Store the commit, and that this remote was told of it."""
        await self._database.call(
            _record_answer, remote, domain, asked, revision, answer, visibility
        )

    async def record_refusal(self, remote: UUID, repo: RepoId, refusal: DefiniteRefusal) -> None:
        """Remember that the repository was refused as a whole."""
        await self._database.call(_record_refusal, remote, repo, refusal)

    async def record_no_revision(
        self, remote: UUID, repo: RepoId, revision: str, refusal: DefiniteRefusal
    ) -> None:
        """Remember that the repository has no such revision (any more)."""
        await self._database.call(_record_no_revision, remote, repo, revision, refusal)

    async def forget_commit(self, remote: UUID, repo: RepoId, sha: str) -> None:
        """Forget every revision that points to a commit which is no longer held."""
        await self._database.call(_forget_commit, remote, repo, sha)

    async def record_opened(self, remote: UUID, repo: RepoId, *, opened: bool) -> None:
        """Remember whether the remote's credentials may read a gated repository's files."""
        await self._database.call(_record_opened, remote, repo, opened)

    async def record_refs(self, remote: UUID, repo: RepoId, refs: dict[str, Any]) -> None:
        """Remember the upstream's list of refs."""
        await self._database.call(_record_refs, remote, repo, refs)


def _known(asked: RepoId, row: Row) -> Known:
    return Known(
        repo=RepoId(asked.type, row["canonical_id"]),
        visibility=row["visibility"],
        opened=row["opened"],
        checked_at=row["checked_at"],
        refusal=_refusal(row, ""),
        sha=row["sha"] or "",
        ref_checked_at=row["ref_checked_at"],
        ref_refusal=_refusal(row, "ref_"),
        has_refs=row["has_refs"],
    )


def _refusal(row: Row, prefix: str) -> DefiniteRefusal | None:
    code = row[f"{prefix}refusal"]
    if not code:
        return None
    status, message = row[f"{prefix}refusal_status"], row[f"{prefix}refusal_message"]
    return refusal_from_code(code, status, message) or RepoNotFound(message, status=status)


def _refusal_fields(refusal: DefiniteRefusal | None) -> dict[str, Any]:
    if refusal is None:
        return {"refusal": "", "refusal_status": 0, "refusal_message": ""}
    return {
        "refusal": refusal.code or type(refusal).__name__,
        "refusal_status": refusal.status,
        "refusal_message": refusal.message,
    }


def ends_serving(refusal: DefiniteRefusal) -> bool:
    """Tell whether a refusal is about the repository as a whole."""
    return isinstance(refusal, RepoNotFound | DisabledRepo | Forbidden)


def _record_answer(
    remote: UUID, domain: UUID, asked: RepoId, revision: str, answer: InfoAnswer, visibility: str
) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        save_commit(domain, answer)
        _upsert_repos(remote, {asked, answer.repo}, answer.repo, now, visibility)
        refs = [
            KnownRef(
                remote_id=remote,
                repo_type=answer.repo.type.value,
                repo_id=answer.repo.id,
                revision=name,
                sha=answer.sha,
                checked_at=now,
            )
            for name in sorted({revision, answer.sha})
        ]
        _upsert(KnownRef, refs, ["sha", *_OUTCOME])


def _upsert_repos(
    remote: UUID, names: set[RepoId], canonical: RepoId, now: datetime, visibility: str
) -> None:
    """`opened` is left alone: a probe sets it, a change of credentials resets everything."""
    rows = [
        KnownRepo(
            remote_id=remote,
            repo_type=name.type.value,
            repo_id=name.id,
            canonical_id=canonical.id,
            visibility=visibility,
            checked_at=now,
        )
        for name in sorted(names, key=str)
    ]
    _upsert(KnownRepo, rows, ["canonical_id", "visibility", *_OUTCOME])


def _upsert(model: type, rows: list[Any], fields: list[str]) -> None:
    unique = list(model._meta.unique_together[0])  # type: ignore[attr-defined]
    model.objects.bulk_create(  # type: ignore[attr-defined]
        rows, update_conflicts=True, unique_fields=unique, update_fields=fields
    )


def _record_refusal(remote: UUID, repo: RepoId, refusal: DefiniteRefusal) -> None:
    row = KnownRepo(
        remote_id=remote,
        repo_type=repo.type.value,
        repo_id=repo.id,
        canonical_id=repo.id,
        checked_at=datetime.now(UTC),
        **_refusal_fields(refusal),
    )
    _upsert(KnownRepo, [row], ["opened", *_OUTCOME])


def _record_no_revision(
    remote: UUID, repo: RepoId, revision: str, refusal: DefiniteRefusal
) -> None:
    row = KnownRef(
        remote_id=remote,
        repo_type=repo.type.value,
        repo_id=repo.id,
        revision=revision,
        checked_at=datetime.now(UTC),
        **_refusal_fields(refusal),
    )
    _upsert(KnownRef, [row], ["sha", *_OUTCOME])


def _forget_commit(remote: UUID, repo: RepoId, sha: str) -> None:
    KnownRef.objects.filter(
        remote=remote, repo_type=repo.type.value, repo_id=repo.id, sha=sha
    ).delete()


def _record_opened(remote: UUID, repo: RepoId, opened: bool) -> None:
    _rows_of(remote, repo).update(opened=opened)


def _record_refs(remote: UUID, repo: RepoId, refs: dict[str, Any]) -> None:
    _rows_of(remote, repo).update(refs=refs, refs_checked_at=datetime.now(UTC))


def _rows_of(remote: UUID, repo: RepoId) -> Any:
    return KnownRepo.objects.filter(remote_id=remote, repo_type=repo.type.value, repo_id=repo.id)
