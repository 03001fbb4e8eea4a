"""What joins a distribution's repository is served from it without asking who may have it."""

import asyncio
import uuid
from typing import Any

import pytest
import pytest_asyncio
from pulpcore.plugin.models import ContentArtifact, Domain, Task
from pulpcore.plugin.tasking import add_and_remove

from pulp_hugging_face.app.models import Commit, HuggingFaceRemote, HuggingFaceRepository, Ref
from pulp_hugging_face.app.models.plugin import cache_repository_name
from pulp_hugging_face.store.distributions import remote_view
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import RemoteView, View
from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, FixtureHub, repo

from pulp_hugging_face.tests.unit.store.fixtures import Makers  # isort: skip
from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

SECRET = b"only for those who asked\n"
INFO, TREE = f"{P}/api/models/org/closed", f"{P}/api/models/org/closed/tree/main"
FILE = f"{P}/org/closed/resolve/main/secret.txt"


class Library:
    """A repository, distributions that fill it, and what is in it."""

    def __init__(self, store: Store, makers: Makers, serving: Serving) -> None:
        self._store, self._makers, self._serving = store, makers, serving

    async def call(self, function: Any, *args: Any) -> Any:
        return await self._store.database.call(function, *args, domain=self._makers.domain.name)

    async def found(self) -> "Library":
        def create() -> HuggingFaceRepository:
            domain = self._makers.domain
            return HuggingFaceRepository.objects.create(name=uuid.uuid4().hex, pulp_domain=domain)

        self.repository = await self.call(create)
        return self

    def view(self, remote: RemoteView | None, **fields: Any) -> View:
        return self._makers.view_of(remote, repository=self.repository.pk, **fields)

    async def remote(self, **fields: Any) -> RemoteView:
        values = {"metadata_ttl": 600, **fields}
        return await self.call(lambda: self._makers.remote_view(**values))

    async def serve(self, view: View) -> Client:
        return await self._serving(view)

    async def join(self) -> None:
        """End the open batches and do what their tasks would."""
        await asyncio.gather(*self._store._pull_through._tasks)
        await self.call(self._run_tasks)

    def _run_tasks(self) -> None:
        waiting = Task.objects.filter(
            pulp_domain=self._makers.domain, name__endswith="add_and_remove", state="waiting"
        )
        for task in waiting.order_by("pulp_created"):
            add_and_remove(**task.enc_kwargs)
            Task.objects.filter(pk=task.pk).update(state="completed")

    async def shas(self, remote: RemoteView | None = None) -> set[str]:
        """Return the commits in the repository, or in a remote's hidden one."""

        def look() -> set[str]:
            name = self.repository.name
            if remote is not None:
                name = cache_repository_name(HuggingFaceRemote.objects.get(pk=remote.pk))
            repository = HuggingFaceRepository.objects.filter(name=name).first()
            if repository is None:
                return set()
            found = Commit.objects.filter(pk__in=repository.latest_version().content)
            return set(found.values_list("sha", flat=True))

        return await self.call(look)  # type: ignore[no-any-return]

    async def refs(self) -> set[str]:
        def look() -> set[str]:
            found = Ref.objects.filter(pk__in=self.repository.latest_version().content)
            return set(found.values_list("name", flat=True))

        return await self.call(look)  # type: ignore[no-any-return]

    async def pinned(self) -> Any:
        return await self.call(lambda: self.repository.latest_version().pk)

    async def seen_by_pulpcore(self, path: str) -> int:
        """Look as pulpcore's content handler does for a path in a repository version."""

        def look() -> int:
            content = self.repository.latest_version().content
            return ContentArtifact.objects.filter(content__in=content, relative_path=path).count()

        return await self.call(look)  # type: ignore[no-any-return]

    async def held(self, path: str) -> None:
        """Wait until a file is held, and its path to it written down."""

        def look() -> bool:
            return ContentArtifact.objects.filter(
                relative_path=path, artifact__isnull=False, content__pulp_domain=self.domain
            ).exists()

        async with asyncio.timeout(30):
            while not await self.call(look):
                await asyncio.sleep(0.05)

    @property
    def domain(self) -> Domain:
        return self._makers.domain


