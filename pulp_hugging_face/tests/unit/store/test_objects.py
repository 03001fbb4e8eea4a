"""Reading from storages of every kind, of which some are slow, lie or never answer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.utils.functional import SimpleLazyObject

from pulp_hugging_face.hub.errors import StorageUnavailable
from pulp_hugging_face.hub.ranges import ByteRange
from pulp_hugging_face.serve.storage import _leaves
from pulp_hugging_face.store import objects
from pulp_hugging_face.store.objects import CHUNK, Objects, reason_of

pytestmark = pytest.mark.asyncio

CONTENT = bytes(range(256)) * 4096 * 3  # three chunks
SIZE = len(CONTENT)


class AzureStorage(InMemoryStorage):
    """Named as a storage whose words for headers are known."""

    def url(self, name: str | None, parameters: dict[str, str] | None = None) -> str:
        return f"https://storage.test/{name}?{parameters}"


class Stuck(AzureStorage):
    """Answers when it is let."""

    def __init__(self, released: threading.Event) -> None:
        super().__init__()
        self._released = released

    def exists(self, name: str) -> bool:
        self._released.wait(20)
        return super().exists(name)


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[Objects]:
    made = Objects()
    yield made
    await made.close()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    released = threading.Event()
    released.set()
    storage = filled(Stuck(released))
    released.clear()
    yield storage
    released.set()


def filled(storage: Any) -> Any:
    storage.save("a", ContentFile(CONTENT))
    return storage


async def read(reader: Objects, storage: Any, start: int, stop: int, name: str = "a") -> bytes:
    part = ByteRange(start, stop, SIZE)
    pieces = [piece async for piece in reader.chunks(storage, name, part)]
    assert all(0 < len(piece) <= CHUNK for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("start", "stop"), [(0, SIZE), (5, 6), (CHUNK - 1, 2 * CHUNK + 1), (SIZE - 1, SIZE), (7, 7)]
)
async def test_any_storage_can_be_read_by_ranges(reader: Objects, start: int, stop: int) -> None:
    assert await read(reader, filled(AzureStorage()), start, stop) == CONTENT[start:stop]


@pytest.mark.parametrize("name", ["b", "short"])
async def test_an_object_of_another_size_is_none(reader: Objects, name: str) -> None:
    storage = filled(AzureStorage())
    storage.save("short", ContentFile(b"short"))
    with pytest.raises(FileNotFoundError):
        await read(reader, storage, 0, SIZE, name)
    with pytest.raises(FileNotFoundError):
        await reader.require(storage, name, SIZE)


async def test_addresses_carry_the_headers_in_the_words_of_the_storage(reader: Objects) -> None:
    url = await reader.url(AzureStorage(), "a", "inline", "text/plain")
    assert url.endswith("{'content_disposition': 'inline', 'content_type': 'text/plain'}")


async def test_a_storage_whose_words_are_unknown_gives_no_address(reader: Objects) -> None:
    class Other(InMemoryStorage):
        pass

    assert await reader.url(Other(), "a", "inline", "text/plain") == ""


async def test_a_storage_that_does_not_answer_is_not_waited_for(
    reader: Objects, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PATIENCE", 0.05)
    with pytest.raises(StorageUnavailable):
        await read(reader, stuck, 0, SIZE)
    with pytest.raises(StorageUnavailable):
        await reader.require(stuck, "a", SIZE)


async def test_who_stops_reading_leaves_nothing_open(reader: Objects) -> None:
    storage, closed = filled(AzureStorage()), threading.Event()
    original = storage.open

    def opened(*args: Any) -> Any:
        file = original(*args)
        file.close = closed.set
        return file

    storage.open = opened
    chunks = reader.chunks(storage, "a", ByteRange(0, SIZE, SIZE))
    async for _ in chunks:
        break
    assert not closed.is_set()
    await chunks.aclose()  # type: ignore[attr-defined]
    assert await asyncio.to_thread(closed.wait, 10)


async def test_an_object_is_looked_for_once_by_all_who_ask_at_a_time(reader: Objects) -> None:
    storage, looks = filled(AzureStorage()), []
    original = storage.exists
    storage.exists = lambda name: looks.append(name) or original(name)
    await asyncio.gather(*(reader.require(storage, "a", SIZE) for _ in range(50)))
    await reader.require(storage, "a", SIZE)
    assert looks == ["a"]


def s3(**settings: Any) -> Any:
    from storages.backends.s3 import S3Storage

    return S3Storage(access_key="key", secret_key="secret", bucket_name="bucket", **settings)


async def test_the_default_storage_is_recognised_behind_its_proxy(reader: Objects) -> None:
    """Django hands it out as a lazy object."""
    storage = SimpleLazyObject(lambda: s3(location="below", region_name="eu-west-1"))
    url = await reader.url(storage, "artifact/ab/c", "inline", "text/plain")  # type: ignore[arg-type]
    assert "/below/artifact/ab/c?response-content-disposition=inline" in url


async def test_a_custom_domain_is_where_clients_are_sent(reader: Objects) -> None:
    url = await reader.url(s3(custom_domain="cdn.test"), "a", "inline", "text/plain")
    assert url.startswith("https://cdn.test/a?")


async def test_what_is_logged_of_a_failure_tells_no_more_than_its_kind() -> None:
    from botocore.exceptions import ClientError, EndpointConnectionError

    answer: Any = {"Error": {"Code": "InvalidAccessKeyId", "Message": "AKIA-secret is unknown"}}
    assert reason_of(ClientError(answer, "GetObject")) == "ClientError InvalidAccessKeyId"
    assert reason_of(EndpointConnectionError(endpoint_url="http://x")) == "EndpointConnectionError"
    assert reason_of(OSError(28, "No space left")) == "OSError No space left"


@pytest.mark.parametrize(
    ("origin", "url", "leaves"),
    [
        ("http://hub.test:24816", "http://s3.test/a", True),
        ("http://hub.test:24816", "https://s3.test/a", True),
        ("https://hub.test", "https://s3.test/a", True),
        ("https://hub.test", "http://s3.test/a", False),
        ("http://hub.test:24816", "http://hub.test:9000/a", False),
        ("http://hub.test:24816", "https://HUB.test/a", False),
        ("http://hub.test:24816", "/media/a", False),
        ("http://hub.test:24816", "", False),
    ],
)
async def test_which_redirects_leave_the_host(origin: str, url: str, leaves: bool) -> None:
    assert _leaves(origin, url) is leaves
