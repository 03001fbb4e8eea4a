"""What is asked of a Hub, and its answers as values: against the fixture Hub."""

import hashlib
from collections.abc import Callable

import pytest

from pulp_hugging_face.hub.digests import BlobId, Digester
from pulp_hugging_face.hub.errors import (
    DefiniteRefusal,
    DisabledRepo,
    EntryNotFound,
    GatedRepo,
    InvalidCredentials,
    RepoNotFound,
    RevisionNotFound,
)
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN, FixtureHub
from pulp_hugging_face.upstream.client import HubClient

pytestmark = pytest.mark.asyncio

Client = Callable[..., HubClient]
REPO = RepoId(RepoType.MODEL, "org/repo")
DATASET = RepoId(RepoType.DATASET, "org/ds")


def model(text: str) -> RepoId:
    return RepoId(RepoType.MODEL, text)


@pytest.mark.parametrize("revision", ["main", "dev", "feat/x", "v1", "refs/pr/1", "refs/pr/2"])
async def test_a_revision_is_a_commit(hub: FixtureHub, client: Client, revision: str) -> None:
    answer = await client(hub.url).info(REPO, revision)
    assert (answer.repo, answer.sha) == (REPO, hub.sha("org/repo", revision))
    assert answer.visibility == "public"


async def test_a_full_sha_is_itself(hub: FixtureHub, client: Client) -> None:
    sha = hub.sha("org/repo", "main~1")
    assert (await client(hub.url).info(REPO, sha)).sha == sha


async def test_a_convert_ref_of_a_dataset(hub: FixtureHub, client: Client) -> None:
    answer = await client(hub.url).info(DATASET, "refs/convert/parquet")
    assert answer.sha == hub.sha("org/ds", "refs/convert/parquet", type="dataset")


@pytest.mark.parametrize(
    ("old", "new"), [("gpt2", "openai-community/gpt2"), ("old-org/renamed", "org/repo")]
)
async def test_an_old_name_is_followed_to_the_canonical_one(
    hub: FixtureHub, client: Client, old: str, new: str
) -> None:
    answer = await client(hub.url).info(model(old), "main")
    assert (answer.repo.id, answer.sha) == (new, hub.sha(new))


async def test_a_single_segment_id_that_is_no_alias(hub: FixtureHub, client: Client) -> None:
    assert (await client(hub.url).info(model("solo"), "main")).repo.id == "solo"


@pytest.mark.parametrize(
    ("repo_id", "visibility"), [("org/gated", "gated"), ("org/priv", "private")]
)
async def test_the_visibility_is_told(
    hub: FixtureHub, client: Client, repo_id: str, visibility: str
) -> None:
    answer = await client(hub.url, OWNER_TOKEN).info(model(repo_id), "main")
    assert answer.visibility == visibility


@pytest.mark.parametrize(
    ("repo_id", "revision", "token", "refusal"),
    [
        ("org/nope", "main", None, RepoNotFound),
        ("org/nope", "main", OWNER_TOKEN, RepoNotFound),
        ("org/priv", "main", None, RepoNotFound),
        ("org/priv", "main", NOBODY_TOKEN, RepoNotFound),
        ("org/repo", "nope", None, RevisionNotFound),
        ("org/repo", "0" * 40, None, RevisionNotFound),
        ("org/disabled", "main", OWNER_TOKEN, DisabledRepo),
        ("org/repo", "main", INVALID_TOKEN, InvalidCredentials),
    ],
)
async def test_refusals_of_a_repository(
    hub: FixtureHub,
    client: Client,
    repo_id: str,
    revision: str,
    token: str | None,
    refusal: type[DefiniteRefusal],
) -> None:
    with pytest.raises(refusal) as refused:
        await client(hub.url, token).info(model(repo_id), revision)
    assert type(refused.value) is refusal and refused.value.message


async def test_a_missing_repository_is_asked_for_once(hub: FixtureHub, client: Client) -> None:
    with pytest.raises(RepoNotFound):
        await client(hub.url).info(model("org/nope"), "main")
    assert hub.counters().requests == 1


async def listing(
    made: HubClient, repo: RepoId, sha: str, path: str = "", *, recursive: bool
) -> list[list[Entry]]:
    return [page async for page in made.tree(repo, sha, path, recursive=recursive)]


async def test_a_recursive_listing_names_every_file(hub: FixtureHub, client: Client) -> None:
    sha = hub.sha("org/repo")
    (page,) = await listing(client(hub.url), REPO, sha, recursive=True)
    truth = hub.manifest("org/repo")
    files = {entry.path: entry for entry in page if not entry.is_dir}
    assert set(files) == set(truth)
    for path, entry in files.items():
        info = truth[path]
        assert (entry.oid, entry.size) == (info.oid, info.size)
        assert (entry.lfs.sha256 if entry.lfs else None) == (info.sha256 if info.lfs else None)
    assert {entry.path for entry in page if entry.is_dir} >= {"sub dir", "one/two/three/four"}


@pytest.mark.parametrize("path", ["sub dir", "日本語", "one/two/three"])
async def test_a_directory_of_any_name_is_listed(
    hub: FixtureHub, client: Client, path: str
) -> None:
    (page,) = await listing(client(hub.url), REPO, hub.sha("org/repo"), path, recursive=False)
    assert page and all(entry.path.rpartition("/")[0] == path for entry in page)