@pytest_asyncio.fixture
async def library(store: Store, makers: Makers, serving: Serving, settings: Any) -> Library:
    settings.HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS = 0
    return await Library(store, makers, serving).found()


@pytest.fixture
def closed(hub: FixtureHub) -> FixtureHub:
    hub.declare(repo("org/closed", {"secret.txt": SECRET}, gated="manual"))
    hub.reset()
    return hub


def path_of(hub: FixtureHub) -> str:
    return f"org/closed/resolve/{hub.sha('org/closed')}/secret.txt"


@pytest_asyncio.fixture
async def without_right(library: Library, closed: FixtureHub) -> RemoteView:
    """A remote that was shown the information of a gated repository, which another one fetched."""
    remote = await library.remote(hf_token=NOBODY_TOKEN)
    stranger = await library.serve(library.view(remote))
    assert (await get(stranger, INFO))[0] == (await get(stranger, TREE))[0] == 200
    assert (await get(stranger, FILE))[0] == 403
    await library.join()
    entitled = library._makers.view_of(await library.remote(hf_token=OWNER_TOKEN))
    assert (await get(await library.serve(entitled), FILE))[2] == SECRET
    await library.held(path_of(closed))
    await library.join()
    assert (await get(stranger, INFO))[0] == (await get(stranger, TREE))[0] == 200
    assert (await get(stranger, FILE))[0] == 403
    return remote


async def test_without_a_right_to_files_a_gated_commit_joins_the_hidden_repository_only(
    library: Library, without_right: RemoteView, closed: FixtureHub
) -> None:
    assert await library.shas() == set()
    assert await library.shas(without_right) == {closed.sha("org/closed")}
    assert await library.seen_by_pulpcore(path_of(closed)) == 0


async def test_a_repository_filled_without_a_right_serves_no_gated_file(
    library: Library, without_right: RemoteView
) -> None:
    client = await library.serve(library.view(None))
    status, headers, body = await get(client, FILE)
    assert (status, headers["X-Error-Code"]) == (404, "RepoNotFound") and SECRET not in body


async def test_a_version_filled_without_a_right_serves_no_gated_file(
    library: Library, without_right: RemoteView
) -> None:
    client = await library.serve(library.view(without_right, version=await library.pinned()))
    status, headers, body = await get(client, FILE)
    assert (status, headers["X-Error-Code"]) == (403, "GatedRepo") and SECRET not in body


async def test_a_remote_that_never_had_a_right_serves_no_gated_file_while_the_hub_is_away(
    library: Library, without_right: RemoteView, closed: FixtureHub, store: Store
) -> None:
    def change() -> RemoteView:
        remote = HuggingFaceRemote.objects.get(pk=without_right.pk)
        remote.hf_token = "hf_another"
        remote.save()
        return remote_view(remote)

    changed = await library.call(change)
    store._changed()
    client = await library.serve(library.view(changed))
    closed.stop()
    status, _, body = await get(client, FILE)
    assert status in (429, 502) and SECRET not in body


async def test_a_gated_commit_joins_once_the_remote_has_opened_a_file(
    library: Library, closed: FixtureHub
) -> None:
    remote = await library.remote(hf_token=OWNER_TOKEN)
    client = await library.serve(library.view(remote))
    for target in (INFO, TREE):
        assert (await get(client, target))[0] == 200
    await library.join()
    assert await library.shas() == set()
    assert (await get(client, FILE, "HEAD"))[0] == 200
    await library.join()
    assert await library.shas() == {closed.sha("org/closed")}
    assert await library.refs() == {"refs/heads/main"}
    assert (await get(client, FILE))[2] == SECRET
    await library.held(path_of(closed))
    assert await library.seen_by_pulpcore(path_of(closed)) == 1
    closed.stop()
    assert (await get(await library.serve(library.view(None)), FILE))[2] == SECRET


