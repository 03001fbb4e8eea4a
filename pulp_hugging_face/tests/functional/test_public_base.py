"""
The address clients see: behind reverse proxies that change the path, and at the root of the host.

Everything is asked for below that address, by real clients too: a link or redirect with another
host or path would leave it, and the proxy notices.
"""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from . import wire
from .caches import Cache, eventually, unique
from .clients.machine import JavascriptMachine
from .clients.venvs import HUB_036, HUB_24, JAVASCRIPT, ClientKind
from .reverse_proxy import ReverseProxy, Route
from .stack import TRUSTED_PROXY
from .test_entitlement import base64_of
from .upstream_log import asked

MANY = "/api/models/org/many/tree/main?recursive=true"
MOVED = "/gpt2/resolve/main/config.json"
XET_INFO = "application/vnd.xet-fileinfo+json, */*"


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


def stripping(cache: Cache) -> Route:
    """Strip /team, and tell it the usual way (Traefik: StripPrefix)."""
    path = f"/pulp/content/{cache.base_path}"
    return Route(
        f"/team{path}",
        path,
        lambda host: {
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": host,
            "X-Forwarded-Prefix": "/team",
        },
    )


def mapping(cache: Cache) -> Route:
    """Map another path to the endpoint, with Host passed on."""
    return Route(
        "/hf",
        f"/pulp/content/{cache.base_path}",
        lambda host: {
            "Host": host,
            "X-Forwarded-Host": host,
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Endpoint": "/hf",
        },
    )


def own_host(cache: Cache) -> Route:
    """Give the endpoint a host of its own: the path is added, and told by the standard header."""
    return Route(
        "",
        f"/pulp/content/{cache.base_path}",
        lambda host: {
            "Forwarded": f'for=192.0.2.1;proto=http;host="{host}"',
            "X-Forwarded-Endpoint": "/",
        },
    )


def to_the_root(cache: Cache) -> Route:
    """Strip all of the path: what remains is asked of the root distribution."""
    return Route(
        "/mirror/hub",
        "",
        lambda host: {"X-Forwarded-Host": host, "X-Forwarded-Prefix": "/mirror/hub/"},
    )


@pytest.fixture(params=[stripping, mapping, own_host, to_the_root])
def proxy(request: pytest.FixtureRequest, cache: Cache) -> Iterator[ReverseProxy]:
    made = ReverseProxy(cache.stack.origin, request.param(cache), TRUSTED_PROXY)
    yield made
    made.close()


@pytest.fixture(params=[HUB_036, HUB_24], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> ClientKind:
    return request.param


def link_of(reply: wire.Reply) -> str:
    """Return the address of the next page."""
    return reply.headers["link"].removeprefix("<").partition(">")[0]


def digests(hub, repo_id: str) -> dict[str, str]:
    return {path: file.sha256 for path, file in hub.manifest(repo_id).items()}


# Behind a proxy that changes the path.


def test_clients_stay_behind_the_proxy(hub, proxy, kind, new_machine):
    """A renamed repository (redirects) and a listing of two pages (links)."""
    machine = new_machine(kind, proxy.endpoint)
    found, tree = machine.outcomes(
        ("snapshot", {"repo_id": "gpt2"}), ("tree", {"repo_id": "org/many", "recursive": True})
    )
    assert found == digests(hub, "openai-community/gpt2")
    assert len(tree) == 1237
    assert proxy.asked and proxy.stray == []


def javascript(endpoint: str, folder) -> tuple[object, object]:
    """Let @huggingface/hub download from a renamed repository and list two pages."""
    machine = JavascriptMachine(JAVASCRIPT, folder, endpoint)
    file, listing = machine.outcomes(
        ("download", {"repo": "gpt2", "path": "model.safetensors"}),
        ("listFiles", {"repo": "org/many", "recursive": True}),
    )
    return file, listing


def test_the_javascript_client_stays_behind_the_proxy_too(hub, proxy, tmp_path):
    file, listing = javascript(proxy.endpoint, tmp_path)
    assert file["sha256"] == hub.file("openai-community/gpt2", "model.safetensors").sha256
    assert len(listing) == 1237 and proxy.stray == []


def test_links_and_redirects_name_the_outside(proxy):
    reply = wire.get(proxy.endpoint, MANY)
    assert link_of(reply).startswith(f"{proxy.endpoint}/api/models/org/many/tree/main?")
    assert wire.get("http://" + proxy.host, link_of(reply).partition(proxy.host)[2]).status == 200
    location = wire.get(proxy.endpoint, MOVED).headers["location"]
    assert location == f"{proxy.mapping.outside}/openai-community{MOVED}"
    assert proxy.endpoint in wire.get(proxy.endpoint, "/").text


def test_encoded_slashes_pass_every_mapping(hub, proxy):
    for revision in ("refs%2Fpr%2F1", "refs%2fpr%2f1", "refs/pr/1"):
        reply = wire.get(proxy.endpoint, f"/org/repo/resolve/{revision}/sub%20dir/pr.txt")
        assert reply.body == hub.bytes_of("org/repo", "sub dir/pr.txt", "refs/pr/1")


def test_tls_that_ends_before_us_is_told_by_the_proxy(cache):
    route = stripping(cache)
    told = {**route.tell("hub.example:8443"), "X-Forwarded-Proto": "https"}
    proxy = ReverseProxy(cache.stack.origin, Route("", route.inside, lambda _: told))
    reply = wire.get(proxy.endpoint, MANY)
    proxy.close()
    assert link_of(reply).startswith(f"https://hub.example:8443/team{route.inside}/api/models/")


# Whose word does not count.

SPOOFED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Endpoint": "/evil",
    "Forwarded": "for=127.0.0.3;host=evil.example;proto=https",
    "X-Forwarded-For": TRUSTED_PROXY,
}


