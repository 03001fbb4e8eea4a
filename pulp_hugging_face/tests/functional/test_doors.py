"""Where requests may lead: redirects to permitted hosts only, and no path out of a repository."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN

from . import wire
from .caches import Cache, fresh_repo


@pytest.fixture
def cache(shared) -> Cache:
    """Nothing here changes the cache."""
    return shared()


class Trap:
    """Listens on all loopback addresses and counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        self.visits: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with peer:
                    peer.settimeout(2)
                    self.visits.append(peer.recv(4096))
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


LOCATIONS = [
    "http://127.0.0.3:{port}/stolen",  # a host that is not permitted
    "//127.0.0.3:{port}/stolen",
    "http://127.0.0.1:{port}/stolen",  # another service of the Hub's own host
    "http://127.0.0.2@127.0.0.3:{port}/stolen",
    "http://user:word@127.0.0.2:{port}/stolen",
    "http://127.0.0.2.evil.test:{port}/stolen",
    "http://[::1]:{port}/stolen",
    "http://2130706435:{port}/stolen",  # 127.0.0.3 in another notation
    "ftp://127.0.0.2:{port}/stolen",
    "file:///etc/passwd",
    "http://",
]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("kind", ["resolve_get", "api_info"])
def test_a_redirect_to_a_host_that_is_not_permitted_is_refused(hub, shared, trap, location, kind):
    cache, repo_id = shared(hf_token=OWNER_TOKEN, max_retries=0), fresh_repo(hub)
    hub.fault("redirect_to", kind=kind, location=location.format(port=trap.port))
    reply = cache.get(f"/{repo_id}/resolve/main/small.bin")
    assert (reply.status, reply.error_code) == (502, "RedirectRefused")
    assert trap.visits == []
    hub.clear_faults()
    assert cache.get(f"/{repo_id}/resolve/main/small.bin").good


def test_the_storage_must_be_permitted_too(hub, new_cache):
    cache = new_cache(redirect_hosts=["*.huggingface.co"])
    reply = cache.get(f"/{fresh_repo(hub)}/resolve/main/small.bin")
    assert (reply.status, reply.error_code) == (502, "RedirectRefused")
    assert hub.counters().origins.get("cdn", 0) == 0


def test_the_token_does_not_follow_a_permitted_redirect(hub, new_cache, trap):
    cache = new_cache(hf_token=OWNER_TOKEN, redirect_hosts=["127.0.0.2", "127.0.0.3"])
    location = f"http://127.0.0.3:{trap.port}/elsewhere"
    hub.fault("redirect_to", kind="resolve_get", location=location)
    cache.get(f"/{fresh_repo(hub)}/resolve/main/small.bin")
    assert trap.visits and OWNER_TOKEN.encode() not in b"".join(trap.visits)


@pytest.mark.parametrize("kind", ["resolve_get", "api_info"])
def test_endless_redirects_are_refused(hub, new_cache, kind):
    cache = new_cache(max_redirects=3, max_retries=0)
    hub.fault("redirect_to", kind=kind, location="{self}")
    reply = cache.get(f"/{fresh_repo(hub)}/resolve/main/small.bin")
    assert (reply.status, reply.error_code) == (502, "RedirectRefused")
    assert hub.counters().of(kind) <= 2 * 4


PATH_TRICKS = [
    "/org/repo/resolve/main/../../../../etc/passwd",
    "/org/repo/resolve/main/%2e%2e/%2e%2e/secret",
    "/org/repo/resolve/main/..%2f..%2f..%2fsecret",
    "/org/repo/resolve/main/%252e%252e/secret",
    "/org/repo/resolve/main/./secret",
    "/org/repo/resolve/main/secret%00.txt",
    "/org/repo/resolve/main/secret%0d%0aX-Evil:%201",
    "/org/repo/resolve/main/%ff%fe",
    "/org/repo/resolve/main/..%5c..%5csecret",
    "/org/repo/resolve/main//secret",
    "/org/repo/resolve/main/",
    "/org/repo/resolve/..%2F..%2Fsecret/config.json",
    "/org/repo/resolve/refs%2F..%2F..%2Fsecret/config.json",
    "/org/repo/resolve/%00/config.json",
    "/org/repo%2F..%2Fpriv/resolve/main/config.json",
    "/org/..%2Fsecret/resolve/main/config.json",
    "/../secret/resolve/main/config.json",
    "/datasets/../secret/resolve/main/config.json",
    "/api/models/org/repo/tree/main/..%2F..%2Fsecret",
    "/api/models/org/repo/tree/main/%2e%2e/secret",
    "/api/models/../../secret",
    "/api/models/..%2F..%2Fsecret",
    "/api/models/org/repo/revision/..%2Fsecret",
    "/api/resolve-cache/models/org/repo/main/../secret",
]


@pytest.mark.parametrize("target", PATH_TRICKS)
def test_path_tricks_are_refused_and_reach_nothing(hub, cache, target):
    for method in ("GET", "HEAD"):
        reply = wire.ask(cache.url, target, method)
        assert 400 <= reply.status < 500
        assert "x-evil" not in reply.headers
    asked = [unquote(unquote(entry.url)) for entry in hub.log()]
    assert not [url for url in asked if ".." in url or "secret" in url or "passwd" in url]


@pytest.mark.parametrize("path", ["config.json/../config.json", "%2e%2e/config.json"])
def test_pulpcores_own_handler_serves_nothing_behind_our_back(hub, cache, path):
    repo_id = fresh_repo(hub)
    assert cache.get(f"/{repo_id}/resolve/main/config.json").good
    sha = hub.sha(repo_id)
    assert cache.get(f"/{repo_id}/resolve/{sha}/config.json").good
    for target in (f"/{repo_id}/resolve/{sha}/{path}", f"/{repo_id}/resolve/", f"/{repo_id}/"):
        assert 400 <= cache.get(target).status < 500
