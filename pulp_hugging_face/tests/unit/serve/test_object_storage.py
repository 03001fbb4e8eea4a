"""Held files in object storage: redirected or passed on, while they are put there, in trouble."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from django.conf import settings
from yarl import URL

from pulp_hugging_face.blobs import tombstone
from pulp_hugging_face.blobs.manager import FOLDER
from pulp_hugging_face.hub.headers import content_disposition
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.tests.hub import OWNER_TOKEN
from pulp_hugging_face.tests.unit.s3 import HOST, KEY, SECRET

from pulpcore.plugin.models import Artifact  # isort: skip (after Django is configured)
from pulp_hugging_face.app.models import Blob  # isort: skip

from .shelf import (
    LARGE,
    MIB,
    Bucket,
    Shelf,
    bucket,
    domain,
    gate,
    one_signature,
    server,
    shelf,
    url_of,
)
from .test_files import at, get

__all__ = ["bucket", "domain", "gate", "server", "shelf"]

pytestmark = pytest.mark.asyncio


async def fetch(url: str, **headers: str) -> tuple[int, Any, bytes]:
    """Get an address as a client does that follows a redirect."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(url, encoded=True), headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


# Redirects.


@pytest.mark.parametrize("path", ["large.bin", "regular.txt"])
async def test_a_held_file_is_got_from_the_storage_itself(shelf: Shelf, path: str) -> None:
    client, content = await shelf.serve(), shelf.truth(path)
    await shelf.hold(client, path)
    status, headers, body = await get(client, url_of(path))
    assert (status, body) == (302, b"")
    target = URL(headers["Location"], encoded=True)
    assert target.is_absolute() and target.host == HOST
    info = shelf.hub.file("org/stored", path)
    expected = {
        "X-Repo-Commit": shelf.hub.sha("org/stored"),
        "ETag": f'"{info.etag}"'.replace('""', '"'),
        "X-Linked-ETag": f'"{info.etag}"'.replace('""', '"'),
        "X-Linked-Size": str(len(content)),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
    }
    assert {name: headers.get(name) for name in expected} == expected
    assert "Content-Range" not in headers and "Access-Control-Allow-Origin" in headers
    status, told, body = await fetch(headers["Location"])
    assert (status, body) == (200, content)
    assert told["Content-Disposition"] == content_disposition(path)
    assert told["Content-Type"] == headers["Content-Type"]
    assert shelf.hub.counters().total_blob_bytes == 0


async def test_the_same_address_answers_ranges_and_needs_its_signature(shelf: Shelf) -> None:
    client, content = await shelf.serve(), shelf.truth("large.bin")
    await shelf.hold(client, "large.bin")
    status, headers, _ = await get(client, url_of("large.bin"), Range="bytes=1000000-")
    assert status == 302 and "Content-Range" not in headers
    where = headers["Location"]
    for asked, expected in (
        ("bytes=1000000-", content[1_000_000:]),
        ("bytes=0-0", content[:1]),
        ("bytes=-10", content[-10:]),
    ):
        status, told, body = await fetch(where, Range=asked)
        assert (status, body) == (206, expected)
        assert told["Content-Range"].endswith(f"/{LARGE}")
    target = URL(where, encoded=True)
    assert target.query.get("X-Amz-SignedHeaders", "host") == "host"  # so Range may be added
    assert (await fetch(str(target.with_query(None))))[0] == 403


@one_signature
async def test_a_head_is_answered_here(shelf: Shelf) -> None:
    client = await shelf.serve()
    cold = {p: await get(client, url_of(p), "HEAD") for p in ("large.bin", "regular.txt")}
    await shelf.hold(client, *cold)
    for path, before in cold.items():
        status, headers, _ = await get(client, url_of(path), "HEAD")
        assert status == 200 and "Location" not in headers
        assert (status, headers) == before[:2]
        assert headers["Content-Length"] == str(len(shelf.truth(path)))
    assert shelf.gate.asked == []


@one_signature
async def test_what_is_small_or_conditional_is_answered_here(shelf: Shelf) -> None:
    client = await shelf.serve()
    await shelf.hold(client, "large.bin", "small.json")
    url, content = url_of("large.bin"), shelf.truth("large.bin")
    etag = (await get(client, url, "HEAD"))[1]["ETag"]
    assert (await get(client, url, If_None_Match=etag))[0] == 304
    assert (await get(client, url, Range=f"bytes={LARGE}-"))[0] == 416
    assert shelf.gate.asked == []
    assert (await get(client, url_of("small.json")))[2] == b"{}\n"
    # @huggingface/hub asks so to learn ETag and size (§1.8).
    status, headers, body = await get(client, url, Range="bytes=0-0")
    assert (status, body, headers["ETag"]) == (206, content[:1], etag)
    assert headers["Content-Range"] == f"bytes 0-0/{LARGE}"
    for conditions in (
        {"If_Range": etag, "Range": "bytes=100-"},
        {"If_Modified_Since": "Fri, 01 Jan 2038 00:00:00 GMT", "Range": "bytes=100-"},
    ):
        status, headers, body = await get(client, url, **conditions)
        assert (status, body, headers["ETag"]) == (206, content[100:], etag)


