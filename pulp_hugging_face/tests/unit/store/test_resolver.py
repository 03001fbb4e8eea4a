"""From a revision to a commit: freshness, refusals, trouble (architecture §4, Freshness)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from pulp_hugging_face.app.models import Commit, HuggingFaceRemote, KnownRef, KnownRepo
from pulp_hugging_face.app.models.changes import notify_known
from pulp_hugging_face.hub.errors import (
    DisabledRepo,
    HubError,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
    Trouble,
    UpstreamBusy,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store import known, moves, trees
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View
from pulp_hugging_face.tests.hub import (
    INVALID_TOKEN,
    NOBODY_TOKEN,
    OWNER_TOKEN,
    FixtureHub,
    repo,
)

from .fixtures import Makers

pytestmark = pytest.mark.asyncio

ANYONE = Caller()


def model(text: str) -> RepoId:
    return RepoId(RepoType.MODEL, text)


REPO = model("org/fresh")
TREE_FAULTS: list[dict[str, Any]] = [
    {"mode": "status", "status": 500},
    {"mode": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"mode": "mislabelled", "text": "{}"},
    {"mode": "offline"},
]


@pytest.fixture
def fresh(hub: FixtureHub) -> FixtureHub:
    """A repository of which nothing is known yet."""
    hub.declare(repo("org/fresh", {"config.json": "{}\n"}, aliases=("old/fresh",)))
    hub.reset()
    return hub


async def ask(store: Store, view: View, revision: str | None = "main", repo: RepoId = REPO) -> Any:
    return await store.resolve(view, ANYONE, repo, revision)


def age(seconds: float, **which: Any) -> None:
    """Make everything that is known older. Blocking."""
    then = datetime.now(UTC) - timedelta(seconds=seconds)
    KnownRef.objects.filter(**which).update(checked_at=then)
    KnownRepo.objects.filter(**which).update(checked_at=then)


async def grow_old(view: View, seconds: float = 1e6) -> None:
    assert view.remote is not None
    await asyncio.to_thread(age, seconds, remote_id=view.remote.pk)


@pytest.fixture
def view(makers: Makers) -> View:
    return makers.view(metadata_ttl=600)


# Freshness.


async def test_a_branch_is_asked_for_once_while_it_is_fresh(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    for _ in range(3):
        assert (await ask(store, view)).commit.sha == fresh.sha("org/fresh")
    assert fresh.counters().kinds == {"api_info": 1}


async def test_the_default_branch_is_main(store: Store, view: View, fresh: FixtureHub) -> None:
    assert (await ask(store, view, None)).commit.sha == fresh.sha("org/fresh")


async def test_a_new_commit_is_seen_when_the_old_answer_is_no_longer_fresh(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    first = (await ask(store, view)).commit.sha
    second = fresh.add_commit("org/fresh", {"b": "b"})
    assert (await ask(store, view)).commit.sha == first
    await grow_old(view)
    assert (await ask(store, view)).commit.sha == second != first


async def test_a_ttl_of_nothing_always_asks(
    store: Store, makers: Makers, fresh: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(metadata_ttl=0))
    for n in range(3):
        sha = fresh.add_commit("org/fresh", {"n": str(n)})
        assert (await ask(store, view)).commit.sha == sha
    assert fresh.counters().of("api_info") == 3


async def test_a_full_sha_never_goes_stale(store: Store, view: View, fresh: FixtureHub) -> None:
    sha = fresh.sha("org/fresh")
    await ask(store, view, sha)
    await grow_old(view)
    fresh.stop()
    assert (await ask(store, view, sha)).commit.sha == sha


async def test_the_sha_of_a_branch_is_known_with_it(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    sha = (await ask(store, view)).commit.sha
    assert (await ask(store, view, sha)).commit.sha == sha
    assert fresh.counters().of("api_info") == 1


async def test_many_who_ask_cost_one_question(store: Store, view: View, fresh: FixtureHub) -> None:
    answers = await asyncio.gather(*(ask(store, view) for _ in range(20)))
    assert {answer.commit.sha for answer in answers} == {fresh.sha("org/fresh")}
    assert fresh.counters().of("api_info") == 1


async def test_while_one_asks_again_others_get_the_old_answer(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    old = (await ask(store, view)).commit.sha
    await grow_old(view)
    new = fresh.add_commit("org/fresh", {"b": "b"})
    number = fresh.fault("hold", kind="api_info")
    first = asyncio.create_task(ask(store, view))
    await asyncio.to_thread(fresh.wait_for_request, "api_info", 2)
    second = await ask(store, view)
    assert second.commit.sha == old and not second.stale
    fresh.clear_faults(number)
    assert (await first).commit.sha == new


async def test_what_one_process_learned_another_knows(view: View, fresh: FixtureHub) -> None:
    for _ in range(2):
        store = Store()
        await store.open()
        await ask(store, view)
        await store.close()
    assert fresh.counters().of("api_info") == 1


@pytest_asyncio.fixture
async def other(view: View) -> AsyncIterator[Store]:
    """Another process on the same database."""
    made = Store()
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize("change", ["commit", "deleted branch", "private"])
async def test_what_changes_in_one_process_is_not_remembered_in_another(
    store: Store,
    other: Store,
    view: View,
    fresh: FixtureHub,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """A client's HEAD and GET may reach two processes: the second must not be behind the first."""
    monkeypatch.setattr(known, "TRUST", 600.0)
    fresh.set_ref("org/fresh", "refs/heads/side", "main")
    await listening(other)

    async def side(process: Store) -> str:
        try:
            return str((await ask(process, view, "side")).commit.sha)
        except HubError as error:
            return type(error).__name__

    before = await side(store)
    assert await side(other) == before
    if change == "commit":
        fresh.add_commit("org/fresh", {"b": "b"}, ref="side")
    elif change == "private":
        fresh.update_repo("org/fresh", private=True)
    else:
        fresh.delete_ref("org/fresh", "refs/heads/side")
    await grow_old(view)
    store._known.clear()  # as if TRUST had passed
    after = await side(store)
    assert after != before
    async with asyncio.timeout(10):
        while await side(other) != after:
            await asyncio.sleep(0.01)


