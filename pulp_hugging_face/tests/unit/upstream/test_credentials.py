"""Secrets go to the remote's own origin, and nowhere else."""

import base64
import json
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from pulp_hugging_face.hub.errors import HubError, UpstreamInvalid
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress, Request

from .servers import answering, response, serving

pytestmark = pytest.mark.asyncio

REPO = RepoId(RepoType.MODEL, "org/priv")
TOKEN = "hf_secretsecretsecretsecretsecretsecret"


async def here(_request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({})


def to(location: str, status: int = 302) -> Callable[[web.BaseRequest], object]:
    async def redirect(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": location})

    return redirect


async def ask(egress: Egress, target: str = "x", **fields: object) -> int:
    async with egress.open(Request("GET", target, TOKEN, **fields)) as answer:  # type: ignore[arg-type]
        await answer.read()
        return answer.status


async def test_the_token_goes_to_the_hub_and_never_to_its_storage(
    hub: FixtureHub, client: Callable[..., HubClient]
) -> None:
    made, sha = client(hub.url, OWNER_TOKEN), hub.sha("org/priv")
    info = hub.file("org/priv", "model.safetensors")
    await made.info(REPO, "main")
    await made.refs(REPO)
    async for _ in made.tree(REPO, sha, recursive=True):
        pass
    await made.paths_info(REPO, sha, ["config.json"])
    await made.probe(REPO, sha, info.path)
    async with made.open_blob(REPO, sha, info.path, info.size, 0, info.size) as stream:
        assert sum([len(chunk) async for chunk in stream.chunks(1 << 20)]) == info.size
    log = hub.log()
    assert {entry.authorization for entry in log if entry.origin == "hub"} == {
        f"Bearer {OWNER_TOKEN}"
    }
    stored = [entry for entry in log if entry.origin == "cdn"]
    assert stored and {entry.authorization for entry in stored} == {None}


async def test_without_a_token_nothing_is_sent(
    hub: FixtureHub, client: Callable[..., HubClient]
) -> None:
    await client(hub.url).info(RepoId(RepoType.MODEL, "org/repo"), "main")
    (entry,) = hub.log()
    assert entry.authorization is None and "Cookie" not in entry.headers


async def test_another_port_of_the_same_host_is_another_service(
    egress: Callable[..., Egress],
) -> None:
    async with serving(here) as other, serving(to(other.url + "/y")) as own:
        with pytest.raises(UpstreamInvalid):
            await ask(egress(own.url))
        assert other.seen == []


async def test_another_port_that_is_permitted_gets_no_token(egress: Callable[..., Egress]) -> None:
    async with serving(here) as other, serving(to(other.url + "/y")) as own:
        made = egress(
            own.url,
            redirect_hosts=("127.0.0.1",),
            username="user",
            password="pass",
            headers=(("X-Api-Key", "secret"), ("authorization", "Basic Zm9v")),
        )
        assert await ask(made) == 200
        assert own.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Authorization" not in other.seen[0].headers


async def test_the_remotes_own_headers_do_not_follow_a_redirect(
    egress: Callable[..., Egress],
) -> None:
    """They may be credentials of another kind."""
    async with serving(here, "127.0.0.2") as other, serving(to(other.url + "/y")) as own:
        assert await ask(egress(own.url, headers=(("X-Api-Key", "secret"),))) == 200
        assert own.seen[0].headers["X-Api-Key"] == "secret"
        assert "X-Api-Key" not in other.seen[0].headers
        assert other.seen[0].headers["User-Agent"] == own.seen[0].headers["User-Agent"]


async def test_the_token_comes_back_with_the_own_origin(egress: Callable[..., Egress]) -> None:
    """A redirect out and home again: the token is for home in both cases."""
    home: list[str] = []

    async def out(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/back":
            return web.json_response({})
        return web.Response(status=307, headers={"Location": home[1]})

    async with serving(out) as own, serving(to(own.url + "/back"), "127.0.0.2") as other:
        home[:] = [own.url, other.url]
        assert await ask(egress(own.url)) == 200
        assert [seen.headers.get("Authorization") for seen in own.seen] == [f"Bearer {TOKEN}"] * 2
        assert "Authorization" not in other.seen[0].headers


async def test_a_user_and_password_are_sent_where_there_is_no_token(
    egress: Callable[..., Egress],
) -> None:
    async with serving(here) as own:
        made = egress(own.url, username="üser", password="p:w")
        async with made.open(Request("GET", "x")):
            pass
        scheme, _, data = own.seen[0].headers["Authorization"].partition(" ")
        assert scheme == "Basic" and base64.b64decode(data).endswith(b"ser:p:w")


async def test_cookies_of_the_upstream_are_not_kept(egress: Callable[..., Egress]) -> None:
    async def bake(_request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({}, headers={"Set-Cookie": "session=1; Path=/"})

    async with serving(bake) as own:
        made = egress(own.url)
        await ask(made)
        await ask(made)
        assert "Cookie" not in own.seen[1].headers


async def test_proxies_and_netrc_of_the_environment_are_not_used(
    egress: Callable[..., Egress], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(here) as proxy, serving(here) as own:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert await ask(egress(own.url)) == 200
        assert proxy.seen == []


SECRETS = {
    "token": TOKEN,
    "username": "the-user",
    "password": "the-password",
    "proxy_username": "proxy-user",
    "proxy_password": "proxy-password",
    "client_key": "-----BEGIN PRIVATE KEY-----",
    "client_cert": "-----BEGIN CERTIFICATE-----",
    "headers": (("X-Api-Key", "header-secret"),),
    "proxy_url": "http://proxy-in-url:secret@proxy.test",
}


async def test_no_secret_is_in_the_representation_of_a_configuration() -> None:
    text = repr(RemoteConfig("remote", "https://hub.test", **SECRETS))  # type: ignore[arg-type]
    for secret in ("secret", "the-", "proxy-", "BEGIN", "header-secret", TOKEN):
        assert secret not in text


async def test_a_request_does_not_show_its_token() -> None:
    assert TOKEN not in repr(Request("GET", "x", TOKEN))


SIGNED = "Signature=deadbeef"


@pytest.mark.parametrize(
    "answer",
    [
        response(status="500 Oops"),
        response(status="404 Not Found"),
        response(b"", f"Location: http://evil.test/x?{SIGNED}", status="302 Found"),
        response(b"", f"Location: ftp://127.0.0.1/x?{SIGNED}", status="302 Found"),
        response(b"", f"Location: http://[::1?{SIGNED}", status="302 Found"),
        response(b"", f"Location: /again?{SIGNED}", status="302 Found"),
        response(b"", f"Location: http://127.0.0.2:1/x?{SIGNED}", status="302 Found"),
        response(b"", f"Location: http://u:{TOKEN}@127.0.0.2/x?{SIGNED}", status="302 Found"),
        b"nonsense\r\n\r\n",
        b"",
    ],
)
async def test_no_failure_shows_a_token_or_a_signed_address(
    egress: Callable[..., Egress], answer: bytes
) -> None:
    async with answering(answer) as own:
        with pytest.raises(HubError) as failed:
            await ask(egress(own.url, token=TOKEN))
        for text in (str(failed.value), failed.value.message, repr(failed.value)):
            assert TOKEN not in text and SIGNED not in text and own.url not in text


async def test_a_broken_body_does_not_show_its_address(egress: Callable[..., Egress]) -> None:
    body = json.dumps({"a": 1}).encode()
    async with answering(response(body, "Content-Length: 100")) as own:
        made = HubClient(egress(own.url), TOKEN)
        with pytest.raises(HubError) as failed:
            await made.info(REPO, "main")
        assert own.url not in failed.value.message and TOKEN not in failed.value.message
        assert not isinstance(failed.value, aiohttp.ClientError)
