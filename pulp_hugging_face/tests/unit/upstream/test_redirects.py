"""Where redirects may lead, and how far."""

from collections.abc import Callable

import pytest
from aiohttp import web

from pulp_hugging_face.hub.errors import UpstreamInvalid, UpstreamUnavailable
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress, Request

from .servers import Handler, answering, response, serving

pytestmark = pytest.mark.asyncio

Make = Callable[..., Egress]


def redirecting(location: str, status: int = 302) -> Handler:
    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/there":
            return web.Response(text=request.rel_url.raw_path_qs)
        return web.Response(status=status, headers={"Location": location})

    return redirect


async def ask(egress: Egress, target: str = "x", method: str = "GET", **fields: object) -> str:
    async with egress.open(Request(method, target, **fields)) as answer:  # type: ignore[arg-type]
        return await answer.text()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_relative_redirect_is_followed(egress: Make, status: int) -> None:
    async with serving(redirecting("/there?a=1", status)) as own:
        assert await ask(egress(own.url)) == "/there?a=1"


@pytest.mark.parametrize("location", ["there", "./there", "../there", "//{host}/there"])
async def test_every_form_of_a_relative_address(egress: Make, location: str) -> None:
    places: list[str] = []

    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/there":
            return web.Response(text="ok")
        return web.Response(status=307, headers={"Location": places[0]})

    async with serving(redirect) as own:
        places.append(location.replace("{host}", own.url.removeprefix("http://")))
        assert await ask(egress(own.url)) == "ok"


async def test_a_signed_address_arrives_as_it_was_given(egress: Make) -> None:
    """Any normalisation would break the signature."""
    query = "a=b%2Fc&d=%20e+f&g=%7e~&X-Sig=%41%e9&empty=&h=1;2"
    async with serving(redirecting(f"/there?{query}")) as own:
        assert await ask(egress(own.url)) == f"/there?{query}"


async def test_a_path_arrives_as_it_was_quoted(egress: Make) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.rel_url.raw_path_qs)

    target = "org/repo/resolve/refs%2Fpr%2F1/a%20b%23%3F%2541%C3%A9+%27.txt"
    async with serving(echo) as own:
        assert await ask(egress(own.url), target) == f"/{target}"
        assert await ask(egress(own.url + "/prefix/"), target) == f"/prefix/{target}"


async def test_a_permitted_host_is_followed(egress: Make) -> None:
    async with (
        serving(redirecting("/there"), "127.0.0.2") as other,
        serving(redirecting(other.url + "/there")) as own,
    ):
        assert await ask(egress(own.url)) == "/there"


@pytest.mark.parametrize("hosts", [(), ("*.hf.co",), ("127.0.0.1",), ("localhost",)])
async def test_another_host_is_refused_unasked(egress: Make, hosts: tuple[str, ...]) -> None:
    async with (
        serving(redirecting("/there"), "127.0.0.2") as other,
        serving(redirecting(other.url + "/there")) as own,
    ):
        with pytest.raises(UpstreamInvalid, match="not among"):
            await ask(egress(own.url, redirect_hosts=hosts))
        assert other.seen == []


async def test_a_redirect_of_a_permitted_host_is_checked_too(egress: Make) -> None:
    async with (
        serving(redirecting("http://127.0.0.3:1/x"), "127.0.0.2") as other,
        serving(redirecting(other.url + "/y")) as own,
    ):
        with pytest.raises(UpstreamInvalid, match="redirect_hosts"):
            await ask(egress(own.url))


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:99999/x",
        "http://127.0.0.2:port/x",
        "http://[::1",
        "http://",
        "http:///x",
        "ftp://127.0.0.2/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@b",
        "gopher://127.0.0.2/x",
        "http://user:pass@127.0.0.2/x",
        "http://user@127.0.0.2/x",
        "http://127.0.0.2 /x",
        "http://127.0.0.2\\@evil.test/x",
        "http://é.test/x",
        "http://\xff/x",
    ],
)
async def test_an_impossible_or_dangerous_address_is_refused(egress: Make, location: str) -> None:
    answer = response(b"", f"Location: {location}", status="302 Found")
    async with answering(answer) as own:
        with pytest.raises((UpstreamInvalid, UpstreamUnavailable)):
            await ask(egress(own.url, max_redirects=1))


