"""Who may see what: the same answers cold, held and warm (hub-protocol §2.7)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pulp_hugging_face.hub.errors import GatedRepo, HubError, RepoNotFound, Trouble
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View
from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, FixtureHub

from .fixtures import Makers

pytestmark = pytest.mark.asyncio

ANONYMOUS, NOBODY, OWNER = Caller(), Caller(NOBODY_TOKEN), Caller(OWNER_TOKEN)
CALLERS = [ANONYMOUS, NOBODY, OWNER]
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


async def test_a_new_process_without_the_upstream_grants_nothing(
    cached: View, hub: FixtureHub
) -> None:
    """Grants of callers live in memory: nobody can say now who the owner is."""
    hub.stop()
    other = Store()
    await other.open()
    try:
        assert await outcome(other, cached, ANONYMOUS, "org/repo") == YES
        for caller in CALLERS:
            _, content = await outcome(other, cached, caller, "org/priv")
            assert content is not None and issubclass(content, Trouble | RepoNotFound)
    finally:
        await other.close()


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