async def listening(process: Store) -> None:
    """Return when a process hears notifications."""
    heard = asyncio.Event()
    moved, process.distributions._moved = process.distributions._moved, heard.set
    async with asyncio.timeout(10):
        while not heard.is_set():
            await process.database.call(notify_known)
            await asyncio.sleep(0.01)
    process.distributions._moved = moved


# Trouble.


@pytest.mark.parametrize(
    "fault",
    [
        {"mode": "offline"},
        {"mode": "status", "status": 503},
        {"mode": "status", "status": 404},
        {"mode": "status", "status": 429},
        {"mode": "hold"},
        {"mode": "mislabelled"},
        {"mode": "redirect_to", "location": "http://127.0.0.3:1/"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_in_trouble_the_old_answer_goes_on(
    store: Store, view: View, fresh: FixtureHub, fault: dict[str, Any]
) -> None:
    sha = (await ask(store, view)).commit.sha
    await grow_old(view)
    fresh.fault(fault.pop("mode"), kind="api_info", **fault)
    answer = await ask(store, view)
    assert answer.commit.sha == sha and answer.stale


async def test_an_upstream_in_trouble_is_left_in_peace(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    await ask(store, view)
    await grow_old(view)
    fresh.fault("status", status=503)
    for _ in range(5):
        await ask(store, view)
    asked = fresh.counters().of("api_info")
    await ask(store, view)
    assert fresh.counters().of("api_info") == asked


@pytest.mark.parametrize(
    ("status", "kind"), [(503, UpstreamUnavailable), (429, UpstreamBusy), (404, Trouble)]
)
async def test_trouble_is_told_when_nothing_is_known(
    store: Store, view: View, fresh: FixtureHub, status: int, kind: type[HubError]
) -> None:
    fresh.fault("status", status=status, headers={"Retry-After": "1"})
    with pytest.raises(kind) as told:
        await ask(store, view)
    assert told.value.retry_after
    fresh.clear_faults()
    await asyncio.sleep(told.value.retry_after if status == 429 else 0)
    assert (await ask(store, view)).commit.sha == fresh.sha("org/fresh")


async def test_trouble_erases_nothing(store: Store, view: View, fresh: FixtureHub) -> None:
    sha = (await ask(store, view)).commit.sha
    await grow_old(view)
    fresh.stop()
    for revision in ("main", sha, "main"):
        assert (await ask(store, view, revision)).commit.sha == sha


@pytest.mark.parametrize("fault", TREE_FAULTS, ids=str)
async def test_a_branch_moves_only_to_a_commit_that_could_be_listed(
    store: Store, makers: Makers, fresh: FixtureHub, fault: dict[str, Any]
) -> None:
    """Else what was warmed would fail: the old commit can answer everything, the new one cannot."""
    view = await asyncio.to_thread(lambda: makers.view(metadata_ttl=0, sock_read_timeout=1.0))
    old = await ask(store, view)
    assert await store.entries(view, ANYONE, old, recursive=True, limit=9)
    new = fresh.add_commit("org/fresh", {"b": "b"})
    number = fresh.fault(kind="api_tree", **fault)
    for _ in range(2):
        still = await ask(store, view)
        assert still.commit == (await ask(store, view, old.commit.sha)).commit and still.stale
        assert await store.entries(view, ANYONE, still, recursive=True, limit=9)
    fresh.clear_faults(number)
    async with asyncio.timeout(30):
        while (await ask(store, view)).commit.sha != new:
            await asyncio.sleep(0.1)


async def test_a_listing_that_takes_long_goes_on_behind(
    store: Store, makers: Makers, fresh: FixtureHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "PATIENCE", 0.1)
    view = await asyncio.to_thread(lambda: makers.view(metadata_ttl=0))
    old = await ask(store, view)
    assert await store.entries(view, ANYONE, old, recursive=True, limit=9)
    new = fresh.add_commit("org/fresh", {"b": "b"})
    number = fresh.fault("hold", kind="api_tree")
    for _ in range(2):
        still = await ask(store, view)
        assert still.commit.sha == old.commit.sha and not still.stale
    assert fresh.counters().of("api_tree") == 2
    fresh.clear_faults(number)
    async with asyncio.timeout(30):
        while (await ask(store, view)).commit.sha != new:
            await asyncio.sleep(0.05)
    assert fresh.counters().of("api_tree") == 2


async def test_a_file_is_asked_for_alone_where_listings_fail(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    fresh.fault(kind="api_tree", mode="status", status=500)
    found = await store.file(view, ANYONE, await ask(store, view), "config.json")
    assert found.entry.size == 3


@pytest.mark.parametrize("comes", ["api_tree", "paths_info"])
async def test_a_slow_listing_and_the_question_about_one_file_race(
    store: Store,
    view: View,
    fresh: FixtureHub,
    monkeypatch: pytest.MonkeyPatch,
    comes: str,
) -> None:
    """A Hub that takes seconds for each answer must not be asked one thing after the other."""
    monkeypatch.setattr(trees, "LISTING_PATIENCE", 0.1)
    found = await ask(store, view)
    holds = {kind: fresh.fault("hold", kind=kind) for kind in ("api_tree", "paths_info")}
    wanted = asyncio.create_task(store.file(view, ANYONE, found, "config.json"))
    for kind in holds:
        await asyncio.to_thread(fresh.wait_for_request, kind)
    fresh.clear_faults(holds[comes])
    async with asyncio.timeout(30):
        assert (await wanted).entry.size == 3


# Refusals.


@pytest.mark.parametrize(
    "mode",
    [
        "shared",
        pytest.param(
            "client",
        ),
    ],
)
async def test_a_missing_repository_is_remembered_for_a_while(
    store: Store, makers: Makers, hub: FixtureHub, mode: str
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode=mode))
    for _ in range(3):
        with pytest.raises(RepoNotFound):
            await ask(store, view, repo=model("org/nope"))
    assert hub.counters().of("api_info") == 1


async def test_a_repository_that_appears_is_found_later(
    store: Store, view: View, hub: FixtureHub
) -> None:
    with pytest.raises(RepoNotFound):
        await ask(store, view, repo=model("org/nope"))
    hub.declare(repo("org/nope", {"a": "a"}))
    await grow_old(view)
    try:
        assert (await ask(store, view, repo=model("org/nope"))).commit.sha == hub.sha("org/nope")
    finally:
        hub.delete_repo("org/nope")


async def test_a_missing_revision_says_nothing_of_the_others(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    await ask(store, view)
    for _ in range(3):
        with pytest.raises(RevisionNotFound):
            await ask(store, view, "nope")
    assert fresh.counters().of("api_info") == 2
    assert (await ask(store, view)).commit.sha == fresh.sha("org/fresh")


async def test_a_deleted_branch_ends(store: Store, view: View, fresh: FixtureHub) -> None:
    sha = fresh.add_commit("org/fresh", {"x": "x"}, ref="main")
    fresh.set_ref("org/fresh", "gone", sha)
    await ask(store, view, "gone")
    fresh.delete_ref("org/fresh", "refs/heads/gone")
    await grow_old(view)
    with pytest.raises(RevisionNotFound):
        await ask(store, view, "gone")
    assert (await ask(store, view, sha)).commit.sha == sha


@pytest.mark.parametrize(
    ("change", "kind"), [({"disabled": True}, DisabledRepo), ({"private": True}, RepoNotFound)]
)
async def test_a_definite_refusal_ends_serving_what_is_held(
    store: Store, view: View, fresh: FixtureHub, change: dict[str, bool], kind: type[HubError]
) -> None:
    sha = (await ask(store, view)).commit.sha
    fresh.update_repo("org/fresh", **change)
    await grow_old(view)
    with pytest.raises(kind):
        await ask(store, view)
    with pytest.raises(kind):
        await ask(store, view, sha)
    fresh.stop()  # trouble does not make a refusal undone
    await grow_old(view)
    with pytest.raises(HubError):
        await ask(store, view)


async def test_the_right_to_a_full_sha_is_asked_for_from_time_to_time(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    sha = fresh.sha("org/fresh")
    for _ in range(3):
        await ask(store, view, sha)
    assert fresh.counters().of("api_info") == 1
    fresh.update_repo("org/fresh", private=True)
    await grow_old(view)
    with pytest.raises(RepoNotFound):
        await ask(store, view, sha)


async def test_an_old_name_leads_to_the_new_one_also_offline(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    for _ in range(2):
        with pytest.raises(RepoMoved) as moved:
            await ask(store, view, repo=model("old/fresh"))
        assert moved.value.repo_id == "org/fresh"
        fresh.stop()
    assert (await ask(store, view)).commit.sha


async def test_a_rejected_token_of_the_remote_does_not_end_what_is_public(
    store: Store, makers: Makers, fresh: FixtureHub
) -> None:
    made = await asyncio.to_thread(lambda: makers.view(metadata_ttl=600, hf_token=OWNER_TOKEN))
    sha = (await ask(store, made)).commit.sha
    rejected = {"X-Error-Message": "Invalid credentials in Authorization header"}
    fresh.fault("status", status=401, kind="api_info", headers=rejected)
    await grow_old(made)
    answer = await ask(store, made)
    assert answer.commit.sha == sha and answer.stale


async def test_a_rejected_token_is_told_when_nothing_is_known(
    store: Store, makers: Makers, fresh: FixtureHub
) -> None:
    made = await asyncio.to_thread(lambda: makers.view(hf_token=INVALID_TOKEN))
    with pytest.raises(HubError) as refused:
        await ask(store, made)
    assert refused.value.status == 401


# Changes of our own.


async def test_a_commit_that_was_removed_is_fetched_again(
    store: Store, view: View, fresh: FixtureHub
) -> None:
    sha = (await ask(store, view)).commit.sha
    await asyncio.to_thread(Commit.objects.filter(sha=sha).delete)
    assert (await ask(store, view)).commit.sha == sha
    assert await asyncio.to_thread(Commit.objects.filter(sha=sha).exists)


async def test_a_remote_with_another_token_knows_nothing_any_more(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    made = await asyncio.to_thread(lambda: makers.view(hf_token=OWNER_TOKEN))
    assert made.remote is not None
    await ask(store, made, repo=model("org/priv"))

    def change() -> None:
        remote = HuggingFaceRemote.objects.get(pk=made.remote.pk)  # type: ignore[union-attr]
        remote.hf_token = None
        remote.save()

    await asyncio.to_thread(change)
    assert not await asyncio.to_thread(KnownRepo.objects.filter(remote_id=made.remote.pk).exists)


async def test_remotes_do_not_share_what_they_know(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    """A remote with a token never opens a private repository to one without."""
    with_token = await asyncio.to_thread(lambda: makers.view(hf_token=OWNER_TOKEN))
    without = await asyncio.to_thread(lambda: makers.view(token_mode="shared"))
    sha = (await ask(store, with_token, repo=model("org/priv"))).commit.sha
    for revision in ("main", sha):
        with pytest.raises(RepoNotFound):
            await ask(store, without, revision, repo=model("org/priv"))


async def test_an_answer_to_an_old_token_is_not_written_down_for_a_new_one(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    """The administrator changes the token while a question is on its way."""
    made = await asyncio.to_thread(lambda: makers.view(hf_token=OWNER_TOKEN))
    assert made.remote is not None
    pk = made.remote.pk
    number = hub.fault("hold", kind="api_info")
    asking = asyncio.create_task(ask(store, made, repo=model("org/priv")))
    await asyncio.to_thread(hub.wait_for_request, "api_info")

    def change() -> None:
        remote = HuggingFaceRemote.objects.get(pk=pk)
        remote.hf_token = NOBODY_TOKEN
        remote.save()

    await asyncio.to_thread(change)
    hub.clear_faults(number)
    with pytest.raises(Trouble):
        await asking
    assert not await asyncio.to_thread(KnownRepo.objects.filter(remote_id=pk).exists)


async def test_what_a_token_was_refused_changes_nothing_for_those_without(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client"))
    said = []
    for caller in (ANYONE, Caller(NOBODY_TOKEN), ANYONE, Caller(NOBODY_TOKEN)):
        with pytest.raises(RepoNotFound) as refused:
            await store.resolve(view, caller, model("org/priv"), "main")
        said.append(refused.value.status)
    assert said == [401, 404, 401, 404]
    # Without a token once; with it both ways; the rest is remembered.
    assert hub.counters().of("api_info") == 3


async def test_a_spelling_is_not_told_to_those_who_may_not_know(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client"))
    owner = Caller(OWNER_TOKEN)
    await store.resolve(view, owner, model("org/priv"), "main")
    hub.stop()
    with pytest.raises(RepoMoved):
        await store.resolve(view, owner, model("Org/Priv"), "main")
    with pytest.raises(Trouble):
        await store.resolve(view, ANYONE, model("Org/Priv"), "main")
