"""
To whom upstreams showed what is not public: kept in the database, remembered for a moment.

So that all processes answer alike, and a restart while the upstream is away changes nothing. How
long a grant counts is for `access` to say.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pulp_hugging_face.app.models import KnownGrant
from pulp_hugging_face.hub.names import RepoId

from .db import Database
from .lru import Lru

# Seconds in which this process does not look whether another one has revoked a grant.
TRUST = 2.0
_REMEMBERED = 10_000

_TABLE = KnownGrant._meta.db_table
_LOAD = f"""
    SELECT granted_at FROM {_TABLE}
    WHERE remote_id = %s AND repo_type = %s AND repo_id = %s AND token_hash = %s AND content = %s
"""


@dataclass(frozen=True)
class GrantKey:
    """
    Who was shown what: a token at an upstream (a hash, see `Access.identity`) and a repository.

    `content` is about its files, else about the repository itself.
    """

    remote: UUID
    repo: RepoId
    identity: str
    content: bool


@dataclass(frozen=True)
class _Read:
    """What the database said (None: no grant), and when it was asked (monotonic)."""

    granted_at: datetime | None
    at: float


class Grants:
    """The grants of all processes, as one of them sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: Lru[GrantKey, _Read] = Lru(_REMEMBERED)

    async def age(self, key: GrantKey) -> float:
        """Return the seconds since the upstream said yes, infinite if it never did."""
        read = self._read.get(key)
        if read is None or time.monotonic() - read.at > TRUST:
            read = _Read(await self._load(key), time.monotonic())
            self._read.put(key, read)
        if read.granted_at is None:
            return float("inf")
        return (datetime.now(UTC) - read.granted_at).total_seconds()

    async def _load(self, key: GrantKey) -> datetime | None:
        repo = key.repo
        parameters = (key.remote, repo.type.value, repo.id, key.identity, key.content)
        row = await self._database.fetch_one(_LOAD, parameters)
        return row["granted_at"] if row else None

    async def give(self, key: GrantKey) -> None:
        """Note that the upstream said yes just now."""
        now = datetime.now(UTC)
        await self._database.call(_give, key, now)
        self._read.put(key, _Read(now, time.monotonic()))

    async def take(self, *keys: GrantKey) -> None:
        """Note that the upstream said no: for this process at once, for others in a moment."""
        for key in keys:
            self._read.put(key, _Read(None, time.monotonic()))
        await self._database.call(_take, keys)

    async def take_all(self, remote: UUID, identity: str) -> None:
        """Note that a token is not valid at all."""
        self._read.clear()
        await self._database.call(_take_all, remote, identity)


def _give(key: GrantKey, now: datetime) -> None:
    row = KnownGrant(
        remote_id=key.remote,
        repo_type=key.repo.type.value,
        repo_id=key.repo.id,
        token_hash=key.identity,
        content=key.content,
        granted_at=now,
    )
    KnownGrant.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["remote", "repo_type", "repo_id", "token_hash", "content"],
        update_fields=["granted_at"],
    )


def _take(keys: tuple[GrantKey, ...]) -> None:
    for key in keys:
        KnownGrant.objects.filter(
            remote_id=key.remote,
            repo_type=key.repo.type.value,
            repo_id=key.repo.id,
            token_hash=key.identity,
            content=key.content,
        ).delete()


def _take_all(remote: UUID, identity: str) -> None:
    KnownGrant.objects.filter(remote_id=remote, token_hash=identity).delete()
