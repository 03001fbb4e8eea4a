"""No client ends with a bad file by going on where it broke off."""

import hashlib
from pathlib import Path

import pytest

from . import wire
from .caches import MIB, Cache, eventually, fresh_repo, random_file
from .clients import tools
from .clients.machine import ClientError, Machine
from .clients.venvs import HUB_023, HUB_036, HUB_24, HUB_133, ClientKind
from .inspect_stack import held_paths

SIZE = 40 * MIB  # clients write 10 MiB at a time
PATH = "large.bin"
# Newer ones resume by themselves, older ones when they are called again.
RESUMING = [HUB_036, HUB_133, HUB_24]


@pytest.fixture
def repo_id(hub) -> str:
    return fresh_repo(hub, {PATH: random_file(SIZE)})


@pytest.fixture
def cache(new_cache) -> Cache:
    return new_cache(max_retries=0)


@pytest.fixture
def truth(hub, repo_id) -> str:
    return hub.file(repo_id, PATH).sha256


def spoil(hub, **fields: int) -> None:
    """A byte is wrong; the pace lets clients have most of the file before that shows."""
    hub.throttle(40 * MIB, shared=True)
    hub.fault("corrupt", kind="cdn_get", after=10 * MIB, **fields)


def download(machine: Machine, repo_id: str, **fields: bool) -> str | ClientError:
    """Return the digest of what the client takes for the file, or its error."""
    arguments = {"repo_id": repo_id, "filename": PATH, **fields}
    (outcome,) = machine.outcomes(("download", arguments))
    return outcome if isinstance(outcome, ClientError) else outcome["sha256"]


@pytest.mark.parametrize("kind", RESUMING, ids=lambda kind: kind.name)
def test_a_client_that_resumes_after_a_bad_byte_has_the_right_file(
    hub, new_machine, cache, repo_id, truth, kind: ClientKind
):
    machine = new_machine(kind, cache)
    spoil(hub, times=1)
    outcomes = [download(machine, repo_id) for _ in range(2)]
    assert outcomes[-1] == truth
    if kind is HUB_036:
        assert isinstance(outcomes[0], ClientError)


def test_the_oldest_client_tells_what_to_do(hub, new_machine, cache, repo_id, truth):
    """0.23 appends the whole to what it has; its check of the size fails."""
    machine = new_machine(HUB_023, cache)
    spoil(hub, times=1)
    assert isinstance(download(machine, repo_id), ClientError)
    again = download(machine, repo_id)
    assert isinstance(again, ClientError) and "force_download=True" in str(again)
    assert download(machine, repo_id, force_download=True) == truth


@pytest.mark.parametrize("kind", RESUMING, ids=lambda kind: kind.name)
def test_a_client_gives_up_when_the_bytes_stay_bad(hub, new_machine, cache, repo_id, kind):
    machine = new_machine(kind, cache)
    spoil(hub)
    for _ in range(2):
        assert isinstance(download(machine, repo_id), ClientError)


def test_a_stream_of_bad_bytes_ends_with_an_error(hub, new_machine, cache, repo_id):
    """HfFileSystem takes any good answer for the bytes it asked for."""
    machine = new_machine(HUB_24, cache)
    spoil(hub, times=1)
    with pytest.raises(ClientError, match="409"):
        machine.do("stream", path=f"{repo_id}/{PATH}", piece=999_983)


PLAIN = {
    "curl": ("--silent", "--fail", "--continue-at", "-", "--output", PATH),
    "wget": ("--quiet", "--continue", "--output-document", PATH),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_downloads_do_not_go_on_behind_bad_bytes(
    hub, cache, repo_id, truth, tmp_path: Path, name: str
):
    url = f"{cache.url}/{repo_id}/resolve/main/{PATH}"
    spoil(hub, times=1)
    for _ in range(2):
        done = tools.run(name, *PLAIN[name], url, folder=tmp_path)
        assert done.returncode != 0
    assert wire.get(cache.url, f"/{repo_id}/resolve/main/{PATH}").good
    eventually(lambda: PATH in held_paths(cache, repo_id, hub.sha(repo_id)))
    assert tools.run(name, *PLAIN[name], url, folder=tmp_path).returncode != 0
    (tmp_path / PATH).unlink()
    assert tools.run(name, *PLAIN[name], url, folder=tmp_path).returncode == 0
    assert hashlib.sha256((tmp_path / PATH).read_bytes()).hexdigest() == truth
