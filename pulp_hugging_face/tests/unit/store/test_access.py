"""Who may see what: the same answers cold, held and warm (hub-protocol §2.7)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from django.db.models import F

from pulp_hugging_face.app.models import KnownGrant
from pulp_hugging_face.app.tasks import prune_grants
from pulp_hugging_face.hub.errors import (
    GatedRepo,
    HubError,
    InvalidCredentials,
    RepoNotFound,
    Trouble,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store import grants
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View
from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, FixtureHub, UserSpec

from .fixtures import Makers

pytestmark = pytest.mark.asyncio

ANONYMOUS, NOBODY, OWNER = Caller(), Caller(NOBODY_TOKEN), Caller(OWNER_TOKEN)
CALLERS = [ANONYMOUS, NOBODY, OWNER]
OWNER_USER = UserSpec("owner", OWNER_TOKEN, "The Owner", ("org",))
OK = None

# mode (token of the remote) → repository → what anonymous, nobody and owner get for
# (the repository, its files).
Outcome = tuple[type[HubError] | None, type[HubError] | None]
NO = (RepoNotFound, RepoNotFound)
YES = (OK, OK)
LOOK = (OK, GatedRepo)
MATRIX: dict[tuple[str, str | None], dict[str, list[Outcome]]] = {
    ("shared", OWNER_TOKEN): {
        "org/repo": [YES, YES, YES],
        "org/gated": [YES, YES, YES],
        "org/priv": [YES, YES, YES],
    },
    ("shared", NOBODY_TOKEN): {
        "org/repo": [YES, YES, YES],
        "org/gated": [LOOK, LOOK, LOOK],
        "org/priv": [NO, NO, NO],
    },
    ("shared", None): {
        "org/repo": [YES, YES, YES],
        "org/gated": [LOOK, LOOK, LOOK],
        "org/priv": [NO, NO, NO],
    },
    ("client", None): {
        "org/repo": [YES, YES, YES],
        "org/gated": [LOOK, LOOK, YES],
        "org/priv": [NO, NO, YES],
    },
    ("client", OWNER_TOKEN): {
        "org/repo": [YES, YES, YES],
        "org/gated": [LOOK, LOOK, YES],
        "org/priv": [NO, NO, YES],
    },
}


def model(text: str) -> RepoId:
    return RepoId(RepoType.MODEL, text)


async def outcome(store: Store, view: View, caller: Caller, repo_id: str) -> Outcome:
    """What a caller gets for a repository and for a file of it."""
    try:
        resolution = await store.resolve(view, caller, model(repo_id), "main")
    except HubError as error:
        return type(error), type(error)
    try:
        await store.file(view, caller, resolution, "config.json")
    except HubError as error:
        return OK, type(error)
    return OK, OK


@pytest.mark.parametrize("warmed", [[], [OWNER], [ANONYMOUS, NOBODY, OWNER]], ids=len)
@pytest.mark.parametrize(("mode", "token"), MATRIX, ids=str)
async def test_the_matrix(
    store: Store,
    makers: Makers,
    mode: str,
    token: str | None,
    warmed: list[Caller],
) -> None:
    """In any order of callers; what others were shown or refused before makes no difference."""
    view = await asyncio.to_thread(lambda: makers.view(token_mode=mode, hf_token=token))
    expected = MATRIX[mode, token]
    for repo_id, wanted in expected.items():
        for caller in warmed:
            await outcome(store, view, caller, repo_id)
        for _ in range(2):
            found = [await outcome(store, view, caller, repo_id) for caller in CALLERS]
            assert found == wanted, repo_id
        backwards = [await outcome(store, view, caller, repo_id) for caller in CALLERS[::-1]]
        assert backwards[::-1] == wanted, repo_id


async def test_all_at_once_the_matrix_is_the_same(store: Store, makers: Makers) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client"))
    for repo_id, wanted in MATRIX["client", None].items():
        found = await asyncio.gather(
            *(outcome(store, view, caller, repo_id) for caller in CALLERS * 5)
        )
        assert found == wanted * 5


async def test_the_remotes_token_is_not_used_for_others_in_client_mode(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", hf_token=OWNER_TOKEN))
    await outcome(store, view, ANONYMOUS, "org/priv")
    assert {entry.authorization for entry in hub.log()} == {None}


async def test_a_callers_token_is_not_sent_in_shared_mode(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="shared"))
    await outcome(store, view, OWNER, "org/gated")
    assert {entry.authorization for entry in hub.log()} == {None}


async def test_a_public_repository_is_asked_for_without_the_callers_token(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client"))
    await outcome(store, view, OWNER, "org/repo")
    assert {entry.authorization for entry in hub.log()} == {None}


@pytest_asyncio.fixture
async def cached(store: Store, makers: Makers, hub: FixtureHub) -> AsyncIterator[View]:
    """A cache in client mode that the owner has filled."""
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", metadata_ttl=600))
    for repo_id in ("org/repo", "org/gated", "org/priv"):
        assert await outcome(store, view, OWNER, repo_id) == YES
    yield view


async def test_without_the_upstream_nobody_gets_more_than_before(
    store: Store, cached: View, hub: FixtureHub
) -> None:
    hub.stop()
    for caller in CALLERS:
        assert await outcome(store, cached, caller, "org/repo") == YES
    for repo_id in ("org/gated", "org/priv"):
        assert await outcome(store, cached, OWNER, repo_id) == YES
        for caller in (ANONYMOUS, NOBODY):
            _, content = await outcome(store, cached, caller, repo_id)
            assert content is not None and (issubclass(content, Trouble | RepoNotFound))


@pytest_asyncio.fixture
async def other(cached: View) -> AsyncIterator[Store]:
    """Another process on the same database, which has nothing in memory."""
    made = Store()
    await made.open()
    yield made
    await made.close()


async def test_a_new_process_without_the_upstream_grants_the_same(
    other: Store, cached: View, hub: FixtureHub
) -> None:
    hub.stop()
    for repo_id in ("org/repo", "org/priv", "org/gated"):
        assert await outcome(other, cached, OWNER, repo_id) == YES
    assert await outcome(other, cached, ANONYMOUS, "org/repo") == YES
    for caller in (ANONYMOUS, NOBODY):
        for repo_id in ("org/priv", "org/gated"):
            _, content = await outcome(other, cached, caller, repo_id)
            assert content is not None and issubclass(content, Trouble | RepoNotFound)


async def test_a_grant_that_is_too_old_counts_no_more_without_the_upstream(
    other: Store, cached: View, hub: FixtureHub, settings: Any
) -> None:
    hub.stop()
    settings.HUGGING_FACE_GRANT_MAX_AGE = 3600
    await asyncio.to_thread(age_grants, 3500)
    assert await outcome(other, cached, OWNER, "org/priv") == YES
    await asyncio.to_thread(age_grants, 200)
    await asyncio.sleep(grants.TRUST)
    for repo_id in ("org/priv", "org/gated"):
        _, content = await outcome(other, cached, OWNER, repo_id)
        assert content is not None and issubclass(content, Trouble)
    assert await outcome(other, cached, OWNER, "org/repo") == YES
    hub.start()


def age_grants(seconds: float) -> None:
    KnownGrant.objects.update(granted_at=F("granted_at") - timedelta(seconds=seconds))


async def test_what_one_process_finds_revoked_ends_in_the_others(
    store: Store, other: Store, cached: View, hub: FixtureHub, settings: Any
) -> None:
    assert await outcome(other, cached, OWNER, "org/gated") == YES
    hub.update_repo("org/gated", readers=[])
    settings.HUGGING_FACE_GRANT_TTL = 0
    try:
        assert await outcome(store, cached, OWNER, "org/gated") == LOOK
        hub.stop()
        await asyncio.sleep(grants.TRUST)
        _, content = await outcome(other, cached, OWNER, "org/gated")
        assert content is not None and issubclass(content, Trouble)
    finally:
        hub.start()
        hub.load("standard")


async def test_a_token_that_is_revoked_loses_everything(
    store: Store, cached: View, hub: FixtureHub, settings: Any
) -> None:
    settings.HUGGING_FACE_GRANT_TTL = 0
    hub.revoke_token(OWNER_TOKEN)
    try:
        _, content = await outcome(store, cached, OWNER, "org/gated")
        assert content is InvalidCredentials
        assert not await asyncio.to_thread(KnownGrant.objects.filter(remote=cached.remote.pk).count)
    finally:
        hub.add_users(OWNER_USER)


async def test_no_token_is_in_the_database(cached: View) -> None:
    rows = await asyncio.to_thread(lambda: list(KnownGrant.objects.values_list("token_hash")))
    assert rows and all(OWNER_TOKEN not in row[0] and len(row[0]) == 64 for row in rows)


async def test_a_grant_of_another_upstream_says_nothing(
    store: Store, makers: Makers, cached: View
) -> None:
    """An administrator corrects the address while answers are still on their way."""
    remote = cached.remote
    moved = replace(remote, config=replace(remote.config, url="https://hub.example"))
    access = store._access
    assert access.identity(remote, OWNER) != access.identity(moved, OWNER)


async def test_a_private_repository_can_be_gated_as_well(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    """Who may know of it need not have its files, whether they are held or not."""
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", metadata_ttl=600))
    hub.update_repo("org/priv", gated="manual")
    try:
        assert await outcome(store, view, OWNER, "org/priv") == YES
        assert {entry.kind for entry in hub.log()} >= {"resolve_head"}
    finally:
        hub.load("standard")


async def test_a_login_page_grants_nothing(store: Store, makers: Makers, hub: FixtureHub) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", metadata_ttl=600))
    assert await outcome(store, view, ANONYMOUS, "org/gated") == LOOK
    hub.fault("redirect_to", kind="resolve_head", location="/login")
    for caller in (ANONYMOUS, OWNER):
        _, content = await outcome(store, view, caller, "org/gated")
        assert content is not None and issubclass(content, Trouble)
    hub.clear_faults()
    assert await outcome(store, view, NOBODY, "org/gated") == LOOK


async def test_old_grants_are_removed(cached: View) -> None:
    count = KnownGrant.objects.filter(remote=cached.remote.pk).count
    assert await asyncio.to_thread(prune_grants) == 0
    kept = await asyncio.to_thread(count)
    await asyncio.to_thread(age_grants, 8 * 24 * 3600)
    assert await asyncio.to_thread(prune_grants) >= kept > 0
    assert await asyncio.to_thread(count) == 0


async def test_a_gated_repository_that_opens_is_open_when_it_is_asked_for_again(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", metadata_ttl=0))
    assert await outcome(store, view, ANONYMOUS, "org/gated") == LOOK
    hub.update_repo("org/gated", gated=False)
    try:
        assert await outcome(store, view, ANONYMOUS, "org/gated") == YES
    finally:
        hub.load("standard")


async def test_a_public_repository_that_becomes_private_is_private_for_all_but_its_owner(
    store: Store, makers: Makers, hub: FixtureHub
) -> None:
    view = await asyncio.to_thread(lambda: makers.view(token_mode="client", metadata_ttl=0))
    for caller in CALLERS:
        assert await outcome(store, view, caller, "org/repo") == YES
    hub.update_repo("org/repo", private=True)
    try:
        found = [await outcome(store, view, caller, "org/repo") for caller in CALLERS]
        assert found == [NO, NO, YES]
    finally:
        hub.load("standard")
