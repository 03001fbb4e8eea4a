"""Whether the answer for a file's bytes is the one that was asked for."""

import asyncio
import gzip
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    HubError,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.upstream import client as client_module
from pulp_hugging_face.upstream.client import HubClient

from .servers import answering, response

pytestmark = pytest.mark.asyncio

Client = Callable[..., HubClient]
REPO = RepoId(RepoType.MODEL, "org/repo")
SHA = "0123456789abcdef0123456789abcdef01234567"
CONTENT = bytes(range(100))


async def fetched(
    client: Client, answer: bytes, start: int = 0, stop: int = 100
) -> tuple[int, bytes]:
    """The offset and the bytes that come of an answer for a file of 100 bytes."""
    async with answering(answer) as own:
        made = client(own.url)
        async with made.open_blob(REPO, SHA, "a b", 100, start, stop) as stream:
            data = b"".join([chunk async for chunk in stream.chunks(7)])
        (seen,) = own.seen
        assert seen.target == f"/org/repo/resolve/{SHA}/a%20b"
        assert seen.headers["Accept-Encoding"] == "identity"
        assert seen.headers.get("Range") == (
            None if (start, stop) == (0, 100) else f"bytes={start}-{stop - 1}"
        )
    return stream.start, data


def partial(start: int, stop: int, total: object = 100, *headers: str) -> bytes:
    line = f"Content-Range: bytes {start}-{stop - 1}/{total}"
    return response(CONTENT[start:stop], line, *headers, status="206 Partial Content")


async def test_the_whole_file(client: Client) -> None:
    assert await fetched(client, response(CONTENT)) == (0, CONTENT)


async def test_a_part_of_the_file(client: Client) -> None:
    assert await fetched(client, partial(10, 20), 10, 20) == (10, CONTENT[10:20])


async def test_a_server_that_ignores_the_range_starts_over(client: Client) -> None:
    assert await fetched(client, response(CONTENT), 10, 20) == (0, CONTENT)


async def test_a_shorter_range_is_taken(client: Client) -> None:
    """The rest is asked for again."""
    assert await fetched(client, partial(10, 15), 10, 100) == (10, CONTENT[10:15])


async def test_a_length_that_is_not_said_is_taken(client: Client) -> None:
    chunked = b"64\r\n" + CONTENT + b"\r\n0\r\n\r\n"
    answer = response(chunked, "Transfer-Encoding: chunked")
    assert await fetched(client, answer) == (0, CONTENT)


async def test_compressed_bytes_arrive_decoded(client: Client) -> None:
    answer = response(gzip.compress(CONTENT), "Content-Encoding: gzip")
    assert await fetched(client, answer) == (0, CONTENT)


@pytest.mark.parametrize(
    "answer",
    [
        partial(0, 10),
        partial(11, 20),
        partial(10, 20, 99),
        partial(10, 20, 101),
        partial(10, 20, "*"),
        response(CONTENT[10:20], status="206 Partial Content"),
        response(CONTENT[10:20], "Content-Range: bytes=10-19/100", status="206 Partial Content"),
        response(CONTENT[10:20], "Content-Range: lines 10-19/100", status="206 Partial Content"),
        response(CONTENT[10:20], f"Content-Range: bytes {'1' * 5000}-9/100",
                 status="206 Partial Content"),
        response(gzip.compress(CONTENT[10:20]), "Content-Range: bytes 10-19/100",
                 "Content-Encoding: gzip", status="206 Partial Content"),
        response(b"--x--", "Content-Type: multipart/byteranges; boundary=x",
                 status="206 Partial Content"),
        response(CONTENT[:50]),
        response(CONTENT + b"!"),
        response(b""),
        response(b"", status="204 No Content"),
        response(b"", "Content-Length: 100", status="304 Not Modified"),
        response(CONTENT, status="202 Accepted"),
        response(CONTENT, status="302 Found"),
    ],
)  # fmt: skip
async def test_another_answer_than_asked_for_is_invalid(client: Client, answer: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        await fetched(client, answer, 10, 20)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (response(b"", status="416 Range Not Satisfiable"), UpstreamInvalid),
        (response(b"", status="503 Service Unavailable"), UpstreamUnavailable),
        (response(b"", status="429 Too Many Requests"), UpstreamBusy),
        (response(b"", "X-Error-Code: EntryNotFound", status="404 Not Found"), EntryNotFound),
    ],
)
async def test_failures_are_those_of_every_question(
    client: Client, answer: bytes, kind: type[HubError]
) -> None:
    with pytest.raises(kind):
        await fetched(client, answer, 10, 20)


async def test_a_body_that_ends_early_is_broken(client: Client) -> None:
    with pytest.raises(UpstreamUnavailable):
        await fetched(client, response(CONTENT[:50], "Content-Length: 100"))


async def test_compressed_bytes_that_are_broken_are_broken(client: Client) -> None:
    with pytest.raises((UpstreamUnavailable, UpstreamInvalid)):
        await fetched(client, response(b"nonsense", "Content-Encoding: gzip"))


async def test_a_body_that_stalls_is_a_timeout(hub: FixtureHub, client: Client) -> None:
    info = hub.file("org/repo", "model.safetensors")
    hub.fault("stall", kind="cdn_get", after=1000)
    made = client(hub.url, sock_read_timeout=0.2)
    with pytest.raises(UpstreamTimeout):
        async with made.open_blob(
            REPO, hub.sha("org/repo"), info.path, info.size, 0, info.size
        ) as stream:
            async for _ in stream.chunks(1000):
                pass


@pytest.mark.parametrize(
    ("fields", "patient", "gives_up"),
    [({}, False, True), ({}, True, False), ({"sock_read_timeout": 60}, False, False)],
)
async def test_a_silent_upstream_is_told_of_soon_unless_somebody_is_patient(
    hub: FixtureHub,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, float],
    patient: bool,
    gives_up: bool,
) -> None:
    """An administrator's time-out counts in any case."""
    monkeypatch.setattr(client_module, "BLOB_READ_TIMEOUT", 0.3)
    info = hub.file("org/repo", "model.safetensors")
    hub.fault("slow_first_byte", kind="cdn_get", seconds=1.5)
    where = (REPO, hub.sha("org/repo"), info.path, info.size, 0, info.size)
    with pytest.raises(UpstreamTimeout) if gives_up else nullcontext():
        async with client(hub.url, **fields).open_blob(*where, patient=patient) as stream:
            assert sum([len(chunk) async for chunk in stream.chunks(1000)]) == info.size


async def test_a_slow_body_may_take_longer_than_an_answer_of_the_api(
    hub: FixtureHub, client: Client
) -> None:
    """A total time-out is for the administrator to set; each read has its own."""
    info = hub.file("org/repo", "tokenizer.json")
    hub.fault("throttle", kind="resolve_cache", rate=60)
    made = client(hub.url, sock_read_timeout=5)
    async with made.open_blob(
        REPO, hub.sha("org/repo"), info.path, info.size, 0, info.size
    ) as stream:
        assert sum([len(chunk) async for chunk in stream.chunks(10)]) == info.size


async def test_what_is_not_read_is_not_fetched(hub: FixtureHub, client: Client) -> None:
    info = hub.file("org/big", "big.bin")
    repo = RepoId(RepoType.MODEL, "org/big")
    hub.throttle(2_000_000)
    async with client(hub.url).open_blob(
        repo, hub.sha("org/big"), info.path, info.size, 0, info.size
    ) as stream:
        async for _ in stream.chunks(1000):
            break
    await asyncio.to_thread(hub.wait_for, lambda counters: counters.running == 0)
    assert hub.counters().total_blob_bytes < info.size
