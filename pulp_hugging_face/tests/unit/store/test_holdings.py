"""Held bytes and their claims: written once, whatever happens meanwhile."""

import asyncio
import hashlib
import uuid
from pathlib import Path

import pytest
from pulpcore.plugin.models import Artifact, ContentArtifact, Domain, RemoteArtifact

from pulp_hugging_face.app.models import Blob, Commit
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.store.db import Database
from pulp_hugging_face.store.holdings import Claim, Holdings, write_claims, write_down
from pulp_hugging_face.store.publish import Publisher
from pulp_hugging_face.store.views import View

from .fixtures import Makers
from .test_trees import save_commit

pytestmark = pytest.mark.asyncio

CONTENT = b"the bytes of a file\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
BLOB = BlobId(KEY, len(CONTENT))


class Bench:
    """A domain with commits, a remote and files that were just verified."""

    def __init__(self, database: Database, domain: Domain, view: View, folder: Path) -> None:
        self.database, self.domain, self.view, self.folder = database, domain, view, folder

    async def commit(self) -> Commit:
        return await self.database.call(save_commit, self.domain)

    def claim(self, commit: Commit, path: str = "a", remote: uuid.UUID | None = None) -> Claim:
        assert self.view.remote is not None
        relative = f"org/repo/resolve/{commit.sha}/{path}"
        return Claim(self.domain.name, commit.pk, relative, remote or self.view.remote.pk)

    def verified(self) -> Path:
        path = self.folder / uuid.uuid4().hex
        path.write_bytes(CONTENT)
        return path

    async def publish(self, *claims: Claim, blob: BlobId = BLOB) -> None:
        publisher = Publisher(self.database, write_down)
        await publisher.publish(self.verified(), blob, SHA256, self.domain.name, list(claims))
        publisher.close()

    async def write(self, claims: dict[Claim, uuid.UUID]) -> None:
        await self.database.call(write_claims, claims, domain=self.domain.name)

    async def rows(self, commit: Commit) -> list[ContentArtifact]:
        query = ContentArtifact.objects.filter(content=commit.pk).select_related("artifact")
        return await asyncio.to_thread(lambda: list(query))


@pytest.fixture
def bench(database: Database, domain: Domain, makers: Makers, tmp_path: Path) -> Bench:
    return Bench(database, domain, makers.view(), tmp_path)


@pytest.mark.parametrize("near", [True, False], ids=["renamed", "copied"])
async def test_what_is_published_is_found_with_its_claim(
    bench: Bench,
    database: Database,
    domain: Domain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    near: bool,
) -> None:
    monkeypatch.setattr("pulp_hugging_face.store.publish._is_near", lambda *_: near)
    commit = await bench.commit()
    claim = bench.claim(commit)
    await bench.publish(claim)
    held = await Holdings(database).find(domain.pk, BLOB, claim)
    assert held is not None and held.claimed
    assert (tmp_path / "media" / held.name).read_bytes() == CONTENT
    (row,) = await bench.rows(commit)
    assert (row.artifact.sha256, row.artifact.size) == (SHA256, len(CONTENT))
    remote = await asyncio.to_thread(RemoteArtifact.objects.get, content_artifact=row.pk)
    assert remote.url.endswith(claim.relative_path) and remote.sha256 == SHA256


async def test_what_is_not_held_is_not_found(
    bench: Bench, database: Database, domain: Domain
) -> None:
    claim = bench.claim(await bench.commit())
    assert await Holdings(database).find(domain.pk, BLOB, claim) is None
    await bench.publish(claim)
    assert await Holdings(database).find(uuid.uuid4(), BLOB, claim) is None
    assert await Holdings(database).find(domain.pk, BlobId("0" * 40, 5), claim) is None


async def test_bytes_held_for_another_commit_are_held_but_not_claimed(
    bench: Bench, database: Database, domain: Domain
) -> None:
    first, second = await bench.commit(), await bench.commit()
    await bench.publish(bench.claim(first))
    held = await Holdings(database).find(domain.pk, BLOB, bench.claim(second))
    assert held is not None and not held.claimed