async def test_redirects_are_counted(egress: Make) -> None:
    async def next_one(request: web.BaseRequest) -> web.StreamResponse:
        number = int(request.path.strip("/"))
        if number == 3:
            return web.Response(text="three")
        return web.Response(status=302, headers={"Location": f"/{number + 1}"})

    async with serving(next_one) as own:
        assert await ask(egress(own.url, max_redirects=3), "0") == "three"
        own.seen.clear()
        with pytest.raises(UpstreamInvalid, match="max_redirects"):
            await ask(egress(own.url, max_redirects=2), "0")
        assert len(own.seen) == 3


async def test_a_circle_ends(egress: Make) -> None:
    async with serving(redirecting("/x")) as own:
        with pytest.raises(UpstreamInvalid, match="max_redirects"):
            await ask(egress(own.url))
        assert len(own.seen) == 6


async def test_no_redirect_may_be_permitted_at_all(egress: Make) -> None:
    async with serving(redirecting("/there")) as own:
        with pytest.raises(UpstreamInvalid, match="max_redirects"):
            await ask(egress(own.url, max_redirects=0))


async def test_a_question_that_does_not_follow_stops_at_the_first_answer(egress: Make) -> None:
    async with (
        serving(redirecting("http://127.0.0.3:1/x")) as own,
        egress(own.url).open(Request("HEAD", "x", follow=False)) as answer,
    ):
        assert answer.status == 302


async def test_a_redirect_without_an_address_is_no_answer(egress: Make) -> None:
    """Its body must never be taken for the file's or the API's."""
    async with answering(response(b"[]", status="302 Found")) as own:
        with pytest.raises(UpstreamInvalid):
            await ask(egress(own.url))


async def test_a_redirected_post_keeps_its_method_and_body(egress: Make) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/there":
            return web.Response(text=f"{request.method} {await request.text()}")
        return web.Response(status=307, headers={"Location": "/there"})

    async with serving(echo) as own:
        assert await ask(egress(own.url), method="POST", json={"a": 1}) == 'POST {"a": 1}'


async def test_an_absolute_target_of_another_origin_is_refused(egress: Make) -> None:
    async with serving(redirecting("/there")) as own:
        for target in ("http://127.0.0.2:1/x", f"http://127.0.0.1:{own.port + 1}/x", "ftp://a/b"):
            with pytest.raises(UpstreamInvalid):
                await ask(egress(own.url), target)
        assert own.seen == []


def config(url: str, *hosts: str) -> RemoteConfig:
    return RemoteConfig("remote", url, redirect_hosts=hosts)


@pytest.mark.parametrize(
    ("url", "target", "permitted"),
    [
        ("https://hub.test", "https://hub.test/x", True),
        ("https://hub.test", "https://hub.test:443/x", True),
        ("https://hub.test", "http://hub.test/x", False),
        ("https://hub.test", "http://cdn.hf.co/x", False),
        ("https://hub.test", "https://hub.test:8443/x", False),
        ("https://hub.test", "https://cdn.hf.co/x", True),
        ("https://hub.test", "https://cdn.hf.co:8443/x", True),
        ("https://hub.test", "https://hf.co/x", False),
        ("https://hub.test", "https://cdn.hf.co.evil.test/x", False),
        ("https://hub.test", "https://cdn.hf.co@evil.test/x", False),
        ("https://hub.test", "https://evil.test/cdn.hf.co", False),
        ("https://hub.test", "https://HUB.test/x", True),
        ("https://hub.test", "https://CDN.hf.co/x", True),
        ("http://hub.test", "https://hub.test/x", True),
        ("http://hub.test:8080", "https://hub.test/x", True),
        ("http://hub.test:8080", "https://hub.test:8443/x", False),
        ("http://hub.test:8080", "http://hub.test/x", False),
        ("http://hub.test", "http://cdn.hf.co/x", True),
        ("http://hub.test/prefix", "http://hub.test/elsewhere", True),
    ],
)
async def test_the_policy_of_redirects(url: str, target: str, permitted: bool) -> None:
    from yarl import URL

    assert config(url, "*.hf.co").may_redirect_to(URL(target, encoded=True)) is permitted