@one_signature
async def test_a_range_that_is_ignored_is_not_repeated_to_the_storage(shelf: Shelf) -> None:
    """Who resumes after bad bytes gets the whole (serve/resume.py); the storage would resume."""
    client, content = await shelf.serve(), shelf.truth("resumed.bin")
    await shelf.hold(client, "resumed.bin")
    key = shelf.hub.file("org/stored", "resumed.bin").sha256
    folder = Path(settings.WORKING_DIRECTORY) / FOLDER / str(shelf.domain.pk)
    await asyncio.to_thread(tombstone.note, folder, key)
    agent = "unknown/None; hf_hub/2.4.0"
    asked = {"Range": f"bytes={10 * MIB}-", "User_Agent": agent}
    status, _, body = await get(client, url_of("resumed.bin"), **asked)
    assert (status, body) == (200, content)


@one_signature
@pytest.mark.parametrize("origin", [f"http://{HOST}:9", "https://hub.test"])
async def test_nobody_is_sent_to_the_same_host_or_from_https_to_http(
    shelf: Shelf, settings: Any, origin: str
) -> None:
    settings.CONTENT_ORIGIN = origin
    client = await shelf.serve()
    await shelf.hold(client, "large.bin")
    status, headers, body = await get(client, url_of("large.bin"))
    assert (status, body) == (200, shelf.truth("large.bin")) and "Location" not in headers


# Through us.