async def test_publishing_twice_is_publishing_once(
    bench: Bench, database: Database, domain: Domain
) -> None:
    commit = await bench.commit()
    for _ in range(2):
        await bench.publish(bench.claim(commit), bench.claim(commit, "b"))
    assert len(await bench.rows(commit)) == 2
    for model in (Artifact, Blob):
        count = await asyncio.to_thread(model.objects.filter(pulp_domain=domain).count)
        assert count == 1


async def test_many_may_publish_the_same_at_once(
    bench: Bench, database: Database, domain: Domain
) -> None:
    commits = [await bench.commit() for _ in range(6)]
    await asyncio.gather(*(bench.publish(bench.claim(commit)) for commit in commits))
    for commit in commits:
        assert len(await bench.rows(commit)) == 1
    assert await asyncio.to_thread(Artifact.objects.filter(pulp_domain=domain).count) == 1


async def test_the_same_bytes_under_two_keys_are_one_artifact(
    bench: Bench, database: Database, domain: Domain
) -> None:
    """The same content as a regular and as an LFS file."""
    commit = await bench.commit()
    await bench.publish(bench.claim(commit, "a"))
    await bench.publish(bench.claim(commit, "b"), blob=BlobId(SHA256, len(CONTENT)))
    assert await asyncio.to_thread(Artifact.objects.filter(pulp_domain=domain).count) == 1
    holdings = Holdings(database)
    for key, path in ((KEY, "a"), (SHA256, "b")):
        blob = BlobId(key, len(CONTENT))
        held = await holdings.find(domain.pk, blob, bench.claim(commit, path))
        assert held is not None and held.claimed


async def test_bytes_that_vanished_from_the_storage_are_put_back(
    bench: Bench, database: Database, domain: Domain, tmp_path: Path
) -> None:
    commit = await bench.commit()
    claim = bench.claim(commit)
    await bench.publish(claim)
    holdings = Holdings(database)
    held = await holdings.find(domain.pk, BLOB, claim)
    assert held is not None
    (tmp_path / "media" / held.name).unlink()
    await holdings.drop(held)
    assert await holdings.find(domain.pk, BLOB, claim) is None
    await bench.publish(claim)
    again = await holdings.find(domain.pk, BLOB, claim)
    assert again is not None
    assert (tmp_path / "media" / again.name).read_bytes() == CONTENT


@pytest.mark.parametrize("known", [True, False])
async def test_bytes_that_were_cut_short_in_the_storage_are_replaced(
    bench: Bench, database: Database, domain: Domain, tmp_path: Path, known: bool
) -> None:
    """By a crash while they were copied, with or without a row that speaks of them."""
    claim = bench.claim(await bench.commit())
    path = tmp_path / "media" / "artifact" / str(domain.pk) / SHA256[:2] / SHA256[2:]
    if known:
        await bench.publish(claim)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT[:5])
    await bench.publish(claim)
    held = await Holdings(database).find(domain.pk, BLOB, claim)
    assert held is not None and tmp_path / "media" / held.name == path
    assert path.read_bytes() == CONTENT


async def test_other_digests_are_computed_where_pulp_wants_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Artifact, "DIGEST_FIELDS", ["sha256", "md5"])
    monkeypatch.setattr(Artifact, "FORBIDDEN_DIGESTS", set())
    monkeypatch.setattr("pulpcore.plugin.pulp_hashlib.new", hashlib.new)
    commit = await bench.commit()
    await bench.publish(bench.claim(commit))
    (row,) = await bench.rows(commit)
    assert row.artifact.md5 == hashlib.md5(CONTENT).hexdigest()


async def test_a_server_that_stops_does_not_go_on_uploading(
    bench: Bench, database: Database
) -> None:
    publisher, path = Publisher(database, write_down), bench.verified()
    publisher._stopping.set()
    with pytest.raises(OSError, match="stopping"):
        await publisher.publish(path, BLOB, SHA256, bench.domain.name, [])
    publisher.close()
    assert await asyncio.to_thread(Artifact.objects.filter(pulp_domain=bench.domain).count) == 0


async def artifact_of(bench: Bench, database: Database, domain: Domain) -> uuid.UUID:
    claim = bench.claim(await bench.commit(), "first")
    await bench.publish(claim)
    held = await Holdings(database).find(domain.pk, BLOB, claim)
    assert held is not None
    return held.artifact


