"""
How often the upstream was asked, and how often it did not have to be.

A client's request counts as saved when it was answered and nothing was sent to the Hub on its
behalf meanwhile (`upstream.behalf`). One that waited for what another had asked for is saved as
well. What is asked in the background counts as asked, and unsaves nobody once the answer has been
given. Counted in memory and written down in batches: a process that dies loses a few seconds.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from pulp_hugging_face.app.models import HuggingFaceRemote, Tally
from pulp_hugging_face.hub.limits import bucket_of
from pulp_hugging_face.upstream.behalf import Behalf, on_behalf_of
from pulp_hugging_face.upstream.budget import What

from .db import DATABASE_ERRORS, Database
from .views import View

log = logging.getLogger("pulp_hugging_face.store")

FLUSH_INTERVAL = 3.0
FIELDS = ("asked", "saved", "limited", "delayed")

# Remote, bucket and field.
Key = tuple[str, str, str]


class Handling:
    """A client's request while it is handled."""

    def __init__(self, tallies: "Tallies", view: View, target: str, behalf: Behalf) -> None:
        self._tallies = tallies
        self._view = view
        self._target = target
        self._behalf = behalf

    def answered(self, method: str, status: int) -> None:
        """Count the request as saved if it was a read, answered without the upstream."""
        read = method in ("GET", "HEAD") or (method == "POST" and status < 400)
        if self._behalf.asked or not read or status >= 500 or status == 429:
            return
        bucket = bucket_of(self._target)
        if bucket is not None:
            self._tallies.saved(self._view, bucket)


class Tallies:
    """The counts of a process since they were last written down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[Key] = Counter()
        self._writer: asyncio.Task[None] | None = None

    @contextmanager
    def handling(self, view: View, target: str, caller: str) -> Iterator[Handling]:
        """
        Let what is asked inside be on a caller's behalf.

        `target` is the raw path below the endpoint; `caller` tells who shares the budget fairly.
        """
        with on_behalf_of(caller) as behalf:
            yield Handling(self, view, target, behalf)

    def saved(self, view: View, bucket: str) -> None:
        """Count a request of a client that the upstream was spared."""
        if view.remote is not None:
            self._counts[view.remote.config.id, bucket, "saved"] += 1

    def note(self, remote: str, bucket: str, what: What) -> None:
        """Count what happened to a request to the upstream (upstream.budget.Meter)."""
        self._counts[remote, bucket, what] += 1

    def start(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write(), name="hugging_face tally")

    async def close(self) -> None:
        """Write what is left and stop."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        await self.flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted; what cannot be written now is kept for later."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await self._database.call(add_up, counts)
        except DATABASE_ERRORS as error:
            self._counts.update(counts)
            log.warning("Requests are counted, but cannot be written down now: %s", error)
        except asyncio.CancelledError:
            self._counts.update(counts)
            raise


def add_up(counts: Counter[Key]) -> None:
    """Add counts to those of the remotes that still exist. Blocking."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for (remote, bucket, field), count in counts.items():
        rows.setdefault((remote, bucket), {})[field] = count
    present = HuggingFaceRemote.objects.filter(pk__in={remote for remote, _ in rows})
    known = {str(pk) for pk in present.values_list("pk", flat=True)}
    # In order: two processes that write the same rows must not wait for each other.
    ordered = [(UUID(key[0]), key[1], rows[key]) for key in sorted(rows) if key[0] in known]
    try:
        with transaction.atomic():
            for row in ordered:
                _add(*row)
    except IntegrityError:  # a remote was deleted meanwhile: write the others one by one
        for row in ordered:
            with suppress(IntegrityError), transaction.atomic():
                _add(*row)


def _add(remote: UUID, bucket: str, fields: dict[str, int]) -> None:
    mine = Tally.objects.filter(remote_id=remote, kind=bucket)
    increments = {field: F(field) + count for field, count in fields.items()}
    if mine.update(**increments):
        return
    try:
        with transaction.atomic():
            Tally.objects.create(remote_id=remote, kind=bucket, **fields)
    except IntegrityError:  # another process was faster
        mine.update(**increments)