@one_signature
async def test_ranges_are_passed_on_and_nothing_else_is_read(shelf: Shelf) -> None:
    client, content = await shelf.serve(redirects=False), shelf.truth("large.bin")
    await shelf.hold(client, "large.bin")
    for first, last in ((0, LARGE - 1), (5 * MIB, 7 * MIB), (LARGE - 1, LARGE - 1), (3, 3 * MIB)):
        shelf.gate.asked.clear()
        status, headers, body = await get(
            client, url_of("large.bin"), Range=f"bytes={first}-{last}"
        )
        assert (status, body) == (206, content[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{LARGE}"
        assert [asked.range for asked in shelf.gate.asked] == [f"bytes={first}-{last}"]
    status, headers, body = await get(client, url_of("large.bin"))
    assert (status, body, headers["Content-Length"]) == (200, content, str(LARGE))
    assert shelf.hub.counters().total_blob_bytes == 0


@one_signature
async def test_a_connection_the_storage_cuts_is_taken_up_where_it_broke(shelf: Shelf) -> None:
    client, content = await shelf.serve(redirects=False), shelf.truth("large.bin")
    await shelf.hold(client, "large.bin")
    shelf.gate.cuts = [3 * MIB + 5, 2 * MIB]
    status, _, body = await get(client, url_of("large.bin"))
    assert (status, body) == (200, content)
    begun = [
        int((asked.range or "").removeprefix("bytes=").split("-")[0]) for asked in shelf.gate.asked
    ]
    assert begun[0] == 0 and begun == sorted(begun) and 2 <= len(begun) <= 3
    assert begun[1] >= 2 * MIB


@one_signature
async def test_an_answer_that_cannot_be_ended_is_broken_off(shelf: Shelf) -> None:
    client = await shelf.serve(redirects=False)
    await shelf.hold(client, "large.bin")
    shelf.gate.cuts = [2 * MIB] + [0] * 20
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(client, url_of("large.bin"))


@one_signature
async def test_many_slow_clients_hold_no_threads(shelf: Shelf) -> None:
    """More of them than there are threads, none of which reads on."""
    client = await shelf.serve(redirects=False)
    await shelf.hold(client, "large.bin")
    begun = [await client.get(url_of("large.bin"), allow_redirects=False) for _ in range(20)]
    for answer in begun:
        assert len(await answer.content.readexactly(1000)) == 1000
    async with asyncio.timeout(10):
        assert (await get(client, url_of("large.bin"), Range="bytes=0-9"))[0] == 206
    for answer in begun:
        answer.close()


# Trouble.


@one_signature
@pytest.mark.parametrize("redirects", [True, False])
async def test_a_storage_that_is_down_is_said_and_recovers(shelf: Shelf, redirects: bool) -> None:
    client = await shelf.serve(redirects=redirects)
    await shelf.hold(client, "large.bin")
    await shelf.gate.down()
    status, headers, body = await get(client, url_of("large.bin"))
    assert (status, headers["X-Error-Code"]) == (503, "StorageUnavailable")
    assert headers["Retry-After"] and HOST not in str(headers) and HOST.encode() not in body
    assert (await get(client, url_of("large.bin"), "HEAD"))[0] == 200
    await shelf.gate.up()
    assert (await get(client, url_of("large.bin")))[0] == (302 if redirects else 200)
    assert shelf.hub.counters().total_blob_bytes == 0


@one_signature
@pytest.mark.parametrize("redirects", [True, False])
@pytest.mark.parametrize("damage", ["gone", "short"])
async def test_an_object_that_is_missing_is_fetched_and_put_back(
    shelf: Shelf, bucket: Bucket, redirects: bool, damage: str
) -> None:
    client, content = await shelf.serve(redirects=redirects), shelf.truth("large.bin")
    await shelf.hold(client, "large.bin")
    if damage == "gone":
        await asyncio.to_thread(bucket.empty)
    else:
        await asyncio.to_thread(bucket.overwrite, b"short")
    assert (await get(client, url_of("large.bin")))[2] == content
    assert shelf.hub.counters().total_blob_bytes == LARGE
    await shelf.published("large.bin")
    _, headers, body = await get(client, url_of("large.bin"))
    assert (await fetch(headers["Location"]))[2] == content if redirects else body == content
    assert shelf.hub.counters().total_blob_bytes == LARGE


@one_signature
async def test_a_bucket_that_is_missing_makes_nothing_forgotten(
    shelf: Shelf, bucket: Bucket
) -> None:
    client = await shelf.serve()
    await shelf.hold(client, "large.bin")
    await asyncio.to_thread(bucket.remove)
    status, headers, _ = await get(client, url_of("large.bin"))
    assert (status, headers["X-Error-Code"]) == (503, "StorageUnavailable")
    assert await shelf.count(Blob) == 1


# Publication.


@one_signature
async def test_readers_do_not_wait_for_the_upload_and_no_transaction_does(
    shelf: Shelf, store: Store
) -> None:
    client, content = await shelf.serve(), shelf.truth("large.bin")
    shelf.gate.open_for_writes.clear()
    for _ in range(2):  # the second joins the first, whose bytes are on their way
        async with asyncio.timeout(20):
            assert (await get(client, url_of("large.bin")))[::2] == (200, content)
    async with asyncio.timeout(20):
        while not any(asked.method in ("PUT", "POST") for asked in shelf.gate.asked):
            await asyncio.sleep(0.05)
    open_ones = await store.database.fetch(
        "SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
    )
    assert open_ones == []
    assert (await get(client, at("config.json"), "HEAD"))[0] == 200
    assert await shelf.count(Artifact) == 0
    shelf.gate.open_for_writes.set()
    await shelf.published("large.bin")
    assert (await get(client, url_of("large.bin")))[0] == 302
    assert shelf.hub.counters().total_blob_bytes == LARGE


@one_signature
async def test_an_upload_that_fails_is_logged_and_nothing_is_written_down(
    shelf: Shelf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, content = await shelf.serve(), shelf.truth("regular.txt")
    await shelf.gate.down()
    assert (await get(client, url_of("regular.txt")))[::2] == (200, content)
    async with asyncio.timeout(30):
        while "the storage did not take it" not in caplog.text:
            await asyncio.sleep(0.05)
    assert [await shelf.count(model) for model in (Artifact, Blob)] == [0, 0]
    await shelf.gate.up()
    await shelf.hold(client, "regular.txt")
    assert (await get(client, url_of("regular.txt")))[0] == 302


# Secrets.


@one_signature
@pytest.mark.parametrize("redirects", [True, False])
async def test_credentials_are_in_no_answer_and_no_log_but_the_address_itself(
    shelf: Shelf, caplog: pytest.LogCaptureFixture, redirects: bool
) -> None:
    caplog.set_level(logging.DEBUG, "pulp_hugging_face")
    caplog.set_level(logging.INFO)
    client = await shelf.serve(redirects=redirects, hf_token=OWNER_TOKEN)
    await shelf.hold(client, "large.bin")
    answers = [await get(client, url_of("large.bin"), Authorization="Bearer hf_of_the_client")]
    await shelf.gate.down()
    answers.append(await get(client, url_of("large.bin"), Range="bytes=0-5"))
    for _, headers, body in answers:
        shown = str({k: v for k, v in headers.items() if k != "Location"}).encode() + body[:10_000]
        for secret in (KEY, SECRET, "Signature", HOST):
            assert secret.encode() not in shown
    assert SECRET not in answers[0][1].get("Location", "")
    for secret in (KEY, SECRET, "Signature=", OWNER_TOKEN, "hf_of_the_client"):
        assert secret not in caplog.text
    for asked in shelf.gate.asked:
        assert "hf_of_the_client" not in str(asked.headers) and OWNER_TOKEN not in str(asked)
