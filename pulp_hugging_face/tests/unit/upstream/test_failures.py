"""What failures of an upstream mean (issue 2, "Upstream"): refusal, or trouble."""

import gzip
import json
from collections.abc import Callable

import pytest

from pulp_hugging_face.hub.errors import (
    DisabledRepo,
    EntryNotFound,
    Forbidden,
    GatedRepo,
    HubError,
    InvalidCredentials,
    RepoNotFound,
    RevisionNotFound,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.upstream.client import HubClient

from .servers import answering, response

pytestmark = pytest.mark.asyncio

Client = Callable[..., HubClient]
REPO = RepoId(RepoType.MODEL, "org/repo")
SHA = "0123456789abcdef0123456789abcdef01234567"
GOOD = response(json.dumps({"id": "org/repo", "sha": SHA}).encode())


async def failure(client: Client, *answers: bytes) -> HubError:
    """What `info` raises when these answers are given."""
    async with answering(*answers) as own:
        with pytest.raises(HubError) as failed:
            await client(own.url).info(REPO, "main")
    return failed.value


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        ("404 Not Found", ["X-Error-Code: RepoNotFound"], RepoNotFound),
        ("404 Not Found", ["X-Error-Code: RevisionNotFound"], RevisionNotFound),
        ("404 Not Found", ["X-Error-Code: EntryNotFound"], EntryNotFound),
        ("403 Forbidden", ["X-Error-Code: GatedRepo"], GatedRepo),
        ("401 Unauthorized", ["X-Error-Code: GatedRepo"], GatedRepo),
        ("403 Forbidden", [f"X-Error-Message: {DisabledRepo.SENTENCE}"], DisabledRepo),
        ("401 Unauthorized", [f"X-Error-Message: {InvalidCredentials.SENTENCE}"],
         InvalidCredentials),
        ("401 Unauthorized", [], RepoNotFound),
        ("403 Forbidden", ["X-Error-Message: No."], Forbidden),
    ],
)  # fmt: skip
async def test_a_word_of_the_hub_is_a_refusal(
    client: Client, status: str, headers: list[str], kind: type[HubError]
) -> None:
    error = await failure(client, response(b"", *headers, status=status))
    assert type(error) is kind and error.status == int(status[:3])


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        ("404 Not Found", UpstreamInvalid, 502),
        ("403 Forbidden", UpstreamInvalid, 502),
        ("400 Bad Request", UpstreamInvalid, 502),
        ("410 Gone", UpstreamInvalid, 502),
        ("407 Proxy Authentication Required", UpstreamInvalid, 502),
        ("500 Internal Server Error", UpstreamUnavailable, 502),
        ("502 Bad Gateway", UpstreamUnavailable, 502),
        ("503 Service Unavailable", UpstreamUnavailable, 502),
        ("504 Gateway Timeout", UpstreamUnavailable, 502),
        ("599 Odd", UpstreamUnavailable, 502),
        ("429 Too Many Requests", UpstreamBusy, 429),
    ],
)
async def test_a_bare_status_is_trouble(
    client: Client, status: str, kind: type[HubError], told: int
) -> None:
    error = await failure(client, response(b"<html>", status=status))
    assert type(error) is kind and error.status == told


async def test_a_coded_500_is_trouble_all_the_same(client: Client) -> None:
    answer = response(b"", "X-Error-Code: RepoNotFound", status="500 Oops")
    assert type(await failure(client, answer)) is UpstreamUnavailable


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("soon", 5),
        ("-1", 5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 5),
        ("9" * 5000, 5),
        ("1.5", 5),
        ("9" * 9, 3600),
    ],
)
async def test_retry_after_is_passed_on_when_it_is_seconds(
    client: Client, header: str, seconds: int
) -> None:
    answer = response(b"", f"Retry-After: {header}", status="429 Too Many Requests")
    error = await failure(client, answer)
    assert type(error) is UpstreamBusy and error.retry_after == seconds


async def test_a_refusal_by_the_storage_says_nothing_of_the_repository(
    hub: FixtureHub, client: Client
) -> None:
    """A CDN's 401, 403 or 404 is an expired signature, not a missing repository."""
    info, made = hub.file("org/repo", "model.safetensors"), client(hub.url)
    for status in (401, 403, 404):
        hub.fault("status", kind="cdn_get", status=status, times=1,
                  headers={"X-Error-Code": "RepoNotFound"})  # fmt: skip
        with pytest.raises(UpstreamUnavailable):
            async with made.open_blob(
                REPO, hub.sha("org/repo"), info.path, info.size, 0, info.size
            ):
                pass


