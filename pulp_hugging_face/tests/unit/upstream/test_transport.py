"""Proxies, TLS, sessions and reachability."""

import asyncio
import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from pulp_hugging_face.hub.errors import UpstreamInvalid, UpstreamUnavailable
from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress, EgressPool, Request

from .authority import Authority
from .servers import answering, response, serving

pytestmark = pytest.mark.asyncio

Make = Callable[..., Egress]
TOKEN = "hf_secretsecretsecretsecretsecretsecret"


async def here(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="here")


async def ask(egress: Egress, token: str | None = None) -> str:
    async with egress.open(Request("GET", "x?y=1", token)) as answer:
        return await answer.text()


# Proxies.


async def test_a_proxy_is_asked_in_place_of_the_host(egress: Make) -> None:
    async with answering(response(b"by proxy")) as proxy:
        made = egress(
            "http://hub.invalid:81/base",
            proxy_url=proxy.url,
            proxy_username="user",
            proxy_password="pass",
        )
        assert await ask(made, TOKEN) == "by proxy"
        (seen,) = proxy.seen
        assert seen.target == "http://hub.invalid:81/base/x?y=1"
        expected = base64.b64encode(b"user:pass").decode()
        assert seen.headers["Proxy-Authorization"] == f"Basic {expected}"
        assert seen.headers["Authorization"] == f"Bearer {TOKEN}"


async def test_a_proxy_of_an_encrypted_host_never_sees_the_token(egress: Make) -> None:
    async with answering(response(status="403 Forbidden")) as proxy:
        with pytest.raises(UpstreamUnavailable) as failed:
            await ask(egress("https://hub.invalid", proxy_url=proxy.url), TOKEN)
        (seen,) = proxy.seen
        assert (seen.method, seen.target) == ("CONNECT", "hub.invalid:443")
        assert "Authorization" not in seen.headers
        assert proxy.url not in failed.value.message


async def test_a_proxy_that_is_down_is_trouble(egress: Make) -> None:
    async with serving(here) as own:
        with pytest.raises(UpstreamUnavailable):
            await ask(egress(own.url, proxy_url="http://127.0.0.1:1"))
        assert own.seen == []


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_the_remotes_own_authority_is_trusted(egress: Make, authority: Authority) -> None:
    async with serving(here, tls=authority.server("127.0.0.1")) as own:
        assert await ask(egress(own.url, ca_cert=authority.pem)) == "here"


async def test_an_unknown_authority_is_not_trusted(egress: Make, authority: Authority) -> None:
    async with serving(here, tls=authority.server("127.0.0.1")) as own:
        with pytest.raises(UpstreamUnavailable):
            await ask(egress(own.url), TOKEN)
        assert own.seen == []


async def test_another_authority_is_not_trusted(
    egress: Make, authority: Authority, tmp_path: Path
) -> None:
    async with serving(here, tls=authority.server("127.0.0.1")) as own:
        with pytest.raises(UpstreamUnavailable):
            await ask(egress(own.url, ca_cert=Authority(tmp_path).pem))


async def test_a_certificate_of_another_host_is_not_trusted(
    egress: Make, authority: Authority
) -> None:
    async with serving(here, tls=authority.server("127.0.0.9")) as own:
        with pytest.raises(UpstreamUnavailable):
            await ask(egress(own.url, ca_cert=authority.pem))


async def test_validation_may_be_switched_off(egress: Make, authority: Authority) -> None:
    async with serving(here, tls=authority.server("127.0.0.9")) as own:
        assert await ask(egress(own.url, tls_validation=False)) == "here"


@pytest.mark.parametrize("together", [False, True])
async def test_a_client_certificate_is_shown(
    egress: Make, authority: Authority, together: bool
) -> None:
    """Certificate and key in two fields, or both in the first."""
    cert, key = authority.issue("client.test")
    fields = {"client_cert": cert + key} if together else {"client_cert": cert, "client_key": key}
    tls = authority.server("127.0.0.1", ask_client=True)
    async with serving(here, tls=tls) as own:
        assert await ask(egress(own.url, ca_cert=authority.pem, **fields)) == "here"


async def test_without_a_client_certificate_such_a_host_refuses(
    egress: Make, authority: Authority
) -> None:
    async with serving(here, tls=authority.server("127.0.0.1", ask_client=True)) as own:
        with pytest.raises(UpstreamUnavailable):
            await ask(egress(own.url, ca_cert=authority.pem))


