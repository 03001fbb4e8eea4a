"""The base a client sees: from whom it may come, and what is never taken into it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from django.core.exceptions import ImproperlyConfigured

from pulp_hugging_face.serve.base import Base, Mount, attach, base_of, below, trusted_proxies

P = "/pulp/content/hf"
HERE = ["127.0.0.1"]

Ask = Callable[..., Awaitable[dict[str, Any]]]


async def seen(request: web.Request) -> web.Response:
    """Tell what the request's base is; the root is mounted where the path says so."""
    raw_path = request.rel_url.raw_path
    attach(request, Mount.at(P) if raw_path.startswith(P) else Mount("", ""))
    base = base_of(request)
    return web.json_response(
        {"origin": base.origin, "path": base.path, "url": base.url(), "below": below(request)}
    )


@asynccontextmanager
async def running() -> AsyncIterator[web.AppRunner]:
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", seen)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: list[str]
) -> dict[str, Any]:
    """Send lines as they are and return the JSON of the answer."""
    writer.write("".join(f"{line}\r\n" for line in [*lines, "Connection: close", ""]).encode())
    answer = await reader.read()
    writer.close()
    body: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body


@pytest_asyncio.fixture
async def ask(settings: Any) -> AsyncIterator[Ask]:
    """Ask a server on 127.0.0.1; header names are written with underscores."""
    settings.CONTENT_ORIGIN = None
    async with running() as runner:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        async def send(target: str = f"{P}/api", **headers: str) -> Any:
            lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            if "Host" not in headers:
                lines.append("Host: called.test:24816")
            connection = await asyncio.open_connection("127.0.0.1", port)
            found = await exchange(*connection, [f"GET {target} HTTP/1.1", *lines])
            return {**found, "own": f"http://127.0.0.1:{port}"}

        yield send


FORWARDED = {
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "hub.test",
    "X_Forwarded_Prefix": "/team",
}


@pytest.mark.asyncio
async def test_without_any_word_it_is_what_the_client_called(ask: Ask) -> None:
    found = await ask()
    assert found["url"] == f"http://called.test:24816{P}"
    assert found["below"] == "/api"


@pytest.mark.asyncio
async def test_content_origin_is_what_the_administrator_says(ask: Ask, settings: Any) -> None:
    settings.CONTENT_ORIGIN = "https://cache.test/"
    assert (await ask())["url"] == f"https://cache.test{P}"
    assert (await ask(Host="evil.test", **FORWARDED))["url"] == f"https://cache.test{P}"


@pytest.mark.asyncio
async def test_nobody_is_believed_who_is_not_trusted(ask: Ask, settings: Any) -> None:
    for trusted in ([], ["10.0.0.0/8"], ["unix"], ["127.0.0.2"]):
        settings.HUGGING_FACE_TRUSTED_PROXIES = trusted
        spoofed = {**FORWARDED, "Forwarded": "for=1.1.1.1;host=evil.test"}
        assert (await ask(**spoofed))["url"] == f"http://called.test:24816{P}"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (FORWARDED, f"https://hub.test/team{P}"),
        ({"X_Forwarded_Host": "hub.test"}, f"http://hub.test{P}"),
        ({"X_Forwarded_Host": "hub.test", "X_Forwarded_Port": "81"}, f"http://hub.test:81{P}"),
        ({"Forwarded": "for=1.1.1.1;host=hub.test;proto=https"}, f"https://hub.test{P}"),
        # Prefix and endpoint, whatever tells the host.
        ({"X_Forwarded_Prefix": "/team"}, f"https://cache.test/team{P}"),
        ({**FORWARDED, "X_Forwarded_Endpoint": "/hf"}, "https://hub.test/hf"),
        ({**FORWARDED, "X_Forwarded_Endpoint": "/"}, "https://hub.test"),
        # A protocol without a host is half a word: Host may be the proxy's name for us.
        ({"X_Forwarded_Proto": "http"}, f"https://cache.test{P}"),
        ({"X_Forwarded_Proto": "http", "X_Forwarded_Host": "a/b"}, f"https://cache.test{P}"),
        (
            {"X_Forwarded_Host": "evil.test/x", "X_Forwarded_Prefix": "//x"},
            f"https://cache.test{P}",
        ),
    ],
)
async def test_a_trusted_proxy_comes_before_content_origin(
    ask: Ask, settings: Any, headers: dict[str, str], url: str
) -> None:
    settings.CONTENT_ORIGIN = "https://cache.test"
    settings.HUGGING_FACE_TRUSTED_PROXIES = HERE
    assert (await ask(**headers))["url"] == url