@pytest.mark.parametrize("name", list(SPOOFED))
def test_what_a_client_tells_is_ignored(cache, name):
    for url in (cache.url, cache.stack.origin):
        for target in (MANY, MOVED, "/"):
            reply = wire.ask(url, target, headers={name: SPOOFED[name]})
            assert "evil" not in f"{reply.headers} {reply.text}"
            if target == MANY:
                assert link_of(reply).startswith(url + "/api/")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example/x"},
        {"X-Forwarded-Host": "evil.example>; rel=next"},
        {"X-Forwarded-Host": "user@evil.example"},
        {"X-Forwarded-Prefix": "//evil.example"},
        {"X-Forwarded-Prefix": "/%2e%2e/evil"},
        {"X-Forwarded-Endpoint": "https://evil.example"},
        {"X-Forwarded-Proto": "evil"},
        {"Forwarded": "host=evil.example", "X-Forwarded-Proto": "http"},
        {"X-Forwarded-Host": "evil.example", "Forwarded": "proto=http"},
    ],
)
def test_odd_words_are_ignored_from_a_trusted_proxy_too(cache, headers):
    """A proxy hands on what it does not know, so it may be the client's."""
    proxy = ReverseProxy(cache.stack.origin, Route("", "", lambda _: headers))
    path = f"/pulp/content/{cache.base_path}"
    many, moved = (wire.get(proxy.endpoint, path + target) for target in (MANY, MOVED))
    proxy.close()
    assert link_of(many).startswith(cache.url + "/api/")
    assert moved.headers["location"] == f"{path}/openai-community{MOVED}"


# At the root of the host.


@pytest.fixture
def root(stack, hub) -> str:
    """The origin of the stack, whose default distribution answers there."""
    return stack.origin


def test_clients_need_no_path(hub, root, client_kind, new_machine):
    machine = new_machine(client_kind, root)
    wanted = {
        "lfs": {"repo_id": "org/repo", "filename": "model.safetensors"},
        "odd": {"repo_id": "org/repo", "filename": "sub dir/é #1.txt"},
        "pr": {"repo_id": "org/repo", "filename": "sub dir/pr.txt", "revision": "refs/pr/1"},
        "dataset": {"repo_id": "org/ds", "filename": "data/train.csv", "repo_type": "dataset"},
    }
    found, snapshot, tree, refs = machine.outcomes(
        ("downloads", {"wanted": wanted}),
        ("snapshot", {"repo_id": "gpt2"}),
        ("tree", {"repo_id": "org/many", "recursive": True}),
        ("refs", {"repo_id": "org/repo"}),
    )
    for name, ask in wanted.items():
        where = (ask["repo_id"], ask["filename"], ask.get("revision", "main"))
        file = hub.file(*where, ask.get("repo_type", "model"))
        assert found[name]["sha256"] == file.sha256, name
    assert snapshot == digests(hub, "openai-community/gpt2")
    assert len(tree) == 1237 and "refs/heads/main" in refs


