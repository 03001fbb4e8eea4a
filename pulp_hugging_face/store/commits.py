"""Commits as held: lookups of immutable rows, and saving what the upstream told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pulp_hugging_face.app.models import Commit
from pulp_hugging_face.hub.names import RepoId
from pulp_hugging_face.hub.payloads import parse_date, stored_info
from pulp_hugging_face.upstream.client import InfoAnswer

from .db import Database
from .lru import Lru

_TABLE = Commit._meta.db_table
_SELECT = f"""
    SELECT content_ptr_id AS pk, root_tree, info, file_count
    FROM {_TABLE}
    WHERE _pulp_domain_id = %s AND repo_type = %s AND repo_id = %s AND sha = %s
"""
_TOLD = f"SELECT title, author, date FROM {_TABLE} WHERE content_ptr_id = %s"
_CACHED = 2048


@dataclass(frozen=True)
class HeldCommit:
    """A commit we hold. `root_tree` is "" while its root directory has not been listed."""

    pk: UUID
    repo: RepoId
    sha: str
    root_tree: str
    info: dict[str, Any]


@dataclass(frozen=True)
class CommitTold:
    """Title, author and date of a commit, as far as they are known."""

    title: str
    author: str
    date: datetime | None


class Commits:
    """The commits of the database; those that are complete are remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: Lru[tuple[UUID, RepoId, str], HeldCommit] = Lru(_CACHED)

    async def get(self, domain: UUID, repo: RepoId, sha: str) -> HeldCommit | None:
        """Return a commit, or None if it is not held."""
        key = (domain, repo, sha)
        commit = self._cache.get(key)
        if commit is None:
            row = await self._database.fetch_one(_SELECT, (domain, repo.type.value, repo.id, sha))
            if row is None:
                return None
            commit = HeldCommit(row["pk"], repo, sha, row["root_tree"], row["info"])
            if commit.root_tree:
                self._cache.put(key, commit)
        return commit

    async def save(self, domain: UUID, answer: InfoAnswer) -> HeldCommit | None:
        """Hold the commit that the upstream told of; None if it was deleted at once."""
        await self._database.call(save_commit, domain, answer)
        return await self.get(domain, answer.repo, answer.sha)

    async def told(self, commit: HeldCommit) -> CommitTold:
        """Return what a commit list tells of a commit."""
        row = await self._database.fetch_one(_TOLD, (commit.pk,))
        return CommitTold(**row) if row else CommitTold("", "", None)

    def clear(self) -> None:
        """Forget all: some were deleted."""
        self._cache.clear()


def save_commit(domain: UUID, answer: InfoAnswer) -> None:
    """Create the commit's content unit unless it exists. Blocking."""
    Commit.objects.get_or_create(
        repo_type=answer.repo.type.value,
        repo_id=answer.repo.id,
        sha=answer.sha,
        _pulp_domain_id=domain,
        defaults={
            "pulp_domain_id": domain,
            "info": stored_info(answer.info),
            "date": parse_date(answer.info.get("lastModified")),
        },
    )
