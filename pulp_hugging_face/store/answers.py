"""
Answers of the upstream's API that are passed through, kept for a while (architecture §4, api).

Kept in the database, so that all processes give the same answer, by what was asked and by who may
have been shown it: what one caller's token was answered never reaches another's.
"""

import hashlib
import json
import logging
import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from pulp_hugging_face.app.models import KnownAnswer
from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    Forbidden,
    RepoNotFound,
    refusal_from_code,
)
from pulp_hugging_face.upstream.client import HubClient, RawAnswer

from .access import still_counts
from .db import Database
from .inquiries import Inquiries, Inquiry
from .views import RemoteView

log = logging.getLogger("pulp_hugging_face.store")

_TABLE = KnownAnswer._meta.db_table
_LOAD = f"""
    SELECT status, headers, body, checked_at FROM {_TABLE} WHERE remote_id = %s AND key = %s
"""
# One write in so many looks whether the table has grown too large.
_PRUNE_EVERY = 200
# Longer answers are passed on, but not kept.
_MAX_KEPT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Question:
    """
    What is asked of the upstream's API.

    `target` is path and query below the remote's URL; `identity` who may see the answer (a hash,
    "" for everybody who may use the remote); `ttl` seconds it counts as fresh, None for ever;
    `body` makes it a POST; `repo` names the repository it is about; `kept` False asks each time;
    `follow` takes the answer from where the upstream redirects to; `granted` tells that an answer
    is for whom the upstream lets see it, and counts no longer than a grant does.
    """

    target: str
    identity: str = ""
    ttl: float | None = 60.0
    accept: str = "application/json"
    body: Any = None
    repo: str = ""
    kept: bool = True
    follow: bool = False
    granted: bool = False

    @property
    def key(self) -> str:
        """Return what tells questions of different askers apart."""
        parts = [self.identity, self.accept, self.target]
        if self.body is not None:
            parts.append(json.dumps(self.body, sort_keys=True))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Answered:
    """An answer, and whether the upstream could not be asked whether it still holds."""

    answer: RawAnswer
    stale: bool = field(default=False)

    def json(self) -> Any:
        """Return the body as data."""
        return json.loads(self.answer.body)


class Answers:
    """Asks, remembers, and goes on with what is remembered while the upstream is in trouble."""

    def __init__(self, database: Database, inquiries: Inquiries) -> None:
        self._database = database
        self._inquiries = inquiries

    async def ask(self, remote: RemoteView, client: HubClient, question: Question) -> Answered:
        """
        Return the upstream's answer, or the last one while it is fresh or nobody can say.

        Raises DefiniteRefusal when the upstream refuses, and Trouble when there is no answer.
        """
        kept, age = await self._load(remote.pk, question)
        if kept is not None and (question.ttl is None or age < question.ttl):
            return Answered(kept)
        if question.granted and not still_counts(age):
            kept = None
        inquiry = Inquiry(
            remote.config,
            question.target.partition("?")[0],
            (remote.config, question.key),
            lambda: self._ask_upstream(remote, client, question),
        )
        reply = await self._inquiries.ask(inquiry, older=kept is not None)
        answer = reply.answer or kept
        assert answer is not None
        return Answered(answer, reply.stale)

    async def _load(self, remote: UUID, question: Question) -> tuple[RawAnswer | None, float]:
        if not question.kept:
            return None, 0.0
        row = await self._database.fetch_one(_LOAD, (remote, question.key))
        if row is None:
            return None, 0.0
        age = (datetime.now(UTC) - row["checked_at"]).total_seconds()
        return RawAnswer(row["status"], row["headers"], zlib.decompress(row["body"])), age

    async def _ask_upstream(
        self, remote: RemoteView, client: HubClient, question: Question
    ) -> RawAnswer:
        answer = await client.fetch(
            question.target, accept=question.accept, body=question.body, follow=question.follow
        )
        if answer.status >= 400:
            await self._database.call(_forget, remote.pk, question)
            refusal = _refusal(remote, question, answer)
            if refusal is not None:
                raise refusal
        elif question.kept and len(answer.body) <= _MAX_KEPT:
            await self._database.call(_record, remote.pk, question, answer)
        return answer


def _refusal(remote: RemoteView, question: Question, answer: RawAnswer) -> DefiniteRefusal | None:
    """Return the refusal in an answer; a bare 400, 401 or 404 of a route is just an answer."""
    code = answer.headers.get("X-Error-Code", "")
    message = remote.config.rewriter.sentence(answer.headers.get("X-Error-Message", ""))
    refusal = refusal_from_code(code, answer.status, message)
    if isinstance(refusal, RepoNotFound | Forbidden) and not (code or question.repo):
        return None
    return refusal


def _record(remote: UUID, question: Question, answer: RawAnswer) -> None:
    packed = zlib.compress(answer.body, 6)
    row = KnownAnswer(
        remote_id=remote,
        key=question.key,
        target=question.target,
        repo=question.repo,
        status=answer.status,
        headers=answer.headers,
        body=packed,
        size=len(packed),
        immutable=question.ttl is None,
        checked_at=datetime.now(UTC),
    )
    KnownAnswer.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["remote", "key"],
        update_fields=["target", "status", "headers", "body", "size", "immutable", "checked_at"],
    )
    if random.randrange(_PRUNE_EVERY) == 0:
        _prune(remote)


def _forget(remote: UUID, question: Question) -> None:
    KnownAnswer.objects.filter(remote_id=remote, key=question.key).delete()


def _prune(remote: UUID) -> None:
    """Keep the table within its bounds: oldest first."""
    rows = KnownAnswer.objects.filter(remote_id=remote)
    limit = settings.HUGGING_FACE_API_CACHE_BYTES
    aged = datetime.now(UTC) - timedelta(seconds=settings.HUGGING_FACE_API_CACHE_MAX_AGE)
    rows.filter(immutable=False, checked_at__lt=aged).delete()
    excess = (rows.aggregate(total=Sum("size"))["total"] or 0) - limit
    if excess <= 0:
        return
    doomed = []
    for pk, size in rows.order_by("checked_at").values_list("pk", "size").iterator():
        doomed.append(pk)
        excess -= size
        if excess <= 0:
            break
    rows.filter(pk__in=doomed).delete()
