"""What a repository version holds, and which distribution a path belongs to."""

import asyncio
import uuid

import pytest
from pulpcore.plugin.models import Domain, RepositoryVersion

from pulp_hugging_face.app.models import (
    Commit,
    HuggingFaceDistribution,
    HuggingFaceRepository,
    Ref,
)
from pulp_hugging_face.hub.errors import RepoNotFound, RevisionNotFound
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store.contents import Contents, Version
from pulp_hugging_face.store.db import Database
from pulp_hugging_face.store.distributions import Distributions
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller

from .fixtures import Makers
from .test_trees import REPO, save_commit

pytestmark = pytest.mark.asyncio

OTHER = RepoId(RepoType.DATASET, "org/repo")


def save_ref(domain: Domain, commit: Commit, name: str) -> Ref:
    return Ref.objects.create(
        repo_type=commit.repo_type,
        repo_id=commit.repo_id,
        name=name,
        sha=commit.sha,
        pulp_domain=domain,
        _pulp_domain=domain,
    )


class Shelf:
    """A repository of two versions. Blocking."""

    def __init__(self, domain: Domain) -> None:
        self.repository = HuggingFaceRepository.objects.create(
            name=uuid.uuid4().hex, pulp_domain=domain
        )
        self.old, self.new, self.tagged = (save_commit(domain) for _ in range(3))
        first = [
            save_ref(domain, self.old, "refs/heads/main"),
            save_ref(domain, self.old, "refs/heads/both"),
            save_ref(domain, self.tagged, "refs/tags/both"),
            save_ref(domain, self.tagged, "refs/tags/v1"),
            save_ref(domain, self.old, "refs/pr/1"),
        ]
        self._add(first)
        self._add([save_ref(domain, self.new, "refs/heads/main")])

    def _add(self, units: list[Ref]) -> None:
        with self.repository.new_version() as version:
            version.add_content(type(units[0]).objects.filter(pk__in=[unit.pk for unit in units]))

    def version(self, number: int) -> RepositoryVersion:
        return self.repository.versions.get(number=number)


@pytest.fixture
def shelf(domain: Domain) -> Shelf:
    return Shelf(domain)


async def test_the_latest_version_is_served_unless_one_is_pinned(
    database: Database, makers: Makers, shelf: Shelf
) -> None:
    contents, repository = Contents(database), shelf.repository.pk
    pinned = (await asyncio.to_thread(shelf.version, 1)).pk
    assert await contents.version(makers.view_of(None)) is None
    latest = await contents.version(makers.view_of(None, repository=repository))
    assert latest == Version(repository, 2)
    old = await contents.version(makers.view_of(None, repository=repository, version=pinned))
    assert old == Version(repository, 1)


async def test_a_revision_in_a_version(database: Database, shelf: Shelf) -> None:
    contents = Contents(database)
    old, new = (Version(shelf.repository.pk, number) for number in (1, 2))
    for version, revision, commit in (
        (old, "main", shelf.old),
        (new, "main", shelf.new),
        (new, "v1", shelf.tagged),
        (new, "both", shelf.old),
        (new, "refs/pr/1", shelf.old),
        (new, shelf.new.sha, shelf.new),
    ):
        assert await contents.sha_of(version, REPO, revision) == commit.sha, revision
    for version, revision in ((old, shelf.new.sha), (new, "nope"), (new, "0" * 40)):
        assert await contents.sha_of(version, REPO, revision) is None
    assert await contents.sha_of(new, OTHER, "main") is None


async def test_refs_of_a_version(database: Database, shelf: Shelf) -> None:
    refs = await Contents(database).refs(Version(shelf.repository.pk, 2), REPO)
    assert refs["refs/heads/main"] == shelf.new.sha and len(refs) == 5
    assert await Contents(database).refs(Version(shelf.repository.pk, 2), OTHER) == {}


async def test_a_distribution_without_a_remote_answers_by_itself(
    store: Store, makers: Makers, shelf: Shelf
) -> None:
    view = makers.view_of(None, repository=shelf.repository.pk)
    resolution = await store.resolve(view, Caller(), REPO, "main")
    assert resolution.commit.sha == shelf.new.sha and resolution.known is None
    with pytest.raises(RevisionNotFound):
        await store.resolve(view, Caller(), REPO, "nope")
    with pytest.raises(RepoNotFound):
        await store.resolve(view, Caller(), OTHER, "main")
    refs, stale = await store.refs(view, Caller(), REPO)
    assert not stale
    assert [item["name"] for item in refs["branches"]] == ["both", "main"]


async def test_an_empty_distribution_has_no_repository(store: Store, makers: Makers) -> None:
    with pytest.raises(RepoNotFound):
        await store.resolve(makers.view_of(None), Caller(), REPO, "main")


# Distributions.


async def find(distributions: Distributions, path: str) -> str | None:
    found = await distributions.find(f"/pulp/content/{path}")
    return found.view.base_path if found else None


@pytest.fixture
def bases(makers: Makers) -> tuple[str, str]:
    name = uuid.uuid4().hex
    makers.distribution(name)
    makers.distribution(f"{name}-2/deep/er", remote=makers.remote())
    return name, f"{name}-2/deep/er"


async def test_a_path_belongs_to_the_distribution_above_it(
    store: Store, bases: tuple[str, str]
) -> None:
    name, deep = bases
    distributions = store.distributions
    for path, base in (
        (name, name),
        (f"{name}/", name),
        (f"{name}/org/repo/resolve/main/x", name),
        (f"{name}/{deep}", name),
        (f"{deep}/api/models/x", deep),
        (f"{name}-2/deep", None),
        (f"{name}-2", None),
        (f"{name}x/org", None),
        (name[:-1], None),
        ("", None),
    ):
        assert await find(distributions, path) == base, path
    assert await distributions.find("/elsewhere/" + name) is None


async def test_a_new_distribution_is_found_at_once(store: Store, makers: Makers) -> None:
    distributions = store.distributions
    base = uuid.uuid4().hex
    assert await find(distributions, base) is None
    await asyncio.sleep(0.25)  # a miss makes it look again, but not more often than this
    await asyncio.to_thread(makers.distribution, base)
    assert await find(distributions, base) == base


async def test_a_change_is_noticed_soon(store: Store, makers: Makers) -> None:
    remote = await asyncio.to_thread(makers.remote)
    base = uuid.uuid4().hex
    made = await asyncio.to_thread(lambda: makers.distribution(base, remote=remote))
    distributions = store.distributions
    found = await distributions.find(f"/pulp/content/{base}/x")
    assert found is not None and found.view.remote is not None
    assert found.view.remote.config.token is None
    await asyncio.sleep(0.2)  # until it listens
    remote.hf_token = "hf_new"
    await asyncio.to_thread(remote.save)
    await eventually(distributions, base, "hf_new")
    await asyncio.to_thread(HuggingFaceDistribution.objects.filter(pk=made.pk).delete)


async def eventually(distributions: Distributions, base: str, token: str) -> None:
    for _ in range(500):
        found = await distributions.find(f"/pulp/content/{base}/x")
        assert found is not None and found.view.remote is not None
        if found.view.remote.config.token == token:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the change was not noticed")