async def test_all_pages_of_a_listing_are_followed(hub: FixtureHub, client: Client) -> None:
    many = model("org/many")
    pages = await listing(client(hub.url), many, hub.sha("org/many"), recursive=True)
    entries = [entry for page in pages for entry in page]
    assert len(pages) == 2 and len(pages[0]) == 1000
    assert len({entry.path for entry in entries}) == len(entries)
    assert {entry.path for entry in entries if not entry.is_dir} == set(hub.manifest("org/many"))


async def test_pages_are_fetched_as_they_are_wanted(hub: FixtureHub, client: Client) -> None:
    """Who gives a listing up after some pages must not pay for the rest."""
    pages = client(hub.url).tree(model("org/many3000"), hub.sha("org/many3000"), recursive=True)
    await anext(pages)
    await pages.aclose()  # type: ignore[attr-defined]
    assert hub.counters().of("api_tree") == 1


async def test_an_absent_directory_is_no_entry(hub: FixtureHub, client: Client) -> None:
    with pytest.raises(EntryNotFound):
        await listing(client(hub.url), REPO, hub.sha("org/repo"), "nope", recursive=False)


async def test_paths_are_looked_up_and_unknown_ones_left_out(
    hub: FixtureHub, client: Client
) -> None:
    wanted = ["config.json", "sub dir/é #1.txt", "sub dir", "nope", "fi le#1?%41.txt"]
    found = await client(hub.url).paths_info(REPO, hub.sha("org/repo"), wanted)
    assert {entry.path for entry in found} == set(wanted) - {"nope"}
    assert {entry.path: entry.is_dir for entry in found}["sub dir"]


async def test_refs_of_all_kinds(hub: FixtureHub, client: Client) -> None:
    refs = await client(hub.url).refs(REPO)
    assert {item["name"] for item in refs["branches"]} == {"main", "dev", "feat/x"}
    assert [item["ref"] for item in refs["tags"]] == ["refs/tags/v1"]
    assert {item["ref"] for item in refs["pullRequests"]} == {"refs/pr/1", "refs/pr/2"}


async def test_the_last_commit_of_a_sha(hub: FixtureHub, client: Client) -> None:
    data = await client(hub.url).last_commit(REPO, hub.sha("org/repo"))
    assert (data["id"], data["title"]) == (hub.sha("org/repo"), "Update tokenizer")


@pytest.mark.parametrize(
    "path", ["config.json", "model.safetensors", "empty.txt", "sub dir/é #1.txt"]
)
async def test_a_probe_costs_no_bytes(hub: FixtureHub, client: Client, path: str) -> None:
    await client(hub.url).probe(REPO, hub.sha("org/repo"), path)
    counters = hub.counters()
    assert counters.total_blob_bytes == 0 and counters.origins == {"hub": 1}


@pytest.mark.parametrize(
    ("token", "refusal"), [(None, GatedRepo), (NOBODY_TOKEN, GatedRepo), (OWNER_TOKEN, None)]
)
async def test_a_probe_tells_who_may_read_a_gated_repository(
    hub: FixtureHub, client: Client, token: str | None, refusal: type[Exception] | None
) -> None:
    made, sha = client(hub.url, token), hub.sha("org/gated")
    if refusal is None:
        await made.probe(model("org/gated"), sha, "model.safetensors")
        return
    with pytest.raises(refusal) as refused:
        await made.probe(model("org/gated"), sha, "model.safetensors")
    assert refused.value.status == (403 if token else 401)  # type: ignore[attr-defined]


async def test_a_probe_of_an_absent_file_is_no_entry(hub: FixtureHub, client: Client) -> None:
    with pytest.raises(EntryNotFound):
        await client(hub.url).probe(REPO, hub.sha("org/repo"), "nope")


async def test_every_file_comes_with_its_true_bytes(hub: FixtureHub, client: Client) -> None:
    made, sha = client(hub.url), hub.sha("org/repo")
    for path, info in hub.manifest("org/repo").items():
        blob = BlobId(info.sha256 if info.lfs else info.oid, info.size)
        digester = Digester(blob)
        async with made.open_blob(REPO, sha, path, info.size, 0, info.size) as stream:
            assert stream.start == 0
            async for chunk in stream.chunks(65536):
                assert len(chunk) <= 65536
                digester.update(chunk)
        assert digester.matches(), path


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("gzip", [False, True])
async def test_a_range_of_a_file(hub: FixtureHub, client: Client, path: str, gzip: bool) -> None:
    hub.settings(compress=gzip)
    info = hub.file("org/repo", path)
    start, stop = 10, info.size - 5
    made = client(hub.url)
    async with made.open_blob(REPO, hub.sha("org/repo"), path, info.size, start, stop) as stream:
        data = b"".join([chunk async for chunk in stream.chunks(1 << 20)])
    assert stream.start == start
    assert data == hub.bytes_of("org/repo", path, start=start, length=stop - start)


async def test_the_bytes_of_an_lfs_file_come_from_a_fresh_address_each_time(
    hub: FixtureHub, client: Client
) -> None:
    info, made = hub.file("org/repo", "model.safetensors"), client(hub.url)
    sha = hub.sha("org/repo")
    for _ in range(2):
        async with made.open_blob(REPO, sha, info.path, info.size, 0, info.size) as stream:
            data = b"".join([chunk async for chunk in stream.chunks(1 << 20)])
        assert hashlib.sha256(data).hexdigest() == info.sha256
        hub.expire_urls()
    assert hub.counters().of("resolve_get") == 2
