"""A commit that the Hub lost (force-push, garbage collection) while it is held here."""

import pytest

from pulp_hugging_face.tests.hub import FixtureHub, commit, repo
from pulp_hugging_face.tests.hub.declare import RepoSpec

from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

REPO = f"{P}/api/models/org/lost"


async def lost(serving: Serving, hub: FixtureHub) -> tuple[Client, str]:
    """Hold a commit with two files and let the Hub lose it."""
    first = commit("Begin", {"a.txt": "before\n", "sub/b.txt": "b\n"})
    hub.declare(RepoSpec("org/lost", commits=(first, commit("Go on", {"a.txt": "later\n"}))))
    client = await serving(metadata_ttl=0)
    sha = hub.sha("org/lost")
    assert (await get(client, f"{P}/org/lost/resolve/main/a.txt"))[0] == 200
    assert (await get(client, f"{REPO}/tree/{sha}?recursive=true"))[0] == 200
    hub.declare(repo("org/lost", {"a.txt": "all new\n"}))
    return client, sha


@pytest.mark.parametrize(
    ("plain", "expanded"),
    [
        ("tree/{sha}", "tree/{sha}?expand=true"),
        ("tree/{sha}?recursive=true", "tree/{sha}?recursive=true&expand=true"),
        ("tree/{sha}/sub", "tree/{sha}/sub?expand=true"),
        ("revision/{sha}", "revision/{sha}?securityStatus=true"),
        ("revision/{sha}?expand=sha", "revision/{sha}?expand=sha&expand=trendingScore"),
    ],
)
async def test_what_only_the_hub_knows_is_left_out(
    serving: Serving, hub: FixtureHub, plain: str, expanded: str
) -> None:
    client, sha = await lost(serving, hub)
    _, _, expected = await get(client, f"{REPO}/{plain.format(sha=sha)}")
    status, headers, body = await get(client, f"{REPO}/{expanded.format(sha=sha)}")
    assert (status, body) == (200, expected)
    assert headers["X-HF-Warning"].startswith("stale;") and headers["X-Repo-Commit"] == sha


async def test_entries_of_some_paths_are_the_plain_ones(serving: Serving, hub: FixtureHub) -> None:
    client, sha = await lost(serving, hub)
    body = {"paths": ["a.txt", "absent"], "expand": True}
    async with client.post(f"{REPO}/paths-info/{sha}", json=body) as answer:
        assert answer.status == 200 and answer.headers["X-HF-Warning"].startswith("stale;")
        assert [item["path"] for item in await answer.json()] == ["a.txt"]


async def test_a_directory_that_is_not_in_it_is_missing(serving: Serving, hub: FixtureHub) -> None:
    client, sha = await lost(serving, hub)
    status, headers, _ = await get(client, f"{REPO}/tree/{sha}/absent?expand=true")
    assert (status, headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert headers["X-Repo-Commit"] == sha


async def test_its_history_is_the_commit_itself(serving: Serving, hub: FixtureHub) -> None:
    client, sha = await lost(serving, hub)
    async with client.get(f"{REPO}/commits/{sha}") as answer:
        assert answer.status == 200 and answer.headers["X-HF-Warning"].startswith("stale;")
        assert [item["id"] for item in await answer.json()] == [sha]
    for page in ("p=1", "cursor=x"):
        status, headers, _ = await get(client, f"{REPO}/commits/{sha}?{page}")
        assert (status, headers["X-Error-Code"]) == (404, "RevisionNotFound"), page


async def test_its_history_that_was_asked_for_before_stays(
    serving: Serving, hub: FixtureHub
) -> None:
    hub.declare(RepoSpec("org/lost", commits=(commit("One", {"a": "1"}), commit("Two", {}))))
    client = await serving(metadata_ttl=0)
    sha = hub.sha("org/lost")
    before = await get(client, f"{REPO}/commits/{sha}")
    hub.declare(repo("org/lost", {"a": "new"}))
    assert (await get(client, f"{REPO}/commits/{sha}"))[::2] == before[::2]
