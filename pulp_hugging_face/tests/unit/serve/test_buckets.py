"""Files of buckets: passed on as they come, ranges and all."""

import aiohttp
import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from .conftest import Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

SMALL = "notes.txt"  # the Hub answers it itself
LARGE = "checkpoints/step 1/model.safetensors"  # redirected to the CDN
AT = {
    SMALL: f"{P}/buckets/org/store/resolve/notes.txt",
    LARGE: f"{P}/buckets/org/store/resolve/checkpoints%2Fstep%201%2Fmodel.safetensors",
}


@pytest.mark.parametrize("path", AT)
async def test_a_file_and_its_head(serving: Serving, hub: FixtureHub, path: str) -> None:
    client = await serving()
    truth = hub.bytes_of("org/store", path, type="bucket")
    status, headers, body = await get(client, AT[path])
    assert (status, body, headers["Content-Length"]) == (200, truth, str(len(truth)))
    assert await get(client, AT[path], "HEAD") == (200, headers, b"")


@pytest.mark.parametrize("path", AT)
async def test_ranges_are_those_of_the_bytes(serving: Serving, hub: FixtureHub, path: str) -> None:
    client = await serving()
    truth = hub.bytes_of("org/store", path, type="bucket")
    size = len(truth)
    for wanted, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=2-", 2, size),
        ("bytes=-3", size - 3, size),
        (f"bytes=1-{size * 9}", 1, size),
    ):
        status, headers, body = await get(client, AT[path], Range=wanted)
        assert (status, body) == (206, truth[start:stop]), wanted
        assert headers["Content-Length"] == str(stop - start)
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"


@pytest.mark.parametrize("path", AT)
async def test_a_range_behind_the_end_is_refused_with_the_size(
    serving: Serving, hub: FixtureHub, path: str
) -> None:
    client = await serving()
    size = hub.file("org/store", path, type="bucket").size
    status, headers, _ = await get(client, AT[path], Range=f"bytes={size}-")
    assert (status, headers["X-Error-Code"]) == (416, "RangeNotSatisfiable")
    assert headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("path", AT)
@pytest.mark.parametrize(
    "headers",
    [{"Range": "bytes=0-1,3-4"}, {"Range": "bytes=x"}, {"Range": "bytes=0-1", "If_Range": '"x"'}],
    ids=["several", "nonsense", "of another version"],
)
async def test_what_is_no_range_to_answer_gets_the_whole(
    serving: Serving, hub: FixtureHub, path: str, headers: dict[str, str]
) -> None:
    client = await serving()
    truth = hub.bytes_of("org/store", path, type="bucket")
    assert (await get(client, AT[path], **headers))[0::2] == (200, truth)


@pytest.mark.parametrize("path", AT)
async def test_a_range_with_less_than_it_says_does_not_look_complete(
    serving: Serving, hub: FixtureHub, path: str
) -> None:
    client = await serving()
    hub.fault("short", kind="cdn_get" if path == LARGE else "bucket_get", after=2)
    with pytest.raises(aiohttp.ClientError):
        await get(client, AT[path], Range="bytes=1-")


@pytest.mark.parametrize("told", [None, "bytes 4-2/6", "bytes 1-2/*"])
async def test_an_answer_that_is_no_range_is_trouble(
    serving: Serving, hub: FixtureHub, told: str | None
) -> None:
    client = await serving()
    hub.fault("headers", kind="bucket_get", headers={"Content-Range": told})
    status, headers, _ = await get(client, AT[SMALL], Range="bytes=1-2")
    assert (status, headers["X-Error-Code"]) == (502, "UpstreamInvalid")


async def test_an_upstream_that_does_not_tell_the_size_refuses_all_the_same(
    serving: Serving, hub: FixtureHub
) -> None:
    client = await serving()
    hub.fault("status", kind="cdn_get", status=416)  # as S3 does
    status, headers, _ = await get(client, AT[LARGE], Range="bytes=999999999-")
    assert (status, headers["X-Error-Code"]) == (416, "RangeNotSatisfiable")
    assert "Content-Range" not in headers


@pytest.mark.parametrize("path", AT)
async def test_a_file_that_ends_early_does_not_look_complete(
    serving: Serving, hub: FixtureHub, path: str
) -> None:
    client = await serving()
    hub.fault("cut", kind="cdn_get" if path == LARGE else "bucket_get", after=2)
    for headers in ({}, {"Range": "bytes=1-"}):
        with pytest.raises(aiohttp.ClientError):
            await get(client, AT[path], **headers)
