"""What clients send, and what is no text, no token, or too much of it."""

import asyncio
import json
from typing import Any

import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

PATHS_INFO = f"{P}/api/models/org/repo/paths-info/main"
IN_BUCKET = f"{P}/api/buckets/org/store/paths-info"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
LONG = [f"{'d' * 2000}/é{number}.txt" for number in range(1999)]


async def post(client: Client, url: str, kind: str | None, body: Any) -> tuple[int, Any, Any]:
    headers = {"Content-Type": kind} if kind else {}
    async with client.post(url, data=body, headers=headers) as answer:
        return answer.status, answer.headers, await answer.json()


async def raw(client: Client, head: bytes) -> bytes:
    """Send the lines of a request as they are; returns the answer as it comes."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(head + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("kind", [JSON, FORM])
async def test_two_thousand_long_paths_may_be_asked_for(serving: Serving, kind: str) -> None:
    client, paths = await serving(), [*LONG, "config.json"]
    body = json.dumps({"paths": paths}) if kind == JSON else [("paths", path) for path in paths]
    status, _, items = await post(client, PATHS_INFO, kind, body)
    assert (status, [item["path"] for item in items]) == (200, ["config.json"])


@pytest.mark.parametrize("expand", [False, True])
async def test_a_path_that_is_no_text_is_left_out(serving: Serving, expand: bool) -> None:
    body = json.dumps({"paths": ["config.json", "\ud800"], "expand": expand})
    status, _, items = await post(await serving(), PATHS_INFO, JSON, body)
    assert (status, [item["path"] for item in items]) == (200, ["config.json"])


@pytest.mark.parametrize("url", [PATHS_INFO, IN_BUCKET])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_long_is_refused(
    serving: Serving, url: str, announced: bool
) -> None:
    body = b'{"paths": ["' + b"x" * 16 * 1024 * 1024 + b'"]}'

    async def pieces() -> Any:
        for start in range(0, len(body), 1024 * 1024):
            yield body[start : start + 1024 * 1024]

    client = await serving()
    status, headers, data = await post(client, url, JSON, body if announced else pieces())
    assert (status, headers["X-Error-Code"]) == (413, "PayloadTooLarge")
    assert "16777216" in data["error"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (f"{JSON}; charset=nope", b'{"paths": ["config.json"]}'),
        (f"{JSON}; charset=punycode", b'{"paths": ["config.json"]}'),
        (f"{FORM}; charset=nope", b"paths=config.json"),
        (FORM, b"paths=\xff"),
        (FORM, b"&paths=x" * 2100),
        ("text/plain", b'{"paths": ["config.json"]}'),
        ("multipart/form-data; boundary=x", b"--x--"),
    ],
)
async def test_what_cannot_be_read_is_a_bad_request(
    serving: Serving, kind: str, body: bytes
) -> None:
    status, headers, _ = await post(await serving(), PATHS_INFO, kind, body)
    assert (status, headers["X-Error-Code"]) == (400, "BadRequest")


@pytest.mark.parametrize("kind", [f"{JSON}; charset=UTF-8", f'{JSON}; charset="utf-8"'])
async def test_a_charset_may_be_told(serving: Serving, kind: str) -> None:
    status, _, items = await post(await serving(), PATHS_INFO, kind, b'{"paths": ["config.json"]}')
    assert (status, len(items)) == (200, 1)


async def test_nothing_asked_for_is_nothing_found(serving: Serving) -> None:
    assert (await post(await serving(), PATHS_INFO, None, None))[::2] == (200, [])


@pytest.mark.parametrize("mode", ["shared", "client"])
@pytest.mark.parametrize("token", [b"hf_\xff\xfe", "hf_é".encode()])
async def test_what_cannot_be_a_token_is_an_invalid_one(
    serving: Serving, hub: FixtureHub, mode: str, token: bytes
) -> None:
    client = await serving(token_mode=mode)
    hub.reset()
    for target in ("/api/models/org/repo", "/org/repo/resolve/main/config.json", ""):
        request = f"GET {P}{target} HTTP/1.1\r\nAuthorization: Bearer ".encode() + token
        answer = await raw(client, request)
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        assert b"X-Error-Message: Invalid credentials in Authorization header" in answer
    assert hub.counters().requests == 0


@pytest.mark.parametrize("name", ["Accept", "Range", "If-None-Match", "CDN-Loop", "User-Agent"])
async def test_other_headers_that_are_no_text_do_no_harm(serving: Serving, name: str) -> None:
    client = await serving()
    for target in ("/api/models?limit=1", "/org/repo/resolve/main/config.json"):
        request = f"GET {P}{target} HTTP/1.1\r\n{name}: ".encode() + b"\xff\xfe"
        assert (await raw(client, request)).startswith(b"HTTP/1.1 200 ")


async def test_flags_of_a_listing_may_be_written_as_lists(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving()
    for query, word in (("expand{}=true", b"lastCommit"), ("recursive{}=True", b"sub dir/")):
        listing = f"{P}/api/models/org/repo/tree/main?{query}"
        plain, listed = [await get(client, listing.format(form)) for form in ("", "[]")]
        assert listed == plain and word in listed[2]


@pytest.mark.parametrize(
    "target",
    [
        "/api/models?search={}", "/api/models/org/repo/tree/main?cursor={}", "/api/{}",
        "/org/repo/resolve/main/{}", "/api/models/org/repo?expand={}",
        "/api/models/org/repo/commits/main?p={}",
    ],
)  # fmt: skip
async def test_addresses_that_are_no_text_are_no_failure(serving: Serving, target: str) -> None:
    for odd in (b"\xff\xfe", b"%FF%FE"):
        path, _, rest = (P + target).partition("{}")
        request = f"GET {path}".encode() + odd + f"{rest} HTTP/1.1".encode()
        answer = await raw(await serving(), request)
        assert int(answer.split()[1]) < 500, answer