@pytest.mark.asyncio
async def test_without_content_origin_the_protocol_of_a_proxy_joins_the_host(
    ask: Ask, settings: Any
) -> None:
    """As Pulp's usual nginx sends it: Host as the client wrote it, and X-Forwarded-Proto."""
    settings.HUGGING_FACE_TRUSTED_PROXIES = HERE
    assert (await ask(X_Forwarded_Proto="https"))["url"] == f"https://called.test:24816{P}"


@pytest.mark.asyncio
async def test_a_peer_on_a_unix_socket_is_trusted_by_its_word_only(
    tmp_path: Path, settings: Any
) -> None:
    settings.CONTENT_ORIGIN = None
    path = str(tmp_path / "content.sock")
    lines = [f"GET {P} HTTP/1.1", "Host: called.test", "X-Forwarded-Host: hub.test"]
    async with running() as runner:
        await web.UnixSite(runner, path).start()
        for trusted, host in (
            (["unix"], "hub.test"),
            (["0.0.0.0/0", "::/0"], "called.test"),
            ([], "called.test"),
        ):
            settings.HUGGING_FACE_TRUSTED_PROXIES = trusted
            connection = await asyncio.open_unix_connection(path)
            assert (await exchange(*connection, lines))["origin"] == f"http://{host}"


# Hosts and paths that are not what they seem.


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host", ["", "evil.test/x", "user@evil.test", "a b", "<evil>", "evil.test:0", "a;b", "a,b"]
)
async def test_a_host_that_is_none_is_not_echoed(ask: Ask, host: str) -> None:
    found = await ask(Host=host)
    assert found["origin"] == found["own"]


@pytest.mark.asyncio
async def test_an_absolute_request_target_does_not_choose_the_scheme(ask: Ask) -> None:
    found = await ask(f"ftp://called.test{P}/api", Host="called.test")
    assert (found["origin"], found["below"]) == ("http://called.test", "/api")


@pytest.mark.asyncio
async def test_a_path_with_two_slashes_is_not_a_host(ask: Ask) -> None:
    found = await ask("//evil.test/resolve/main/x")
    assert found["origin"] == "http://called.test:24816"
    assert found["below"] == "//evil.test/resolve/main/x"


def test_a_location_never_names_a_host() -> None:
    for path in ("", "/team"):
        base = Base("https://hub.test", path)
        for raw in ("x/y", "/x/y", "//x/y", "///x/y"):
            assert base.location(raw) == f"{path}/x/y"
            assert base.url(raw) == f"https://hub.test{path}/x/y"
        assert base.location() == path and base.url() == f"https://hub.test{path}"


def test_encodings_stay_and_what_would_break_out_of_a_link_is_encoded() -> None:
    base = Base("https://hub.test", "/p")
    raw = "api/models/a/b/tree/refs%2Fpr%2f1/%C3%A9%20+;=@"
    assert base.location(raw) == "/p/" + raw
    assert base.location("x?expand[]=a&b=%2F") == "/p/x?expand[]=a&b=%2F"
    assert not set(base.url('a>b"c<d e\\f#g\r\n')) & set(' <>"\\#\r\n')


# The setting.


def test_one_text_may_name_several_proxies(settings: Any) -> None:
    settings.HUGGING_FACE_TRUSTED_PROXIES = "127.0.0.1, 10.0.0.0/8 unix"
    proxies = trusted_proxies()
    assert proxies.unix and proxies.trusts("10.1.1.1") and proxies.trusts("127.0.0.1")


@pytest.mark.parametrize("value", [["proxy.example"], "*", [127], 10.0, None, ["10.0.0.1/8"]])
def test_a_list_that_cannot_be_read_says_so(settings: Any, value: object) -> None:
    settings.HUGGING_FACE_TRUSTED_PROXIES = value
    with pytest.raises(ImproperlyConfigured, match=r"HUGGING_FACE_TRUSTED_PROXIES: .* is not"):
        trusted_proxies()
