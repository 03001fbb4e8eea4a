"""The way out keeps to the Hub's limits, and to the remote's own."""

from collections import Counter
from collections.abc import Callable

import pytest

from pulp_hugging_face.hub.errors import HubError, UpstreamBusy
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub
from pulp_hugging_face.upstream import egress as module
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import EgressPool

pytestmark = pytest.mark.asyncio

Client = Callable[..., HubClient]
REPO = RepoId(RepoType.MODEL, "org/repo")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for their turn."""
    monkeypatch.setattr(module, "QUESTION_PATIENCE", 0.0)
    monkeypatch.setattr(module, "BODY_PATIENCE", 0.0)


async def test_beyond_the_limit_nothing_is_sent(hub: FixtureHub, client: Client) -> None:
    made = client(hub.url)
    hub.rate_limits(api=(2, 300))
    for _ in range(2):
        await made.info(REPO, "main")
    for _ in range(5):
        with pytest.raises(UpstreamBusy) as refused:
            await made.info(REPO, "main")
    assert refused.value.retry_after is not None and 290 < refused.value.retry_after <= 301
    assert hub.counters().of("api_info") == 2


async def test_files_are_counted_by_themselves_and_bodies_too(
    hub: FixtureHub, client: Client
) -> None:
    made, file = client(hub.url), hub.file("org/repo", "model.safetensors")
    hub.rate_limits(resolvers=(1, 300))
    sha = hub.sha("org/repo")
    async with made.open_blob(REPO, sha, file.path, file.size, 0, file.size):
        pass
    with pytest.raises(UpstreamBusy) as refused:
        async with made.open_blob(REPO, sha, file.path, file.size, 0, file.size):
            pass
    assert refused.value.bucket == "resolvers"
    assert hub.counters().of("resolve_get") == 1
    await made.info(REPO, "main")


async def test_tokens_have_limits_of_their_own(hub: FixtureHub) -> None:
    pool = EgressPool()
    egress = pool.get(RemoteConfig("remote", hub.url))
    hub.rate_limits(api=(1, 300))
    for token in (None, OWNER_TOKEN):
        await HubClient(egress, token).info(REPO, "main")
        with pytest.raises(UpstreamBusy):
            await HubClient(egress, token).info(REPO, "main")
    await pool.close()


async def test_a_distribution_of_another_pulp_has_the_same_buckets(hub: FixtureHub) -> None:
    """Below a prefix the path of a file still is one."""

    class Meter:
        counts: Counter[tuple[str, str]] = Counter()

        def note(self, remote: str, bucket: str, what: str) -> None:
            self.counts[bucket, what] += 1

    pool = EgressPool(Meter())
    egress = pool.get(RemoteConfig("remote", f"{hub.url}/pulp/content/hf"))
    made = HubClient(egress, None)
    for question in (made.info(REPO, "main"), made.probe(REPO, "0" * 40, "x")):
        with pytest.raises(HubError):
            await question
    assert Meter.counts == {("api", "asked"): 1, ("resolvers", "asked"): 1}
    await pool.close()