def test_a_client_is_told_what_it_misses(root, new_client):
    machine = new_client(root)
    outcomes = machine.outcomes(
        ("download", {"repo_id": "org/nope", "filename": "x"}),
        ("download", {"repo_id": "org/repo", "filename": "nope"}),
        ("download", {"repo_id": "org/repo", "filename": "x", "revision": "nope"}),
    )
    assert [getattr(outcome, "name", "") for outcome in outcomes] == [
        "RepositoryNotFoundError", "RemoteEntryNotFoundError", "RevisionNotFoundError",
    ]  # fmt: skip


def test_what_javascript_asks_for_works_at_the_root(hub, root):
    """The calls of @huggingface/hub and transformers.js with hubUrl at the host (§1.8)."""
    page = {"Origin": "https://page.example", "Accept": XET_INFO}
    path = "/org/repo/resolve/main/model.safetensors"
    first = wire.ask(root, path, headers={**page, "Range": "bytes=0-0"})
    size = hub.file("org/repo", "model.safetensors").size
    assert (first.status, first.headers["content-range"]) == (206, f"bytes 0-0/{size}")
    assert wire.ask(root, path, headers=page).body == hub.bytes_of("org/repo", "model.safetensors")
    # It writes the revision of `tree` unencoded, and says HEAD for the default branch.
    listing = wire.ask(root, "/api/models/org/repo/tree/refs/pr/1", headers=page)
    assert "sub dir" in listing.text
    assert hub.sha("org/repo") in wire.ask(root, "/api/models/org/repo/revision/HEAD").text
    body = json.dumps({"paths": ["config.json"]}).encode()
    headers = {**page, "Content-Type": "application/json"}
    found = wire.ask(root, "/api/models/org/repo/paths-info/main", "POST", headers, body)
    assert [entry["path"] for entry in json.loads(found.body)] == ["config.json"]


def test_the_javascript_client_needs_no_path(hub, root, tmp_path):
    file, listing = javascript(root, tmp_path)
    assert file["sha256"] == hub.file("openai-community/gpt2", "model.safetensors").sha256
    assert len(listing) == 1237


def test_links_and_redirects_of_the_root_name_the_root(root):
    assert link_of(wire.get(root, MANY)).startswith(f"{root}/api/models/org/many/tree/main?")
    assert wire.get(root, MOVED).headers["location"] == f"/openai-community{MOVED}"
    assert json.loads(wire.get(root, "/").body)["HF_ENDPOINT"] == root


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_slashes_at_the_beginning_are_no_host(hub, root, slashes):
    info = wire.get(root, f"{slashes}api/models/org/repo")
    assert hub.sha("org/repo") in info.text
    moved = wire.get(root, f"{slashes}gpt2//resolve/main/config.json")
    assert moved.headers["location"] == f"/openai-community{MOVED}"
    # The name of a host is a namespace like others here.
    reply = wire.get(root, f"{slashes}evil.example/x/resolve/main/y")
    assert (reply.status, reply.error_code) in ((404, "RepoNotFound"), (401, "RepoNotFound"))
    assert wire.get(root, f"{slashes}evil.example").status == 404


def test_any_encoding_of_a_path_is_the_same_path(hub, root, stack):
    truth = hub.bytes_of("org/repo", "config.json")
    everything = "".join(f"%{byte:02x}" for byte in b"config.json")
    for path in (
        "/org%2Frepo/resolve/main/config.json",
        "/org%2frepo/resolve/main/config.json",
        f"/org/repo/resolve/main/{everything}",
        f"/org/repo/resolve/main/{everything.upper().replace('%2E', '%2e')}",
        "/%6Frg/%72epo/resolve/%6dain/config.json",
    ):
        for base in (
            root,
            stack.endpoint,
            f"{root}/pulp/content/%68uggingface",
            f"{root}//pulp//content/huggingface",
        ):
            assert wire.get(base, path).body == truth, base + path


