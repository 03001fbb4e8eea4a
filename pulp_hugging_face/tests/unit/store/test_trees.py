"""Directories in the database: lookups over pages, and pages of listings."""

import asyncio
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulpcore.plugin.models import Domain

from pulp_hugging_face.app.models import Commit, Tree
from pulp_hugging_face.hub.errors import EntryNotFound
from pulp_hugging_face.hub.manifest import (
    PAGE_ENTRIES,
    Entry,
    Manifest,
    manifest_from_listing,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store.commits import Commits, HeldCommit
from pulp_hugging_face.store.db import Database
from pulp_hugging_face.store.trees import NotListed, Trees, save_directories, save_manifest
from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.tests.unit.hub.strategies import file_entries, names, shas
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.egress import Egress

from .fixtures import Makers

pytestmark = pytest.mark.asyncio

REPO = RepoId(RepoType.MODEL, "org/repo")


def save_commit(domain: Any, sha: str = "", repo: RepoId = REPO) -> Commit:
    return Commit.objects.create(
        repo_type=repo.type.value,
        repo_id=repo.id,
        sha=sha or uuid.uuid4().hex + "0" * 8,
        pulp_domain=domain,
        _pulp_domain=domain,
    )


async def held(database: Database, domain: Domain, listing: list[Entry]) -> HeldCommit:
    """A commit whose whole listing is stored."""
    commit = await database.call(save_commit, domain)
    await database.call(save_manifest, domain.pk, commit.pk, manifest_from_listing(listing))
    found = await Commits(database).get(domain.pk, REPO, commit.sha)
    assert found is not None
    return found


def file(path: str, number: int = 0) -> Entry:
    return Entry(path, f"{number:040x}", number)


def folder(path: str, number: int) -> Entry:
    return Entry(path, f"f{number:039x}", is_dir=True)


async def walked(
    trees: Trees, domain: Domain, commit: HeldCommit, path: str = "", **how: Any
) -> list[Entry]:
    top = await trees.entry(domain.pk, commit, path)
    return [entry async for entry in trees.walk(domain.pk, top, **how)]


LISTING = [
    file("README.md", 1),
    folder("a", 1),
    file("a/x", 2),
    folder("a/b", 2),
    file("a/b/y", 3),
    file("a.txt", 4),
    file("é #1%41.txt", 5),
    folder("日本語", 3),
    file("日本語/モデル", 6),
]


async def test_every_path_is_found(database: Database, domain: Domain) -> None:
    commit, trees = await held(database, domain, LISTING), Trees(database)
    for entry in LISTING:
        assert await trees.entry(domain.pk, commit, entry.path) == entry
    assert (await trees.entry(domain.pk, commit, "")).is_dir


@pytest.mark.parametrize(
    "path", ["nope", "a/nope", "nope/x", "README.md/x", "a/x/y", "A", "a/b/Y", "é"]
)
async def test_other_paths_are_no_entries_and_name_the_commit(
    database: Database, domain: Domain, path: str
) -> None:
    commit = await held(database, domain, LISTING)
    with pytest.raises(EntryNotFound) as missing:
        await Trees(database).entry(domain.pk, commit, path)
    assert missing.value.commit == commit.sha


async def test_the_borders_of_stored_pages(database: Database, domain: Domain) -> None:
    """A directory of three pages; every lookup reads one."""
    count = 2 * PAGE_ENTRIES + 10
    listing = [file(f"f-{n:06}", n) for n in range(0, 2 * count, 2)]
    commit, trees = await held(database, domain, listing), Trees(database)
    for n in (0, PAGE_ENTRIES - 1, PAGE_ENTRIES, 2 * PAGE_ENTRIES - 1, 2 * PAGE_ENTRIES, count - 1):
        entry = listing[n]
        assert await trees.entry(domain.pk, commit, entry.path) == entry
        with pytest.raises(EntryNotFound):
            await trees.entry(domain.pk, commit, f"f-{2 * n + 1:06}")
    for name in ("", "a", "z", "f-", "f-999999"):
        if name:
            with pytest.raises(EntryNotFound):
                await trees.entry(domain.pk, commit, name)
    assert await walked(trees, domain, commit, recursive=True) == listing
    after = listing[PAGE_ENTRIES - 1].path
    assert (
        await walked(trees, domain, commit, recursive=False, after=after) == listing[PAGE_ENTRIES:]
    )


async def test_pages_are_looked_up_in_byte_order(database: Database, domain: Domain) -> None:
    """Whatever the collation of the database: 😀 sorts behind \\uff21 in UTF-8."""
    odd = ["Z", "a", "é", "\uff21", "😀", "~", "_", "0"]
    listing = [file(f"{sign}{n:05}", n) for sign in odd for n in range(800)]
    commit, trees = await held(database, domain, listing), Trees(database)
    for entry in listing[::97]:
        assert await trees.entry(domain.pk, commit, entry.path) == entry


async def test_a_commit_that_is_not_listed_is_not_listed(
    database: Database, domain: Domain
) -> None:
    commit = await database.call(save_commit, domain)
    empty = HeldCommit(commit.pk, REPO, commit.sha, "", {})
    with pytest.raises(NotListed) as missing:
        await Trees(database).entry(domain.pk, empty, "x")
    assert missing.value.path == ""


async def test_a_directory_that_is_not_listed_is_named(database: Database, domain: Domain) -> None:
    commit = await database.call(save_commit, domain)
    inner = folder("a", 99)
    manifest = Manifest("e" * 64, {"e" * 64: [inner]}, 0, 0)
    await database.call(save_manifest, domain.pk, commit.pk, manifest)
    partly = HeldCommit(commit.pk, REPO, commit.sha, "e" * 64, {})
    with pytest.raises(NotListed) as missing:
        await Trees(database).entry(domain.pk, partly, "a/b")
    assert missing.value.path == "a"


async def test_directories_of_other_domains_are_not_seen(
    database: Database, domain: Domain
) -> None:
    commit = await held(database, domain, LISTING)
    with pytest.raises(NotListed):
        await Trees(database).entry(uuid.uuid4(), commit, "README.md")


async def test_saving_a_directory_again_changes_nothing(database: Database, domain: Domain) -> None:
    commit, trees = await held(database, domain, LISTING), Trees(database)
    manifest = manifest_from_listing(LISTING)
    await database.call(save_directories, domain.pk, manifest.directories)
    assert len(await walked(trees, domain, commit, recursive=True)) == len(LISTING)


async def test_many_may_save_the_same_at_once(database: Database, domain: Domain) -> None:
    manifest = manifest_from_listing(LISTING)
    commits = [await database.call(save_commit, domain) for _ in range(4)]
    await asyncio.gather(
        *(database.call(save_manifest, domain.pk, commit.pk, manifest) for commit in commits)
    )
    rows = await database.fetch(
        "SELECT sum(file_count) AS n FROM hugging_face_commit WHERE _pulp_domain_id = %s",
        (domain.pk,),
    )
    assert rows[0]["n"] == 4 * manifest.file_count


# Random trees.


@st.composite
def trees_of_names(draw: st.DrawFn, depth: int = 3) -> list[Entry]:
    """The recursive listing of a random tree, every directory with an oid of its own."""
    listing: list[Entry] = []
    for name in draw(st.lists(names, max_size=5, unique=True)):
        if depth and draw(st.booleans()):
            listing.append(Entry(name, draw(shas), is_dir=True))
            listing += [entry.under(name) for entry in draw(trees_of_names(depth - 1))]
        else:
            listing.append(draw(file_entries(st.just(name))))
    return listing


def unique_oids(listing: list[Entry]) -> list[Entry]:
    return [
        Entry(entry.path, uuid.uuid4().hex + "0" * 8, is_dir=True) if entry.is_dir else entry
        for entry in listing
    ]


relaxed = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(data=st.data(), listing=trees_of_names(), limit=st.integers(1, 5))
async def test_pages_of_a_listing_join_to_the_whole(
    database: Database, domain: Domain, data: st.DataObject, listing: list[Entry], limit: int
) -> None:
    listing = unique_oids(listing)
    commit, trees = await held(database, domain, listing), Trees(database)
    assert set(await walked(trees, domain, commit, recursive=True)) == set(listing)
    directories = ["", *(entry.path for entry in listing if entry.is_dir)]
    path = data.draw(st.sampled_from(directories))
    for recursive in (True, False):
        whole = await walked(trees, domain, commit, path, recursive=recursive)
        below = [entry for entry in listing if entry.path.startswith(f"{path}/" if path else "")]
        if not recursive:
            below = [entry for entry in below if entry.path.rpartition("/")[0] == path]
        assert set(whole) == set(below) and len(whole) == len(below)
        joined: list[Entry] = []
        while True:
            after = joined[-1].path if joined else None
            rest = await walked(trees, domain, commit, path, recursive=recursive, after=after)
            joined += rest[:limit]
            if len(rest) <= limit:
                break
        assert joined == whole
    for entry in listing:
        assert await trees.entry(domain.pk, commit, entry.path) == entry


# Through the fixture Hub.


async def test_a_commit_is_listed_once_for_all_who_ask(
    database: Database, domain: Domain, hub: FixtureHub, makers: Makers
) -> None:
    commit = await database.call(
        save_commit, domain, hub.sha("org/many"), RepoId(RepoType.MODEL, "org/many")
    )
    wanted = HeldCommit(commit.pk, RepoId(RepoType.MODEL, "org/many"), commit.sha, "", {})
    config = (await asyncio.to_thread(makers.remote_view)).config
    egress, trees = Egress(config), Trees(database)
    client = HubClient(egress, None)
    truth = hub.manifest("org/many")
    hub.reset()
    found = await asyncio.gather(
        *(trees.find(domain.pk, wanted, path, client) for path in list(truth)[:50])
    )
    assert {entry.path: entry.oid for entry in found} == {
        path: truth[path].oid for path in list(truth)[:50]
    }
    assert hub.counters().kinds == {"api_tree": 2}
    with pytest.raises(EntryNotFound):
        await trees.find(domain.pk, wanted, "nope", client)
    assert hub.counters().kinds == {"api_tree": 2}
    await trees.close()
    await egress.close()


async def test_a_directory_that_is_removed_while_it_is_read_is_listed_anew(
    database: Database, domain: Domain, settings: Any
) -> None:
    """Its index is remembered, its pages are gone: that is not an empty directory."""
    settings.HUGGING_FACE_TREE_CACHE_ENTRIES = 10
    listing = [file(f"f-{n:06}", n) for n in range(PAGE_ENTRIES + 10)]
    commit, trees = await held(database, domain, listing), Trees(database)
    assert await trees.entry(domain.pk, commit, "f-000000")
    await database.call(Tree.objects.filter(pulp_domain=domain).delete)
    with pytest.raises(NotListed):
        await trees.entry(domain.pk, commit, "f-000000")
    trees = Trees(database)
    commit = await held(database, domain, listing)
    walk = trees.walk(domain.pk, await trees.entry(domain.pk, commit, ""), recursive=False)
    assert (await anext(walk)).path == "f-000000"
    await database.call(Tree.objects.filter(pulp_domain=domain).delete)
    with pytest.raises(NotListed):
        async for _ in walk:
            pass
