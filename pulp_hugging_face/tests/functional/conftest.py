"""One fixture Hub, one stack, and client machines."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from .caches import Cache, make_cache, unique
from .clients.machine import JavascriptMachine, Machine
from .clients.venvs import HUB_24, HUBS, JAVASCRIPT, TRANSFORMERS, ClientKind
from .stack import Stack

HERE = Path(__file__).parent

NewMachine = Callable[..., Machine]
NewCache = Callable[..., Cache]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.functional)


@pytest.fixture(scope="session")
def hub_process() -> Iterator[FixtureHub]:
    with FixtureHub() as hub:
        yield hub


@pytest.fixture
def hub(hub_process: FixtureHub) -> Iterator[FixtureHub]:
    """The upstream in good weather, with nothing counted yet."""
    hub_process.reset_all()
    yield hub_process
    hub_process.reset_all()


@pytest.fixture(scope="session")
def stack(hub_process: FixtureHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of the session: two content workers, no token, the fixture Hub as upstream."""
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack(
        folder / "data", hub_process.url, "--workers", "2", "--redirect-host", "127.0.0.2"
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def lone(hub_process: FixtureHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second stack, which tests may stop, kill and restart: with a token, and all is logged."""
    lone = Stack(
        tmp_path_factory.mktemp("lone") / "data",
        hub_process.url,
        *("--workers", "2", "--redirect-host", "127.0.0.2", "--metadata-ttl", "0"),
        *("--log-level", "debug"),
        environ={"HF_TOKEN": OWNER_TOKEN, "PULP_WORKER_TTL": "6"},
    )
    try:
        lone.start()
        yield lone
    finally:
        lone.stop()


@pytest.fixture
def new_cache(stack: Stack, hub: FixtureHub) -> NewCache:
    """Create a remote and a distribution of the test's own; see `caches.make_cache`."""

    def create(**fields: Any) -> Cache:
        return make_cache(stack, hub, **fields)

    return create


@pytest.fixture(scope="session")
def standing() -> dict[str, Cache]:
    """Caches that many tests share, by the fields of their remotes."""
    return {}


@pytest.fixture(scope="session")
def common(stack: Stack, hub_process: FixtureHub, standing: dict[str, Cache]) -> Cache:
    """The shared cache with the default settings, for fixtures that live longer than a test."""
    return standing.setdefault(_key({}), make_cache(stack, hub_process))


def _key(fields: dict[str, Any]) -> str:
    return repr(sorted(fields.items()))


@pytest.fixture
def shared(new_cache: NewCache, standing: dict[str, Cache]) -> NewCache:
    """
    Return the shared cache with these fields: quicker than one of the test's own.

    For tests that leave the cache as it is, and have repositories of their own where it matters
    what was asked before.
    """

    def find(**fields: Any) -> Cache:
        key = _key(fields)
        if key not in standing:
            standing[key] = new_cache(**fields)
        return standing[key]

    return find


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    """A cache of the test's own with the default settings."""
    return new_cache()


@pytest.fixture(params=list(HUBS.values()), ids=list(HUBS))
def client_kind(request: pytest.FixtureRequest) -> ClientKind:
    """Every version of huggingface_hub under test."""
    return request.param


@pytest.fixture
def new_machine(tmp_path: Path) -> NewMachine:
    """Set up a client machine with an empty cache."""

    def create(kind: ClientKind, cache: Cache | str, token: str | None = None) -> Machine:
        endpoint = cache if isinstance(cache, str) else cache.url
        machine = JavascriptMachine if kind is JAVASCRIPT else Machine
        return machine(kind, tmp_path / unique("machine"), endpoint, token)

    return create


@pytest.fixture
def machine(new_machine: NewMachine, client_kind: ClientKind, cache: Cache) -> Machine:
    """A client machine of each version, pointed to the test's cache."""
    return new_machine(client_kind, cache)


@pytest.fixture
def new_client(new_machine: NewMachine) -> NewMachine:
    """A machine with the newest client, where the version makes no difference."""

    def create(cache: Cache | str, token: str | None = None) -> Machine:
        return new_machine(HUB_24, cache, token)

    return create


@pytest.fixture
def transformers(new_machine: NewMachine) -> Callable[[Cache], Machine]:
    """A machine with transformers."""
    return lambda cache: new_machine(TRANSFORMERS, cache)
