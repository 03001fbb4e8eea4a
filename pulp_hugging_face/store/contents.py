"""Refs and commits in a repository version."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pulp_hugging_face.app.models import Commit, Ref
from pulp_hugging_face.hub.names import DEFAULT_BRANCH, RepoId, RepoType, is_sha
from pulp_hugging_face.hub.payloads import info_object

from .db import Database
from .views import View

_REF = Ref._meta.db_table
_COMMIT = Commit._meta.db_table
_VERSION = "SELECT repository_id, number FROM core_repositoryversion WHERE pulp_id = %s"
_LATEST = """
    SELECT repository_id, number FROM core_repositoryversion
    WHERE repository_id = %s AND complete ORDER BY number DESC LIMIT 1
"""
# By repository and content, never by the version's array of ids: that is slow when it is large.
_JOIN_VERSION = """
    JOIN core_repositorycontent rc
      ON rc.content_id = c.content_ptr_id AND rc.repository_id = %s
    JOIN core_repositoryversion added ON added.pulp_id = rc.version_added_id
    LEFT JOIN core_repositoryversion removed ON removed.pulp_id = rc.version_removed_id
"""
_OF_TYPE = """
    WHERE added.number <= %s AND (removed.number IS NULL OR removed.number > %s)
      AND c.repo_type = %s
"""
_IN_VERSION = f"{_JOIN_VERSION} {_OF_TYPE} AND c.repo_id = %s"
_REFS = f"SELECT c.name, c.sha FROM {_REF} c {_IN_VERSION}"
_COMMIT_OF = f"SELECT c.sha FROM {_COMMIT} c {_IN_VERSION} AND c.sha = %s"
_ANY_COMMIT = f"SELECT c.sha FROM {_COMMIT} c {_IN_VERSION} LIMIT 1"
_INFOS = f"""
    SELECT k.repo_id, k.sha, k.info FROM {_REF} c {_JOIN_VERSION}
    JOIN {_COMMIT} k ON k.repo_type = c.repo_type AND k.repo_id = c.repo_id AND k.sha = c.sha
     AND k._pulp_domain_id = c._pulp_domain_id
    {_OF_TYPE} AND c.name = %s
"""


@dataclass(frozen=True)
class Version:
    """A repository version."""

    repository: UUID
    number: int


class Contents:
    """Lookups in what a distribution's repository holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self, view: View) -> Version | None:
        """Return the version a distribution serves: the pinned one, or the latest."""
        if view.version:
            row = await self._database.fetch_one(_VERSION, (view.version,))
        elif view.repository:
            row = await self._database.fetch_one(_LATEST, (view.repository,))
        else:
            row = None
        return Version(row["repository_id"], row["number"]) if row else None

    async def refs(self, version: Version, repo: RepoId) -> dict[str, str]:
        """Return the refs of a repository in a version: full git ref → sha."""
        rows = await self._database.fetch(_REFS, _parameters(version, repo))
        return {row["name"]: row["sha"] for row in rows}

    async def infos(self, version: Version, kind: RepoType) -> list[dict[str, Any]]:
        """Return the info objects of all repositories of a type, at their default branch."""
        number = version.number
        branch = f"refs/heads/{DEFAULT_BRANCH}"
        parameters = (version.repository, number, number, kind.value, branch)
        rows = await self._database.fetch(_INFOS, parameters)
        return [info_object(row["info"], row["repo_id"], row["sha"]) for row in rows]

    async def sha_of(self, version: Version, repo: RepoId, revision: str) -> str | None:
        """Return the commit a revision means in a version, or None."""
        if is_sha(revision):
            row = await self._database.fetch_one(
                _COMMIT_OF, (*_parameters(version, repo), revision)
            )
            return revision if row else None
        refs = await self.refs(version, repo)
        candidates = (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
        return next((refs[name] for name in candidates if name in refs), None)

    async def has_repo(self, version: Version, repo: RepoId) -> bool:
        """Tell whether a version has any commit of a repository."""
        return await self._database.fetch_one(_ANY_COMMIT, _parameters(version, repo)) is not None


def _parameters(version: Version, repo: RepoId) -> tuple[object, ...]:
    number = version.number
    return (version.repository, number, number, repo.type.value, repo.id)
