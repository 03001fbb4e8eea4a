"""What is asked and saved is counted once, whoever writes it down."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from django.db import DatabaseError

from pulp_hugging_face.app.models import Tally
from pulp_hugging_face.store.db import Database
from pulp_hugging_face.store.tally import Handling, Tallies, add_up
from pulp_hugging_face.store.views import View
from pulp_hugging_face.upstream.behalf import current

from .fixtures import Makers

pytestmark = pytest.mark.asyncio


@pytest.fixture
def view(makers: Makers) -> View:
    return makers.view()


@pytest.fixture
def tallies(database: Database) -> Tallies:
    return Tallies(database)


async def written(view: View) -> dict[str, tuple[int, int, int, int]]:
    """Return asked, saved, limited and delayed by bucket."""
    assert view.remote is not None
    rows = Tally.objects.filter(remote=view.remote.pk)
    return await asyncio.to_thread(
        lambda: {row.kind: (row.asked, row.saved, row.limited, row.delayed) for row in rows}
    )


async def test_counts_of_several_processes_add_up(database: Database, view: View) -> None:
    assert view.remote is not None
    processes = [Tallies(database) for _ in range(4)]
    for number, process in enumerate(processes):
        for _ in range(number + 1):
            process.saved(view, "api")
            process.note(view.remote.config.id, "api", "asked")
        process.note(view.remote.config.id, "resolvers", "limited")
        process.note(view.remote.config.id, "resolvers", "delayed")
    await asyncio.gather(*(process.flush() for process in processes))
    await asyncio.gather(*(process.flush() for process in processes))
    assert await written(view) == {"api": (10, 10, 0, 0), "resolvers": (0, 0, 4, 4)}


async def test_closing_writes_down_what_is_left(tallies: Tallies, view: View) -> None:
    tallies.start()
    tallies.saved(view, "pages")
    await tallies.close()
    assert await written(view) == {"pages": (0, 1, 0, 0)}


async def test_a_deleted_remote_takes_its_counts_along(
    tallies: Tallies, view: View, makers: Makers
) -> None:
    assert view.remote is not None
    gone = await asyncio.to_thread(makers.remote)
    tallies.note(str(gone.pk), "api", "asked")
    tallies.saved(view, "api")
    await asyncio.to_thread(gone.delete)
    await tallies.flush()
    assert await written(view) == {"api": (0, 1, 0, 0)}
    assert not await asyncio.to_thread(Tally.objects.filter(remote_id=gone.pk).exists)


async def test_what_cannot_be_written_now_is_written_later(
    tallies: Tallies, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        tallies.saved(view, "api")  # counted meanwhile
        raise DatabaseError("gone")

    tallies.saved(view, "api")
    with monkeypatch.context() as patch:
        patch.setattr(tallies._database, "call", fail)
        await tallies.flush()
    assert await written(view) == {}
    await tallies.flush()
    assert await written(view) == {"api": (0, 2, 0, 0)}


async def test_nothing_is_written_when_nothing_happened() -> None:
    await Tallies(None).flush()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "status", "target", "saved"),
    [
        ("GET", 200, "/org/repo/resolve/main/x", {"resolvers": 1}),
        ("HEAD", 404, "/org/repo/resolve/main/x", {"resolvers": 1}),
        ("GET", 304, "/api/models/org/repo", {"api": 1}),
        ("POST", 200, "/api/models/org/repo/paths-info/main", {"api": 1}),
        ("POST", 403, "/api/repos/create", {}),
        ("DELETE", 405, "/api/repos/delete", {}),
        ("OPTIONS", 204, "/api/models", {}),
        ("GET", 429, "/api/models", {}),
        ("GET", 502, "/api/models", {}),
        ("GET", 200, "/api/resolve-cache/models/org/repo/0/x", {}),
    ],
)
async def test_a_read_that_was_answered_is_saved(
    tallies: Tallies, view: View, method: str, status: int, target: str, saved: dict[str, int]
) -> None:
    with tallies.handling(view, target, "somebody") as handling:
        handling.answered(method, status)
    assert saved_of(tallies) == saved


async def test_only_who_asked_is_not_saved(tallies: Tallies, view: View) -> None:
    """A flight belongs to the one who started it, also when it runs in a task of its own."""
    flights: list[asyncio.Task[None]] = []

    async def ask() -> None:
        current().asked += 1  # as the budget does

    async def request(handling: Handling) -> None:
        if not flights:
            flights.append(asyncio.create_task(ask()))
        await flights[0]
        handling.answered("GET", 200)

    async def client(name: str) -> None:
        with tallies.handling(view, "/api/models/org/repo", name) as handling:
            await request(handling)

    await asyncio.gather(*(client(name) for name in ("first", "second", "third")))
    assert saved_of(tallies) == {"api": 2}


async def test_without_a_remote_there_is_nobody_to_spare(tallies: Tallies, makers: Makers) -> None:
    view = await asyncio.to_thread(makers.view_of, None)
    with tallies.handling(view, "/api/models/org/repo", "somebody") as handling:
        handling.answered("GET", 200)
    assert saved_of(tallies) == {}


async def test_an_empty_batch_is_fine(database: Database) -> None:
    await database.call(add_up, Counter())


def saved_of(tallies: Tallies) -> dict[str, int]:
    return {
        bucket: count for (_, bucket, field), count in tallies._counts.items() if field == "saved"
    }
