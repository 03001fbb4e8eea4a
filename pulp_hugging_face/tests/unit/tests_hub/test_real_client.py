"""huggingface_hub itself, in a process of its own, against the fixture."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN

STEPS = Path(__file__).with_name("client_steps.py")


@pytest.fixture
def client(hub, tmp_path):
    """Run steps with a fresh HF_HOME; Xet off, as the fixture has no CAS (§4.3)."""

    def run(*steps, token=None):
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DJANGO"))},
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **({"HF_TOKEN": token} if token else {}),
        }
        result = subprocess.run(
            [sys.executable, str(STEPS), *steps], env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return json.loads(result.stdout)

    return run


def test_files_of_every_kind_arrive_under_the_right_cache_key(hub, client):
    got = client("files")["files"]
    expected = {
        "config": hub.file("org/repo", "config.json"),
        "lfs": hub.file("org/repo", "model.safetensors"),
        "empty": hub.file("org/repo", "empty.txt"),
        "odd": hub.file("org/repo", "sub dir/é #1.txt"),
        "percent": hub.file("org/repo", "fi le#1?%41.txt"),
        "dev": hub.file("org/repo", "config.json", "dev"),
        "tag": hub.file("org/repo", "config.json", "v1"),
        "pr": hub.file("org/repo", "sub dir/pr.txt", "refs/pr/1"),
        "slash": hub.file("org/repo", "feature.txt", "feat/x"),
        "alias": hub.file("openai-community/gpt2", "config.json"),
        "dataset": hub.file("org/ds", "data/train.csv", type="dataset"),
        "space": hub.file("org/space", "app.py", type="space"),
        "parquet": hub.file(
            "org/ds", "default/train/0000.parquet", "refs/convert/parquet", "dataset"
        ),
    }
    assert got == {key: [info.etag, info.sha256] for key, info in expected.items()}


def test_snapshots_are_complete_and_pages_and_ranges_are_right(hub, client):
    got = client("snapshots", "listings", "ranges")
    for name, repo in (("org/repo",) * 2, ("gpt2", "openai-community/gpt2"), ("org/big",) * 2):
        expected = {path: info.sha256 for path, info in hub.manifest(repo).items()}
        assert got["snapshots"][name] == expected
    listings = got["listings"]
    assert listings["many"] == [1237, 1237]
    assert listings["refs"] == [
        ["refs/heads/main", "refs/heads/dev", "refs/heads/feat/x"],
        ["refs/tags/v1"],
        ["refs/pr/1", "refs/pr/2"],
    ]
    assert listings["paths"] == [["config.json", "Upload model"], ["sub dir", "Upload model"]]
    assert listings["commits"] == 120
    assert listings["sha"] == hub.sha("org/repo")
    assert listings["modified"] == "2024-01-01T02:00:00+00:00"
    assert listings["sizes"] == {p: info.size for p, info in hub.manifest("org/repo").items()}
    assert len(listings["models"]) == 3
    assert listings["exists"] == [True, False, False, True]
    assert listings["etag"] == hub.file("org/repo", "model.safetensors").sha256
    big = hub.bytes_of("org/big", "big.bin")
    assert got["ranges"] == [
        big[1_000_001:1_000_005].hex(),
        big[-3:].hex(),
        ["datasets/org/ds/data/test.csv", "datasets/org/ds/data/train.csv"],
    ]
    assert hub.counters().of("xet_token", "xet_cas") == 0


COMMON = {
    "revision": "RevisionNotFoundError",
    "entry": "RemoteEntryNotFoundError",
    "gated": "GatedRepoError",
    "directory": "RemoteEntryNotFoundError",
    "disabled": "DisabledRepoError",
}


def test_refusals_to_a_user_without_access(client):
    got = client("refusals", token=NOBODY_TOKEN)["refusals"]
    assert got == {**COMMON, "repo": "RepositoryNotFoundError", "info": "RepositoryNotFoundError"}


def test_refusals_to_nobody_at_all(hub, client):
    """The bare 401 is understood on `https://` only (§2.1): over http it is a plain HTTP error."""
    got = client("refusals")["refusals"]
    assert got == {**COMMON, "repo": "HfHubHTTPError", "info": "HfHubHTTPError"}
    hub.settings(explicit_repo_not_found=True)
    got = client("refusals")["refusals"]
    assert got == {**COMMON, "repo": "RepositoryNotFoundError", "info": "RepositoryNotFoundError"}


def test_the_owner_gets_private_and_gated_files_and_the_cdn_never_sees_the_token(hub, client):
    got = client("owner", token=OWNER_TOKEN)["owner"]
    names = ("org/gated", "org/priv")
    assert got == ["owner", *(hub.file(name, "model.safetensors").sha256 for name in names)]
    assert hub.counters().tokens == {"hub": [OWNER_TOKEN], "cdn": []}


def test_an_invalid_token_is_named_as_such(client):
    got = client("refusals", token=INVALID_TOKEN)["refusals"]
    assert set(got.values()) == {"HfHubHTTPError"}


def test_kernels_are_listed_and_downloaded_whole(hub, client):
    got, name = client("kernel")["kernel"], "kernels-org/activation"
    sha = hub.sha(name, "v1", "kernel")
    assert got["info"] == [name, "kernels-org", sha, 1234, 3]
    assert got["tags"] == ["v1"]
    files = hub.manifest(name, "v1", "kernel")
    assert got["files"] == {path: info.sha256 for path, info in files.items()}


def test_shard_headers_come_in_one_request(hub, client):
    got = client("shards")["shards"]
    whole = {"layer.0": [20_000], "layer.1": [20_000], "layer.2": [20_000]}
    assert got["sharded"] == [whole, {"total_size": 240_000}]
    assert got["mixture"] == [{"a": [4, 8], "b": [16], "c.weight": [3, 5, 2]}, {"total_size": 280}]
    assert hub.counters().of("api_safetensors") == hub.counters().requests == 2


def test_the_community_through_the_client(client):
    got = client("community")["community"]
    assert got["discussions"] == [[2, True, "nobody"], [1, True, "nobody"]]
    assert got["details"] == ["refs/heads/main", ["comment", "commit"], True]
    assert got["likers"] == ["nobody", "owner"]
    assert got["collections"] == ["Fixture models", "Small things"]
    assert got["collection"] == [6, "See "]
    assert got["papers"] == ["2401.00001", "2401.00002"]
    assert got["paper"] == ["Attention to Caches", "nobody", ["org/repo"]]
    assert got["daily"] == ["2402.00003", "2401.00002", "2401.00001"]
    assert got["read"] == "# Attention to Caches"
    assert got["user"] == ["owner", "The Owner", ["org"]]
    assert got["org"] == ["org", ["owner"]]
    assert got["checked"] == ["nothing", "HfHubHTTPError"]


def test_owned_things_through_the_client(client):
    got = client("mine", token=OWNER_TOKEN)["mine"]
    assert got["webhooks"] == ["secret-of-owner"]
    assert got["jobs"] == [["owner", "RUNNING"]]
    assert "org/priv" in got["repos"] and "org/priv" in got["likes"]
    assert got["write"] == "nothing"


def test_buckets_through_client_and_file_system(hub, client):
    got = client("buckets")["buckets"]
    files = hub.manifest("org/store", type="bucket")
    large = files["checkpoints/step 1/model.safetensors"]
    assert got["info"] == ["org/store", len(files), sum(info.size for info in files.values())]
    assert got["listed"] == ["org/store"]
    assert got["tree"] == sorted(files)
    assert got["paths"] == [[large.path, large.size, large.xet_hash]]
    assert got["metadata"] == [large.size, large.xet_hash]
    assert got["ls"] == ["buckets/org/store/logs/a b#1.txt", "buckets/org/store/logs/deep"]
    data = hub.bytes_of("org/store", large.path, type="bucket")
    assert got["read"] == [data[1_000_000:1_000_004].hex(), "a line\n"]
    assert got["missing"] == ["HfHubHTTPError", "FileNotFoundError"]


def test_private_buckets_through_the_client(client):
    assert client("vault", token=OWNER_TOKEN)["vault"] == [
        ["owner/vault"], 20_000, "BucketNotFoundError",
    ]  # fmt: skip


def test_lists_and_searches_through_the_client(client):
    got = client("lists")["lists"]
    assert got["models"] == got["provider"] == got["parameters"] == ["org/served"]
    assert got["trained"] == ["org/links"]
    assert (got["datasets"], got["tasks"]) == (["org/tables"], ["org/ds"])
    assert got["spaces"] == ["org/drawing"]
    assert got["semantic"] == [["org/drawing", "Draw a tiny picture"]]
    assert got["mapping"] == [["hf-inference", "live"], ["together", "staging"]]
    assert got["same"] is True and got["pages"] is True
    assert got["downloads"] == 100