def test_pulps_own_addresses_stay_pulps(root):
    assert json.loads(wire.get(root, "/health").body)["status"] == "ok"
    assert "huggingface" in wire.get(root, "/pulp/content/").text
    for target in ("/pulp/content/nobody/x", "/v2/", "/v2/a/resolve/main/x", "/token",
                   "/.well-known/x", "/pulp/api/v3/status/", "/favicon.ico"):  # fmt: skip
        reply = wire.get(root, target)
        assert reply.status == 404 and reply.error_code is None, target


def test_status_tells_which_distribution_is_at_the_root(stack):
    assert json.loads(stack.command("status", "--json").stdout)["root_distribution"] == (
        "huggingface"
    )


# Browsers.


def allowed(reply: wire.Reply) -> bool:
    """Tell whether a page of another origin may read an answer with all its headers."""
    exposed = reply.headers.get("access-control-expose-headers", "")
    return (
        reply.headers.get("access-control-allow-origin") == "*"
        and "access-control-allow-credentials" not in reply.headers
        and all(n in exposed for n in ("X-Repo-Commit", "ETag", "Link", "Content-Range"))
    )


def test_pages_of_other_origins_may_read_every_kind_of_answer(cache):
    file = "/org/repo/resolve/main/config.json"
    etag = cache.get(file).headers["etag"]
    for target, status, headers in (
        (file, 200, {}),
        (file, 206, {"Range": "bytes=0-0"}),
        (file, 304, {"If-None-Match": etag}),
        (file, 416, {"Range": "bytes=999999-"}),
        (MOVED, 307, {}),
        (MANY, 200, {}),
        ("/org/repo/resolve/main/nope", 404, {}),
        ("/nothing", 404, {}),
        ("/api/telemetry/x", 200, {}),
    ):
        for method in ("GET", "HEAD"):
            reply = wire.ask(cache.url, target, method, {"Origin": "null", **headers})
            assert reply.status == status or method == "HEAD", target
            assert allowed(reply), (target, method)
    assert allowed(wire.ask(cache.url, file, "DELETE"))


@pytest.fixture
def guarded(new_cache: Callable[..., Cache], stack) -> Cache:
    guard = stack.rest.create(
        "contentguards/core/header/", name=unique("guard"), header_name="X-Let-Me-In",
        header_value="please",
    )  # fmt: skip
    return new_cache(content_guard=guard["pulp_href"])


def test_a_preflight_passes_the_guard_and_what_follows_does_not(hub, cache, guarded):
    asks = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization, range, x-let-me-in",
    }
    targets = ("/org/repo/resolve/main/config.json", "/org/nope/resolve/main/x", "/api/models/x")
    replies = [wire.ask(c.url, t, "OPTIONS", asks) for c in (cache, guarded) for t in targets]
    for reply in replies:
        assert reply.status == 204 and reply.body == b""
        assert reply.headers["access-control-allow-origin"] == "*"
        names = reply.headers["access-control-allow-headers"].lower()
        assert {"authorization", "range", "*"} <= set(names.split(", "))
    told = [{k: v for k, v in r.headers.items() if k != "date"} for r in replies]
    assert all(headers == told[0] for headers in told)
    assert asked(hub) == []
    refused = wire.ask(guarded.url, targets[0], headers={"Origin": "https://page.example"})
    assert refused.status == 403 and allowed(refused)
    wrong = wire.ask(
        guarded.url, targets[0], headers={"Authorization": f"Basic {base64_of('a:b')}"}
    )
    assert wrong.status in (401, 403) and allowed(wrong)


def test_a_guard_counts_at_the_root_too(hub, root, stack, guarded):
    default = stack.rest.list(stack.rest.DISTRIBUTIONS, name="huggingface")[0]["pulp_href"]
    file = "/org/repo/resolve/main/config.json"
    stack.rest.update(default, content_guard=guarded.distribution["content_guard"])
    try:
        eventually(lambda: wire.get(root, file).status == 403, 5)
        for target in (file, "//org%2Frepo/resolve/main/config.json", "/api/models/org/repo", "/"):
            assert wire.get(root, target).status == 403
        key = base64_of("please")
        assert wire.ask(root, file, headers={"X-Let-Me-In": key}).good
    finally:
        stack.rest.update(default, content_guard=None)
    eventually(lambda: wire.get(root, quote(file)).good, 5)