async def test_no_step_down_from_tls(egress: Make, authority: Authority) -> None:
    async with serving(here, "127.0.0.2") as plain:

        async def down(_request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": plain.url + "/x"})

        async with serving(down, tls=authority.server("127.0.0.1")) as own:
            with pytest.raises(UpstreamInvalid, match="redirect_hosts"):
                await ask(egress(own.url, ca_cert=authority.pem))
            assert plain.seen == []


@pytest.mark.parametrize(
    "fields",
    [{"ca_cert": "nonsense"}, {"client_cert": "nonsense"}, {"client_cert": "x", "client_key": "y"}],
)
async def test_certificates_that_are_none_are_trouble(egress: Make, fields: dict[str, str]) -> None:
    async with serving(here) as own:
        with pytest.raises(UpstreamUnavailable) as failed:
            await ask(egress(own.url, **fields))
        assert "nonsense" not in failed.value.message


# Sessions.


def config(url: str, **fields: object) -> RemoteConfig:
    return RemoteConfig("remote", url, **fields)  # type: ignore[arg-type]


async def test_a_remote_has_one_session_while_its_configuration_is_the_same() -> None:
    pool = EgressPool()
    first = pool.get(config("http://a.test"))
    assert pool.get(config("http://a.test")) is first
    assert pool.get(RemoteConfig("another", "http://a.test")) is not first
    await pool.close()


@pytest.mark.parametrize(
    "change",
    [
        {"token": "x"},
        {"tls_validation": False},
        {"redirect_hosts": ("a.test",)},
        {"proxy_url": "http://p.test"},
        {"headers": (("A", "b"),)},
        {"password": "x"},
    ],
)
async def test_a_changed_configuration_gets_a_new_session(change: dict[str, object]) -> None:
    pool = EgressPool()
    first = pool.get(config("http://a.test"))
    second = pool.get(config("http://a.test", **change))
    assert second is not first and pool.get(config("http://a.test", **change)) is second
    await pool.close()


async def test_a_transfer_goes_on_when_the_configuration_changes(hub: FixtureHub) -> None:
    pool = EgressPool()
    number = hub.fault("hold_body", kind="resolve_cache", after=5)
    target = "org/repo/resolve/main/tokenizer.json"
    async with pool.get(config(hub.url)).open(Request("GET", target, long=True)) as answer:
        assert await ask_hub(pool.get(config(hub.url, token="hf_other")))
        hub.clear_faults(number)
        assert await answer.read() == hub.bytes_of("org/repo", "tokenizer.json")
    await pool.close()


async def ask_hub(egress: Egress) -> bool:
    async with egress.open(Request("GET", "api/models/org/repo")) as answer:
        return answer.status == 200


async def test_closing_the_pool_closes_replaced_sessions_too() -> None:
    async with serving(here) as own:
        pool = EgressPool()
        first = pool.get(config(own.url))
        await ask(first)
        second = pool.get(config(own.url, token="x"))
        await ask(second)
        await pool.close()
        for made in (first, second):
            assert made._session is not None and made._session.closed


async def test_connections_are_kept_for_the_next_question(egress: Make) -> None:
    peers = set()

    async def remember(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="x")

    async with serving(remember) as own:
        made = egress(own.url)
        for _ in range(5):
            await ask(made)
    assert len(peers) == 1


async def test_many_questions_may_be_asked_at_once(egress: Make) -> None:
    """More than aiohttp's usual limit of a hundred connections."""
    arrived, all_here = 0, asyncio.Event()

    async def gather(_request: web.BaseRequest) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == 120:
            all_here.set()
        await all_here.wait()
        return web.Response(text="x")

    async with serving(gather) as own:
        made = egress(own.url)
        assert await asyncio.gather(*(ask(made) for _ in range(120))) == ["x"] * 120


async def test_reachability_is_that_of_the_port(egress: Make, hub: FixtureHub) -> None:
    assert await egress(hub.url).is_reachable(2)
    assert not await egress("http://127.0.0.1:1").is_reachable(2)
    assert not await egress("http://no-such-host.invalid").is_reachable(2)
    assert await egress("http://no-such-host.invalid", proxy_url=hub.url).is_reachable(2)


async def test_a_certificate_is_not_left_on_the_disk(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cert, key = authority.issue("client.test")
    context = config("https://a.test", client_cert=cert, client_key=key).ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED and list(tmp_path.iterdir()) == []
