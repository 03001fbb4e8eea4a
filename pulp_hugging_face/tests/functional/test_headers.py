"""The headers clients live by: whole dictionaries, equal wherever and whenever they are asked."""

import pytest

from . import wire
from .caches import Cache, fresh_repo


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


# Differ from answer to answer, or say nothing of the file.
PASSING = {"date", "server", "correlation-id"}
REGULAR = "/org/repo/resolve/main/sub%20dir/%C3%A9%20%231.txt"
LFS = "/org/repo/resolve/main/model.safetensors"
CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,"
        "ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag"
    ),
}
HARMLESS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}


def lasting(reply: wire.Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name not in PASSING}


def test_all_headers_of_a_regular_file(hub, cache):
    file = hub.file("org/repo", "sub dir/é #1.txt")
    expected = {
        "x-repo-commit": hub.sha("org/repo"),
        "etag": f'"{file.oid}"',
        "content-length": str(file.size),
        "accept-ranges": "bytes",
        "content-type": "text/plain; charset=utf-8",
        "content-disposition": "inline; filename*=UTF-8''%C3%A9%20%231.txt; filename=\"_ #1.txt\";",
        **HARMLESS,
        **CORS,
    }
    for method in ("HEAD", "GET", "HEAD", "GET"):
        reply = wire.ask(cache.url, REGULAR, method)
        assert reply.status == 200
        assert lasting(reply) == expected, method


def test_all_headers_of_an_lfs_file(hub, cache):
    file = hub.file("org/repo", "model.safetensors")
    expected = {
        "x-repo-commit": hub.sha("org/repo"),
        "etag": f'"{file.sha256}"',
        "x-linked-etag": f'"{file.sha256}"',
        "x-linked-size": str(file.size),
        "content-length": str(file.size),
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "content-disposition": (
            "inline; filename*=UTF-8''model.safetensors; filename=\"model.safetensors\";"
        ),
        **HARMLESS,
        **CORS,
    }
    for method in ("HEAD", "GET", "HEAD", "GET"):
        reply = wire.ask(cache.url, LFS, method)
        assert reply.status == 200
        assert lasting(reply) == expected, method


def test_a_head_of_an_uncached_file_costs_no_blob_bytes(hub, cache):
    repo_id = fresh_repo(hub)
    for path in ("config.json", "small.bin", "large.bin"):
        reply = cache.head(f"/{repo_id}/resolve/main/{path}")
        file = hub.file(repo_id, path)
        assert reply.status == 200 and reply.body == b""
        assert reply.headers["content-length"] == str(file.size)
        assert reply.headers["etag"] == f'"{file.etag}"'
    assert hub.counters().total_blob_bytes == 0


@pytest.mark.parametrize("path", ["config.json", "small.bin"])
def test_both_workers_give_the_same_answer(hub, cache, path):
    """Each request has a connection of its own, so that the kernel spreads them."""
    target = f"/{fresh_repo(hub)}/resolve/main/{path}"
    replies = [wire.ask(cache.url, target, m) for _ in range(20) for m in ("HEAD", "GET")]
    assert len({tuple(sorted(lasting(reply).items())) for reply in replies}) == 1
    assert len({reply.body for reply in replies}) == 2  # of HEAD and of GET


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
