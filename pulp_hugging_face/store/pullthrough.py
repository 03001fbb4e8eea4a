"""
What was pulled through joins a repository, in batches: one task for many commits.

A distribution's own repository if it has one that is not pinned, else a hidden repository of the
remote, which keeps Pulp's orphan clean-up from deleting a working cache (architecture §3). What
only some callers' tokens may see always goes to the hidden one, and so does what is gated until
the remote's own token has opened it: a repository serves its files without asking the upstream.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django_guid import get_guid, set_guid
from django_guid.utils import generate_guid
from pulpcore.plugin.models import RepositoryContent
from pulpcore.plugin.tasking import add_and_remove, dispatch

from pulp_hugging_face.app.models import (
    Commit,
    HuggingFaceRemote,
    HuggingFaceRepository,
    KnownRef,
    KnownRepo,
    Ref,
)
from pulp_hugging_face.app.models.plugin import cache_repository_name
from pulp_hugging_face.hub.errors import HubError
from pulp_hugging_face.hub.names import RepoId, is_sha
from pulp_hugging_face.hub.payloads import git_ref_of, parse_date
from pulp_hugging_face.upstream.behalf import in_background
from pulp_hugging_face.upstream.client import HubClient, InfoAnswer
from pulp_hugging_face.upstream.egress import EgressPool

from .db import Database
from .known import KnownStore
from .views import RemoteView, View

log = logging.getLogger("pulp_hugging_face.store")

_REVISIONS = f"""
    SELECT revision FROM {KnownRef._meta.db_table}
    WHERE remote_id = %s AND repo_type = %s AND repo_id = %s AND sha = %s
"""


@dataclass(frozen=True)
class Target:
    """Where a batch goes: a repository, or the remote's hidden one when that is None."""

    domain: str
    remote: RemoteView
    repository: UUID | None


@dataclass(frozen=True)
class Pulled:
    """A revision of a repository and the commit it was found to mean, in a domain."""

    domain: UUID
    repo: RepoId
    revision: str
    sha: str


