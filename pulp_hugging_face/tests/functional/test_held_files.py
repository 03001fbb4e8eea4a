"""Ranges and conditions of files, held and not."""

import pytest

from . import wire
from .caches import MIB, Cache, fresh_repo, random_file


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


SIZE = 100_000


@pytest.fixture
def file(hub, cache: Cache) -> tuple[str, bytes]:
    """A held LFS file: its address and its bytes."""
    repo_id = fresh_repo(hub, {"held.bin": random_file(SIZE)})
    target = f"/{repo_id}/resolve/main/held.bin"
    content = hub.bytes_of(repo_id, "held.bin")
    assert cache.get(target).body == content
    return target, content


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=500-599", 500, 600),
        ("bytes=99990-", 99990, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-200", SIZE - 200, SIZE),
        ("bytes=-999999999", 0, SIZE),
        # One past the end, as hf_transfer asks for its last piece (§1.5).
        ("bytes=99990-100000", 99990, SIZE),
        ("bytes=5-99999999999999999999999", 5, SIZE),
    ],
)
def test_ranges(hub, cache, file, asked, start, stop):
    target, content = file
    hub.reset()
    reply = cache.get(target, range=asked)
    assert reply.status == 206
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert reply.headers["content-length"] == str(stop - start)
    assert reply.body == content[start:stop]
    assert hub.counters().total_blob_bytes == 0


@pytest.mark.parametrize("asked", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_ranges_behind_the_end(cache, file, asked):
    reply = cache.get(file[0], range=asked)
    assert reply.status == 416
    assert reply.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=9-2", "bytes=a-b", "chunks=0-1", "bytes=0-1,5-6", ""])
def test_what_is_no_single_range_gets_the_whole_file(cache, file, asked):
    reply = cache.get(file[0], range=asked)
    assert (reply.status, reply.body) == (200, file[1])


def test_if_none_match(cache, file):
    etag = cache.head(file[0]).headers["etag"]
    for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        for method in ("GET", "HEAD"):
            reply = wire.ask(cache.url, file[0], method, {"If-None-Match": value})
            assert (reply.status, reply.body) == (304, b""), value
            assert reply.headers["etag"] == etag
    assert cache.get(file[0], if_none_match='"other"').body == file[1]


def test_if_range(cache, file):
    etag = cache.head(file[0]).headers["etag"]
    assert cache.get(file[0], range="bytes=0-9", if_range=etag).body == file[1][:10]
    for other in ('"other"', f"W/{etag}", "Mon, 01 Jan 2024 00:00:00 GMT"):
        reply = cache.get(file[0], range="bytes=0-9", if_range=other)
        assert (reply.status, reply.body) == (200, file[1]), other


def test_a_head_ignores_ranges(cache, file):
    reply = cache.head(file[0], range="bytes=0-9")
    assert reply.headers["content-length"] == str(SIZE)
    assert reply.headers["accept-ranges"] == "bytes"


def test_an_empty_file(hub, cache):
    target = "/org/repo/resolve/main/empty.txt"
    for method in ("HEAD", "GET"):
        reply = wire.ask(cache.url, target, method)
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "0", b"")
        assert reply.headers["etag"] == f'"{hub.file("org/repo", "empty.txt").oid}"'
    assert cache.get(target, range="bytes=0-0").status == 416


@pytest.mark.parametrize(("start", "length"), [(0, 1), (3 * MIB, 1000), (20 * MIB - 7, 7)])
def test_ranges_of_a_file_that_is_not_held(hub, cache, start, length):
    """A tail or a block of a large file must not wait for all of it (safetensors, parquet)."""
    repo_id = fresh_repo(hub, {"cold.bin": random_file(20 * MIB)})
    hub.throttle(4 * MIB)
    asked = f"bytes={start}-{start + length - 1}"
    reply = cache.get(f"/{repo_id}/resolve/main/cold.bin", range=asked)
    assert reply.status == 206
    assert reply.headers["content-range"] == f"bytes {start}-{start + length - 1}/{20 * MIB}"
    assert reply.body == hub.bytes_of(repo_id, "cold.bin", start=start, length=length)


def test_blocks_by_hffilesystem(hub, machine):
    start, length = 1_000_001, 4096
    got = machine.do("block", path="org/big/big.bin", start=start, length=length)
    assert bytes.fromhex(got) == hub.bytes_of("org/big", "big.bin", start=start, length=length)


def test_many_requests_over_one_connection(hub, cache, file):
    with wire.connection(cache.url) as connection:
        for _ in range(3):
            assert connection.ask("GET", file[0]).body == file[1]
            assert connection.ask("HEAD", file[0]).body == b""
            assert connection.ask("GET", file[0], {"Range": "bytes=5-9"}).body == file[1][5:10]
            assert connection.ask("GET", file[0] + ".not").status == 404