async def test_a_refused_connection_is_unavailable(hub: FixtureHub, client: Client) -> None:
    hub.stop("hub")
    with pytest.raises(UpstreamUnavailable):
        await client(hub.url).info(REPO, "main")


async def test_an_unknown_host_is_unavailable(client: Client) -> None:
    with pytest.raises(UpstreamUnavailable):
        await client("http://no-such-host.invalid").info(REPO, "main")


async def test_silence_is_a_timeout(hub: FixtureHub, client: Client) -> None:
    hub.fault("hold", kind="api_info")
    with pytest.raises(UpstreamTimeout) as failed:
        await client(hub.url, sock_read_timeout=0.2).info(REPO, "main")
    assert failed.value.status == 504 and failed.value.retry_after
    assert hub.counters().of("api_info") == 1


async def test_an_answer_that_stops_is_a_timeout(hub: FixtureHub, client: Client) -> None:
    hub.fault("stall", kind="api_info", after=10)
    with pytest.raises(UpstreamTimeout):
        await client(hub.url, sock_read_timeout=0.2).info(REPO, "main")


async def test_an_answer_that_dribbles_ends_with_the_total_time(
    hub: FixtureHub, client: Client
) -> None:
    hub.fault("throttle", kind="api_info", rate=100)
    with pytest.raises(UpstreamTimeout):
        await client(hub.url, total_timeout=0.5).info(REPO, "main")


async def test_a_broken_connection_is_tried_once_more(hub: FixtureHub, client: Client) -> None:
    hub.fault("offline", kind="api_info", times=1)
    assert (await client(hub.url).info(REPO, "main")).sha == hub.sha("org/repo")
    assert hub.counters().of("api_info") == 2


@pytest.mark.parametrize("after", [0, 50])
async def test_a_cut_answer_is_tried_once_more(hub: FixtureHub, client: Client, after: int) -> None:
    hub.fault("cut", kind="api_tree", after=after, times=1)
    pages = [page async for page in client(hub.url).tree(REPO, hub.sha("org/repo"), recursive=True)]
    assert len(pages) == 1 and hub.counters().of("api_tree") == 2


async def test_a_connection_that_breaks_twice_is_trouble(hub: FixtureHub, client: Client) -> None:
    hub.fault("offline", kind="api_info")
    with pytest.raises(UpstreamUnavailable):
        await client(hub.url).info(REPO, "main")
    # aiohttp itself repeats a GET whose connection closes without an answer.
    assert hub.counters().of("api_info") in (2, 4)


async def test_a_connection_that_died_in_the_pool_is_not_noticed(
    hub: FixtureHub, client: Client
) -> None:
    made = client(hub.url)
    await made.info(REPO, "main")
    hub.restart()
    assert (await made.info(REPO, "main")).sha == hub.sha("org/repo")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Sign in</html>", b"[1, 2", b'{"id": "org/repo"', b"\xff\xfe", b"null", b"5"]
    + [b"[]", b'"x"', b"{}", b'{"id": "org/repo"}', b'{"sha": "' + SHA.encode() + b'"}']
    + [b"[" * 100_000, b'{"id": "org/repo", "sha": "main"}', b'{"id": "org/repo", "sha": null}']
    + [json.dumps({"id": name, "sha": SHA}).encode() for name in ("../x", "a/b/c", "", None, 5)]
    + [json.dumps({"id": "org/repo\r\nX: y", "sha": SHA}).encode()]
    + [json.dumps({"id": "org/repo", "sha": SHA.upper()}).encode(), b'{"a": ' + b"9" * 5000 + b"}"],
    ids=lambda body: body[:40].decode("latin-1"),
)  # fmt: skip
async def test_an_info_object_that_is_none_is_invalid(client: Client, body: bytes) -> None:
    assert type(await failure(client, response(body))) is UpstreamInvalid


async def test_a_compressed_answer_is_read(client: Client) -> None:
    body = gzip.compress(json.dumps({"id": "org/repo", "sha": SHA}).encode())
    async with answering(response(body, "Content-Encoding: gzip")) as own:
        assert (await client(own.url).info(REPO, "main")).sha == SHA


async def test_a_compressed_answer_that_is_broken_is_trouble(client: Client) -> None:
    error = await failure(client, response(b"not gzip", "Content-Encoding: gzip"))
    assert isinstance(error, UpstreamUnavailable | UpstreamInvalid)