class PullThrough:
    """The batches of a process."""

    def __init__(self, database: Database, known: KnownStore, egress: EgressPool) -> None:
        self._database = database
        self._known = known
        self._egress = egress
        self._pending: dict[Target, dict[tuple[RepoId, str], Pulled]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, view: View, answer: InfoAnswer, revision: str, *, shared: bool) -> None:
        """Take a (revision, commit) pair into the next batch of the distribution."""
        self._add(view, Pulled(view.domain_pk, answer.repo, revision, answer.sha), shared=shared)

    async def note_opened(self, view: View, repo: RepoId, sha: str) -> None:
        """
        Take a gated commit into the next batch: the remote's own token may have its files.

        With all revisions that it was found by until now, by whichever process.
        """
        assert view.remote is not None
        if view.repository is None or view.version is not None:
            return  # it goes to the hidden one, and did when it was found
        parameters = (view.remote.pk, repo.type.value, repo.id, sha)
        for row in await self._database.fetch(_REVISIONS, parameters):
            self._add(view, Pulled(view.domain_pk, repo, row["revision"], sha), shared=True)

    def _add(self, view: View, pulled: Pulled, *, shared: bool) -> None:
        assert view.remote is not None
        own = view.repository if shared and view.version is None else None
        target = Target(view.domain, view.remote, own)
        batch = self._pending.setdefault(target, {})
        if not batch:
            with in_background("pull-through"):
                task = asyncio.create_task(self._flush_later(target), name="hugging_face batch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        batch[(pulled.repo, pulled.revision)] = pulled

    async def close(self) -> None:
        """Drop the open batches: the next time a revision is asked for, it is noted again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _flush_later(self, target: Target) -> None:
        await asyncio.sleep(settings.HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS)
        batch = list(self._pending.pop(target).values())
        try:
            for pulled in batch:
                await self._describe(target.remote, pulled)
            count = await self._database.call(add_missing, target, batch, domain=target.domain)
        except Exception:  # the boundary of a detached task; the next batch repairs it
            log.exception("Adding what was pulled through failed")
            return
        if count:
            log.info("Adding %d pulled-through units to a repository", count)

    async def _describe(self, remote: RemoteView, pulled: Pulled) -> None:
        """Fetch what a content unit tells beyond the info object: full ref names, the author."""
        client = HubClient(self._egress.get(remote.config), remote.config.token)
        try:
            refs, _ = await self._known.refs(remote.pk, pulled.repo)
            if not is_sha(pulled.revision) and git_ref_of(pulled.revision, refs or {}) is None:
                refs = await client.refs(pulled.repo)
                await self._known.record_refs(remote.pk, pulled.repo, refs)
            if await self._database.call(needs_description, pulled):
                data = await client.last_commit(pulled.repo, pulled.sha)
                await self._database.call(describe_commit, pulled, data)
        except HubError as error:
            log.info("%s: %s It is described another time", pulled.repo, error.message)


def _commits(pulled: Pulled) -> Any:
    return Commit.objects.filter(
        _pulp_domain=pulled.domain,
        repo_type=pulled.repo.type.value,
        repo_id=pulled.repo.id,
        sha=pulled.sha,
    )


def needs_description(pulled: Pulled) -> bool:
    """Tell whether a commit's title and author are still unknown. Blocking."""
    return _commits(pulled).filter(title="", author="").exists()


def describe_commit(pulled: Pulled, data: dict[str, Any]) -> None:
    """Store title, author and date from the Hub's commit list. Blocking."""
    if data.get("id") != pulled.sha:
        return
    authors = [str(author.get("user", "")) for author in data.get("authors") or []]
    fields: dict[str, Any] = {
        "title": str(data.get("title") or ""),
        "author": ", ".join(filter(None, authors)),
    }
    date = parse_date(data.get("date"))
    _commits(pulled).update(**fields, **({"date": date} if date else {}))


def add_missing(target: Target, batch: list[Pulled]) -> int:
    """
    Dispatch one task that adds what the repository lacks; return the number of units. Blocking.
    """
    repository = _repository(target)
    if repository is None:
        return 0
    if get_guid() is None:  # a task cannot be without one
        set_guid(generate_guid())
    wanted = {pk for pulled in batch for pk in _units(target.remote.pk, pulled)}
    present = RepositoryContent.objects.filter(
        repository=repository, version_removed=None, content_id__in=wanted
    )
    missing = wanted - set(present.values_list("content_id", flat=True))
    if missing:
        dispatch(
            add_and_remove,
            exclusive_resources=[repository],
            kwargs={
                "repository_pk": str(repository.pk),
                "add_content_units": sorted(str(pk) for pk in missing),
                "remove_content_units": [],
            },
        )
    return len(missing)


def _repository(target: Target) -> HuggingFaceRepository | None:
    remote = HuggingFaceRemote.objects.filter(pk=target.remote.pk).first()
    if remote is None:
        return None
    # It must still have the address and token that opened what is to join.
    if target.repository is not None and target.remote.describes(remote):
        return HuggingFaceRepository.objects.filter(pk=target.repository).first()
    repository, _ = HuggingFaceRepository.objects.get_or_create(
        name=cache_repository_name(remote),
        pulp_domain=remote.pulp_domain,
        defaults={"user_hidden": True, "retain_repo_versions": 1},
    )
    return repository


def _units(remote: UUID, pulled: Pulled) -> list[UUID]:
    """Return the commit's pk and that of the ref that led to it, created if need be."""
    commit = _commits(pulled).first()
    if commit is None:
        return []
    units = [commit.pk]
    name = None if is_sha(pulled.revision) else _ref_name(remote, pulled)
    if name:
        ref, _ = Ref.objects.get_or_create(
            repo_type=commit.repo_type,
            repo_id=commit.repo_id,
            name=name,
            sha=commit.sha,
            _pulp_domain_id=commit.pulp_domain_id,
            defaults={"pulp_domain_id": commit.pulp_domain_id},
        )
        units.append(ref.pk)
    return units


def _ref_name(remote: UUID, pulled: Pulled) -> str | None:
    known = KnownRepo.objects.filter(
        remote_id=remote, repo_type=pulled.repo.type.value, repo_id=pulled.repo.id
    ).first()
    return git_ref_of(pulled.revision, (known.refs if known else None) or {})