async def test_claims_are_written_as_often_as_one_likes(
    bench: Bench, database: Database, domain: Domain
) -> None:
    artifact = await artifact_of(bench, database, domain)
    commit = await bench.commit()
    claims = {bench.claim(commit, name): artifact for name in "abc"}
    for _ in range(2):
        await bench.write(claims)
    await asyncio.gather(*(bench.write(claims) for _ in range(4)))
    rows = await bench.rows(commit)
    assert sorted(row.relative_path[-1] for row in rows) == ["a", "b", "c"]
    remotes = RemoteArtifact.objects.filter(content_artifact__in=[row.pk for row in rows])
    assert await asyncio.to_thread(remotes.count) == 3


async def test_two_remotes_may_claim_the_same_file_at_once(bench: Bench, makers: Makers) -> None:
    """Two caches of one upstream, in one domain, asked within a moment."""
    commit = await bench.commit()
    other = (await asyncio.to_thread(makers.view)).remote
    assert other is not None
    claims = [bench.claim(commit), bench.claim(commit, remote=other.pk), bench.claim(commit, "b")]
    await bench.publish(*claims)
    (artifact,) = {row.artifact_id for row in await bench.rows(commit)}
    await bench.write(dict.fromkeys(claims, artifact))
    assert len(await bench.rows(commit)) == 2
    remotes = await asyncio.to_thread(
        lambda: sorted(
            RemoteArtifact.objects.filter(content_artifact__content=commit.pk).values_list(
                "content_artifact__relative_path", "remote"
            )
        )
    )
    assert remotes == sorted((claim.relative_path, claim.remote) for claim in claims)


async def test_a_commit_removed_under_us_does_not_harm_the_others(
    bench: Bench, database: Database, domain: Domain
) -> None:
    artifact = await artifact_of(bench, database, domain)
    gone, stays = await bench.commit(), await bench.commit()
    claims = {bench.claim(gone): artifact, bench.claim(stays): artifact}
    await asyncio.to_thread(gone.delete)
    await bench.write(claims)
    assert len(await bench.rows(stays)) == 1


async def test_a_remote_removed_under_us_leaves_the_claim(
    bench: Bench, database: Database, domain: Domain
) -> None:
    artifact = await artifact_of(bench, database, domain)
    commit = await bench.commit()
    await bench.write({bench.claim(commit, remote=uuid.uuid4()): artifact})
    (row,) = await bench.rows(commit)
    assert not await asyncio.to_thread(
        RemoteArtifact.objects.filter(content_artifact=row.pk).exists
    )


async def test_an_artifact_removed_under_us_is_no_error(bench: Bench) -> None:
    commit = await bench.commit()
    await bench.write({bench.claim(commit): uuid.uuid4()})
    assert await bench.rows(commit) == []


async def test_the_bytes_are_published_when_the_commit_was_removed(
    bench: Bench, database: Database, domain: Domain
) -> None:
    """They were downloaded and verified; the next commit with them finds them."""
    commit = await bench.commit()
    claim = bench.claim(commit)
    await asyncio.to_thread(commit.delete)
    await bench.publish(claim)
    assert await Holdings(database).find(domain.pk, BLOB, claim) is not None


async def test_what_was_served_is_written_down_at_the_latest_at_the_end(
    bench: Bench, database: Database, domain: Domain
) -> None:
    first, second = await bench.commit(), await bench.commit()
    await bench.publish(bench.claim(first))
    holdings = Holdings(database)
    holdings.start()
    claim = bench.claim(second)
    held = await holdings.find(domain.pk, BLOB, claim)
    assert held is not None
    for _ in range(3):
        holdings.note_use(held, claim)
    await holdings.close()
    assert len(await bench.rows(second)) == 1


async def test_a_use_without_a_claim_claims_nothing(
    bench: Bench, database: Database, domain: Domain
) -> None:
    """Policy "streamed" serves what others hold."""
    first, second = await bench.commit(), await bench.commit()
    await bench.publish(bench.claim(first))
    holdings = Holdings(database)
    held = await holdings.find(domain.pk, BLOB, bench.claim(second))
    assert held is not None
    holdings.note_use(held, None)
    await holdings.close()
    assert await bench.rows(second) == []