async def test_the_second_answer_counts_after_a_broken_first(client: Client) -> None:
    async with answering(b"", GOOD) as own:
        assert (await client(own.url).info(REPO, "main")).sha == SHA
        assert len(own.seen) == 2


@pytest.mark.parametrize("kind", ["application/json; charset=nonsense", "text/html", ""])
async def test_the_type_of_an_answer_does_not_matter(client: Client, kind: str) -> None:
    answer = response(GOOD.partition(b"\r\n\r\n")[2], f"Content-Type: {kind}")
    async with answering(answer) as own:
        assert (await client(own.url).info(REPO, "main")).sha == SHA


# Listings.

ITEM = {"type": "file", "path": "a", "oid": "a" * 40, "size": 1}


async def listed(client: Client, *answers: bytes) -> list[Entry]:
    async with answering(*answers) as own:
        pages = client(own.url).tree(REPO, SHA, recursive=True)
        return [entry async for page in pages for entry in page]


@pytest.mark.parametrize(
    "items",
    [
        {},
        None,
        "x",
        5,
        [5],
        ["a"],
        [None],
        [[]],
        [{}],
        [{**ITEM, "path": "../x"}],
        [{**ITEM, "size": -1}],
        [{**ITEM, "oid": "x"}],
        [ITEM, {**ITEM, "path": "/etc/passwd"}],
        [{**ITEM, "path": "\ud800"}],
        [{**ITEM, "type": None, "size": None}],
    ],
    ids=json.dumps,
)
async def test_a_listing_of_garbage_is_invalid(client: Client, items: object) -> None:
    with pytest.raises(UpstreamInvalid):
        await listed(client, response(json.dumps(items).encode()))


def linked(link: str, *items: object) -> bytes:
    return response(json.dumps(items).encode(), f"Link: {link}")


@pytest.mark.parametrize(
    "link",
    [
        '<http://127.0.0.2:1/api/models/org/repo/tree/x?cursor=1>; rel="next"',
        '<http://evil.test/x>; rel="next"',
        '<//evil.test/x>; rel="next"',
        '<http://[::1>; rel="next"',
        '<http://127.0.0.1:99999/x>; rel="next"',
        '<mailto:a@b>; rel="next"',
        '<ftp://127.0.0.1/x>; rel="next"',
        '<http://user:pass@evil.test/x>; rel="next"',
    ],
)
async def test_a_next_page_elsewhere_is_refused(client: Client, link: str) -> None:
    """The token would go with the question."""
    with pytest.raises(UpstreamInvalid):
        await listed(client, linked(link, ITEM))


@pytest.mark.parametrize("link", ['<?cursor=2>; rel="next"', '</api/x?cursor=2>;rel="next"'])
async def test_a_relative_next_page_is_of_the_same_origin(client: Client, link: str) -> None:
    second = response(json.dumps([{**ITEM, "path": "b"}]).encode())
    entries = await listed(client, linked(link, ITEM), second)
    assert [entry.path for entry in entries] == ["a", "b"]


@pytest.mark.parametrize(
    "link",
    [
        '<http://evil.test/>; rel="prev"',
        "nonsense",
        "",
        '<>; rel="next"',
        '; rel="next"',
        '<http://evil.test/>; rel="xet-auth", <http://evil.test/>; rel="last"',
    ],
)
async def test_other_links_end_the_listing(client: Client, link: str) -> None:
    assert [entry.path for entry in await listed(client, linked(link, ITEM))] == ["a"]


async def test_the_next_page_is_found_among_other_links(client: Client) -> None:
    link = '</first>; rel="first", </next?cursor=2>; rel="next", </last>; rel="last"'
    second = response(b"[]")
    async with answering(linked(link, ITEM), second) as own:
        pages = [page async for page in client(own.url).tree(REPO, SHA, recursive=True)]
        assert len(pages) == 2 and own.seen[1].target == "/next?cursor=2"


async def test_a_listing_that_goes_in_a_circle_ends(client: Client) -> None:
    with pytest.raises(UpstreamInvalid):
        await listed(client, linked('</again>; rel="next"'))


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"x"'])
async def test_refs_that_are_no_object_are_invalid(client: Client, body: bytes) -> None:
    async with answering(response(body)) as own:
        with pytest.raises(UpstreamInvalid):
            await client(own.url).refs(REPO)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"[5]"])
async def test_a_list_of_commits_that_tells_nothing_is_empty(client: Client, body: bytes) -> None:
    async with answering(response(body)) as own:
        assert await client(own.url).last_commit(REPO, SHA) == {}
