"""What clients download is what the Hub has, and the second of them costs no bytes upstream."""

from typing import Any

import pytest

from pulp_hugging_face.tests.hub import FixtureHub, repo

from .caches import Cache, fresh_repo, random_file, unique
from .inspect_stack import versions, wait_for_commits


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


ONE_EACH = {
    "model": {"repo_id": "org/repo", "filename": "config.json"},
    "lfs": {"repo_id": "org/repo", "filename": "model.safetensors"},
    "empty": {"repo_id": "org/repo", "filename": "empty.txt"},
    "dataset": {"repo_id": "org/ds", "filename": "data/train.csv", "repo_type": "dataset"},
    "space": {"repo_id": "org/space", "filename": "app.py", "repo_type": "space"},
    "large": {"repo_id": "org/big", "filename": "big.bin"},
}


def truth(hub: FixtureHub, arguments: dict[str, Any]) -> Any:
    """Return what the fixture says of a file that a step names."""
    revision, kind = arguments.get("revision", "main"), arguments.get("repo_type", "model")
    return hub.file(arguments["repo_id"], arguments["filename"], revision, kind)


def digests(hub: FixtureHub, repo_id: str, kind: str = "model", revision: str = "main"):
    return {path: file.sha256 for path, file in hub.manifest(repo_id, revision, kind).items()}


def test_single_files_are_identical_and_cached_under_the_hubs_own_etag(hub, machine):
    got = machine.do("downloads", wanted=ONE_EACH)
    for name, arguments in ONE_EACH.items():
        file = truth(hub, arguments)
        assert (got[name]["sha256"], got[name]["size"]) == (file.sha256, file.size), name
        # git sha1 of regular files, sha256 of LFS files: what names the blob in the cache (§1.3).
        assert got[name]["blob"] == (file.sha256 if file.lfs else file.oid), name
        commit = hub.sha(arguments["repo_id"], type=arguments.get("repo_type", "model"))
        assert got[name]["commit"] == commit, name


def test_snapshots_of_model_dataset_and_space_are_complete(hub, machine):
    for repo_id, kind in (("org/repo", "model"), ("org/ds", "dataset"), ("org/space", "space")):
        assert machine.do("snapshot", repo_id=repo_id, repo_type=kind) == digests(
            hub, repo_id, kind
        )


def test_snapshot_of_hundreds_of_files(hub, machine, client_kind):
    files = {f"part-{n % 7}/file-{n:04}.txt": f"{client_kind.name} {n}\n" for n in range(300)}
    repo_id = fresh_repo(hub, {**files, "weights.bin": random_file(100_000)})
    assert machine.do("snapshot", repo_id=repo_id) == digests(hub, repo_id)


def test_snapshot_of_three_thousand_files(hub, stack, new_client, new_cache):
    """It makes a version or two, not thousands, and outlives the cleaning up of orphans."""
    cache, expected = new_cache(repository=True), digests(hub, "org/many3000")
    assert new_client(cache).do("snapshot", repo_id="org/many3000") == expected
    wait_for_commits(cache, 1)
    assert len(versions(cache)) <= 4  # with the empty one that every repository begins with
    stack.rest.run("orphans/cleanup/", orphan_protection_time=0)
    hub.reset()
    assert new_client(cache).do("snapshot", repo_id="org/many3000") == expected
    assert hub.counters().total_blob_bytes == 0


@pytest.mark.matrix("B27")
def test_hf_download_takes_what_include_asks_for(hub, machine, tmp_path):
    target = tmp_path / "downloaded"
    done = machine.command(
        "hf", "download", "org/repo", "--include", "*.json", "--local-dir", str(target)
    )
    assert done.returncode == 0, done.stderr
    expected = {p: d for p, d in digests(hub, "org/repo").items() if p.endswith(".json")}
    assert expected.keys() == {
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    for path, digest in expected.items():
        content = (target / path).read_bytes()
        assert content == hub.bytes_of("org/repo", path), digest


def test_hf_download_of_a_dataset_prints_the_folder(hub, machine):
    done = machine.command("hf", "download", "org/ds", "--repo-type", "dataset")
    assert done.returncode == 0, done.stderr
    assert hub.sha("org/ds", type="dataset") in done.stdout


def test_a_second_client_machine_costs_no_blob_bytes(hub, new_machine, client_kind, cache):
    repo_id = fresh_repo(hub)
    first = new_machine(client_kind, cache)
    assert first.do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    files = hub.manifest(repo_id).values()
    assert hub.counters().total_blob_bytes == sum(file.size for file in files)
    hub.reset()
    second = new_machine(client_kind, cache)
    assert second.do("snapshot", repo_id=repo_id) == digests(hub, repo_id)
    assert hub.counters().total_blob_bytes == 0


def test_the_same_file_in_two_repositories_is_fetched_once(hub: FixtureHub, cache: Cache):
    content = random_file(500_000)
    first, second = unique("org/one"), unique("org/two")
    hub.declare(repo(first, {"a.bin": content}), repo(second, {"deep/b.bin": content}))
    assert cache.get(f"/{first}/resolve/main/a.bin").good
    hub.reset()
    reply = cache.get(f"/{second}/resolve/main/deep/b.bin")
    assert reply.body == hub.bytes_of(second, "deep/b.bin")
    assert hub.counters().total_blob_bytes == 0


def test_config_and_tokenizer_of_transformers(hub, transformers, cache):
    got = transformers(cache).do("auto", repo_id="org/bert", text="hello world")
    vocab = hub.bytes_of("org/bert", "vocab.txt").decode().split()
    expected = [vocab.index(word) for word in ("[CLS]", "hello", "world", "[SEP]")]
    assert got["tokens"] == expected
    assert (got["model_type"], got["vocab_size"]) == ("bert", len(vocab))


def test_byte_level_tokenizer_of_transformers(hub, transformers, cache):
    got = transformers(cache).do("auto", repo_id="microsoft/DialoGPT-medium", text="ab")
    assert got["model_type"] == "gpt2"
    assert len(got["tokens"]) == 2


def test_no_client_talks_xet(hub, machine):
    machine.do("download", repo_id="org/repo", filename="model.safetensors")
    metadata = machine.do("metadata", repo_id="org/repo", filename="model.safetensors")
    assert metadata == {
        "commit": hub.sha("org/repo"),
        "etag": hub.file("org/repo", "model.safetensors").sha256,
        "size": hub.file("org/repo", "model.safetensors").size,
        "xet": False,
    }
    assert hub.counters().of("xet_token", "xet_cas") == 0
