"""What headers of files depend on, and what not; whole answers are in `test_golden_headers.py`."""

import pytest

from . import wire
from .caches import Cache, fresh_repo


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


REGULAR = "/org/repo/resolve/main/sub%20dir/%C3%A9%20%231.txt"
LFS = "/org/repo/resolve/main/model.safetensors"


def test_a_head_of_an_uncached_file_costs_no_blob_bytes(hub, cache):
    repo_id = fresh_repo(hub)
    for path in ("config.json", "small.bin", "large.bin"):
        reply = cache.head(f"/{repo_id}/resolve/main/{path}")
        file = hub.file(repo_id, path)
        assert reply.status == 200 and reply.body == b""
        assert reply.headers["content-length"] == str(file.size)
        assert reply.headers["etag"] == f'"{file.etag}"'
    assert hub.counters().total_blob_bytes == 0


def test_compression_is_never_applied_to_files(hub, cache):
    for target in (REGULAR, LFS):
        for method in ("HEAD", "GET"):
            headers = {"Accept-Encoding": "gzip, deflate, br"}
            reply = wire.ask(cache.url, target, method, headers)
            assert "content-encoding" not in reply.headers
            if method == "GET":
                assert len(reply.body) == int(reply.headers["content-length"])


def test_a_compressing_upstream_changes_nothing(hub, cache):
    hub.settings(compress=True)
    repo_id = fresh_repo(hub, {"vocab.txt": "word\n" * 5000})
    reply = cache.get(f"/{repo_id}/resolve/main/vocab.txt", accept_encoding="gzip")
    assert reply.body == hub.bytes_of(repo_id, "vocab.txt")
    assert reply.headers["etag"] == f'"{hub.file(repo_id, "vocab.txt").oid}"'


def test_the_xet_file_info_type_is_answered_with_the_bytes(hub, cache):
    """What @huggingface/hub sends on every download (§1.6)."""
    accept = "application/vnd.xet-fileinfo+json, */*"
    for target in (LFS, f"/{fresh_repo(hub)}/resolve/main/small.bin"):
        reply = cache.get(target, accept=accept)
        assert reply.status == 200 and reply.headers["content-type"] == "application/octet-stream"
        assert len(reply.body) == int(reply.headers["x-linked-size"])


def test_metadata_of_the_client_equals_the_hubs(hub, machine):
    for path in ("config.json", "model.safetensors", "empty.txt"):
        file = hub.file("org/repo", path)
        assert machine.do("metadata", repo_id="org/repo", filename=path) == {
            "commit": hub.sha("org/repo"),
            "etag": file.etag,
            "size": file.size,
            "xet": False,
        }