async def test_another_process_that_opens_the_file_brings_the_branch_along(
    library: Library, closed: FixtureHub, makers: Makers, serving: Serving
) -> None:
    remote = await library.remote(hf_token=OWNER_TOKEN)
    client = await library.serve(library.view(remote))
    assert (await get(client, INFO))[0] == 200
    other = Store()
    await other.open()
    try:
        from pulp_hugging_face.hub.names import RepoId, RepoType
        from pulp_hugging_face.store.views import NOBODY

        view = library.view(remote)
        found = await other.resolve(view, NOBODY, RepoId(RepoType.MODEL, "org/closed"), "main")
        await other.check_access(view, NOBODY, found, "secret.txt")
        await asyncio.gather(*other._pull_through._tasks)
        await library.join()
    finally:
        await other.close()
    assert await library.refs() == {"refs/heads/main"}


async def test_what_is_found_while_the_right_is_fresh_joins_at_once(
    library: Library, closed: FixtureHub
) -> None:
    remote = await library.remote(hf_token=OWNER_TOKEN, metadata_ttl=0)
    client = await library.serve(library.view(remote))
    assert (await get(client, FILE))[2] == SECRET
    old, new = closed.sha("org/closed"), closed.add_commit("org/closed", {"b": "b"})
    assert (await get(client, INFO))[0] == 200
    await library.join()
    assert await library.shas() == {old, new}


async def test_a_right_that_was_lost_lets_nothing_more_join(
    library: Library, closed: FixtureHub, settings: Any
) -> None:
    settings.HUGGING_FACE_GRANT_TTL = 0
    remote = await library.remote(hf_token=OWNER_TOKEN, metadata_ttl=0)
    client = await library.serve(library.view(remote))
    assert (await get(client, FILE))[2] == SECRET
    await library.join()
    old = closed.sha("org/closed")
    assert await library.shas() == {old}
    closed.update_repo("org/closed", readers=[])
    new = closed.add_commit("org/closed", {"secret.txt": "newer\n"})
    assert (await get(client, INFO))[0] == 200
    assert (await get(client, FILE))[0] == 403
    await library.join()
    assert await library.shas() == {old}
    assert await library.shas(remote) >= {new}


async def test_an_answer_to_a_token_that_was_replaced_meanwhile_joins_the_hidden_repository(
    library: Library, hub: FixtureHub, settings: Any
) -> None:
    hub.declare(repo("org/closed", {"secret.txt": SECRET}, private=True))
    settings.HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS = 1
    remote = await library.remote(hf_token=OWNER_TOKEN)
    client = await library.serve(library.view(remote))
    assert (await get(client, INFO))[0] == 200

    def change() -> None:
        changed = HuggingFaceRemote.objects.get(pk=remote.pk)
        changed.hf_token = NOBODY_TOKEN
        changed.save()

    await library.call(change)
    await library.join()
    assert await library.shas() == set()


@pytest.mark.parametrize(
    ("visibility", "mode", "token", "where"),
    [
        ({}, "shared", None, "own"),
        ({}, "client", None, "own"),
        ({"private": True}, "shared", OWNER_TOKEN, "own"),
        ({"private": True}, "shared", NOBODY_TOKEN, None),
        ({"private": True}, "client", None, "hidden"),
        ({"gated": "manual"}, "shared", OWNER_TOKEN, "own"),
        ({"gated": "manual"}, "shared", NOBODY_TOKEN, "hidden"),
        ({"gated": "manual"}, "client", None, "hidden"),
        ({"private": True, "gated": "manual"}, "shared", OWNER_TOKEN, "own"),
        ({"private": True, "gated": "manual"}, "client", None, "hidden"),
    ],
)
async def test_only_what_everybody_may_have_joins_the_repository(
    library: Library, hub: FixtureHub, visibility: Any, mode: str, token: Any, where: str | None
) -> None:
    """Whoever asks has a token of their own that may see everything."""
    hub.declare(repo("org/closed", {"secret.txt": SECRET}, **visibility))
    remote = await library.remote(hf_token=token, token_mode=mode)
    client = await library.serve(library.view(remote))
    for target in (INFO, FILE):
        await get(client, target, Authorization=f"Bearer {OWNER_TOKEN}")
    await library.join()
    sha = {hub.sha("org/closed")}
    assert await library.shas() == (sha if where == "own" else set())
    if where == "hidden":
        assert await library.shas(remote) == sha
