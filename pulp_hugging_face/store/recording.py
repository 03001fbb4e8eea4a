"""Writing down what the upstream told. Blocking: call from a worker thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from pulp_hugging_face.app.models import HuggingFaceRemote, KnownRef, KnownRepo
from pulp_hugging_face.app.models.changes import notify_known
from pulp_hugging_face.hub.errors import DefiniteRefusal
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.hub.payloads import stored_info
from pulp_hugging_face.upstream.client import InfoAnswer

from .commits import save_commit
from .views import RemoteView

_OUTCOME = ["checked_at", "refusal", "refusal_status", "refusal_message"]


def _refusal_fields(refusal: DefiniteRefusal | None) -> dict[str, Any]:
    if refusal is None:
        return {"refusal": "", "refusal_status": 0, "refusal_message": ""}
    return {
        "refusal": refusal.code or type(refusal).__name__,
        "refusal_status": refusal.status,
        "refusal_message": refusal.message,
    }


def _is_current(remote: RemoteView) -> bool:
    """
    Tell whether a remote still has the address and token it was asked with; keep it so for now.

    What one token was told must not be written down after another has taken its place. The lock
    lasts until the transaction ends; an administrator's change takes it first as well.
    """
    rows = HuggingFaceRemote.objects.select_for_update(no_key=True, of=("self",))
    row = rows.filter(pk=remote.pk).only("url", "hf_token", "token_mode").first()
    return row is not None and remote.describes(row)


@contextmanager
def _telling(remote: UUID, names: set[RepoId], revision: str = "") -> Iterator[None]:
    """
    Tell all processes when what they may remember of a repository is another afterwards.

    Clients ask twice for a file of a branch, by HEAD and by GET, and not always the same process:
    the commit must not go back in between.
    """
    before = _told(remote, names, revision)
    yield
    if before and _told(remote, names, revision) != before:
        notify_known()


def _told(remote: UUID, names: set[RepoId], revision: str) -> list[tuple[Any, ...]]:
    ids = [name.id for name in names]
    kinds = {name.type.value for name in names}
    same = {"remote_id": remote, "repo_type__in": kinds, "repo_id__in": ids}
    repos = KnownRepo.objects.filter(**same)
    refs = KnownRef.objects.filter(**same, revision=revision)
    return [
        *repos.order_by("repo_id").values_list("repo_id", "canonical_id", "visibility", "refusal"),
        *refs.order_by("repo_id").values_list("repo_id", "sha", "refusal"),
    ]


def record_answer(
    remote: RemoteView,
    domain: UUID,
    asked: RepoId,
    revision: str,
    answer: InfoAnswer,
    visibility: str,
    refusal: DefiniteRefusal | None,
) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        if not _is_current(remote):
            return
        save_commit(domain, answer)
        names = {asked, answer.repo}
        refs = [
            KnownRef(
                remote_id=remote.pk,
                repo_type=answer.repo.type.value,
                repo_id=answer.repo.id,
                revision=name,
                sha=answer.sha,
                info=stored_info(answer.info),
                checked_at=now,
            )
            for name in sorted({revision, answer.sha})
        ]
        with _telling(remote.pk, names, revision):
            _upsert_repos(remote.pk, names, answer.repo, now, visibility, refusal)
            _upsert(KnownRef, refs, ["sha", "info", *_OUTCOME])


def record_seen(
    remote: RemoteView,
    asked: RepoId,
    canonical: RepoId,
    visibility: str,
    refusal: DefiniteRefusal | None,
) -> None:
    with transaction.atomic():
        if _is_current(remote):
            names = {asked, canonical}
            with _telling(remote.pk, names):
                _upsert_repos(remote.pk, names, canonical, datetime.now(UTC), visibility, refusal)


def _upsert_repos(
    remote: UUID,
    names: set[RepoId],
    canonical: RepoId,
    now: datetime,
    visibility: str,
    refusal: DefiniteRefusal | None,
) -> None:
    rows = [
        KnownRepo(
            remote_id=remote,
            repo_type=name.type.value,
            repo_id=name.id,
            canonical_id=canonical.id,
            visibility=visibility,
            checked_at=now,
            **_refusal_fields(refusal),
        )
        for name in sorted(names, key=str)
    ]
    _upsert(KnownRepo, rows, ["canonical_id", "visibility", *_OUTCOME])


def _upsert(model: type, rows: list[Any], fields: list[str]) -> None:
    unique = list(model._meta.unique_together[0])  # type: ignore[attr-defined]
    model.objects.bulk_create(  # type: ignore[attr-defined]
        rows, update_conflicts=True, unique_fields=unique, update_fields=fields
    )


def record_refusal(remote: RemoteView, repo: RepoId, refusal: DefiniteRefusal) -> None:
    row = KnownRepo(
        remote_id=remote.pk,
        repo_type=repo.type.value,
        repo_id=repo.id,
        canonical_id=repo.id,
        checked_at=datetime.now(UTC),
        **_refusal_fields(refusal),
    )
    with transaction.atomic():
        if _is_current(remote):
            with _telling(remote.pk, {repo}):
                _upsert(KnownRepo, [row], _OUTCOME)


def record_no_revision(
    remote: RemoteView, repo: RepoId, revision: str, refusal: DefiniteRefusal
) -> None:
    row = KnownRef(
        remote_id=remote.pk,
        repo_type=repo.type.value,
        repo_id=repo.id,
        revision=revision,
        checked_at=datetime.now(UTC),
        **_refusal_fields(refusal),
    )
    with transaction.atomic():
        if _is_current(remote):
            with _telling(remote.pk, {repo}, revision):
                _upsert(KnownRef, [row], ["sha", *_OUTCOME])


def touch(remote: RemoteView, repo: RepoId, revision: str) -> None:
    with transaction.atomic():
        if _is_current(remote):
            KnownRef.objects.filter(
                remote=remote.pk, repo_type=repo.type.value, repo_id=repo.id, revision=revision
            ).update(checked_at=datetime.now(UTC))


def forget_commit(remote: UUID, repo: RepoId, sha: str) -> None:
    KnownRef.objects.filter(
        remote=remote, repo_type=repo.type.value, repo_id=repo.id, sha=sha
    ).delete()


def record_refs(remote: UUID, repo: RepoId, refs: dict[str, Any]) -> None:
    _rows_of(remote, repo).update(refs=refs, refs_checked_at=datetime.now(UTC))


def _rows_of(remote: UUID, repo: RepoId) -> Any:
    return KnownRepo.objects.filter(remote_id=remote, repo_type=repo.type.value, repo_id=repo.id)
