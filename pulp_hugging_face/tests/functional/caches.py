"""Caches: a remote and a distribution (and perhaps a repository) that belong to one test."""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pulp_hugging_face.tests.hub import FixtureHub, Generated, repo

from . import wire
from .stack import Stack

_COUNT = itertools.count(1)
KIB, MIB = 1024, 1024 * 1024


def unique(word: str) -> str:
    """Return a name nobody else uses in this session."""
    return f"{word}-{os.getpid()}-{next(_COUNT)}"


@dataclass
class Cache:
    """One Hub endpoint; `url` is the value for HF_ENDPOINT."""

    stack: Stack
    url: str
    base_path: str
    remote: dict[str, Any]
    distribution: dict[str, Any]
    repository: dict[str, Any] | None = None

    def get(self, target: str, **headers: str) -> wire.Reply:
        return wire.get(self.url, target, **headers)

    def head(self, target: str, **headers: str) -> wire.Reply:
        return wire.head(self.url, target, **headers)


def make_cache(
    stack: Stack,
    hub: FixtureHub,
    *,
    repository: bool = False,
    content_guard: str | None = None,
    **fields: Any,
) -> Cache:
    """Create a cache of the fixture Hub; `fields` are those of the remote."""
    name = unique("cache")
    rest = stack.rest
    wanted = {"url": hub.url, "redirect_hosts": ["127.0.0.2"], **fields}
    remote = rest.create(rest.REMOTES, name=name, **wanted)
    held = rest.create(rest.REPOSITORIES, name=name) if repository else None
    distribution = rest.create(
        rest.DISTRIBUTIONS,
        name=name,
        base_path=name,
        remote=remote["pulp_href"],
        repository=held["pulp_href"] if held else None,
        content_guard=content_guard,
    )
    url = f"{stack.origin}/pulp/content/{name}"
    return Cache(stack, url, name, remote, distribution, held)


def fresh_repo(hub: FixtureHub, files: dict[str, Any] | None = None, **fields: Any) -> str:
    """Declare a repository whose bytes nothing else has; returns its id."""
    name = unique("org/fresh")
    hub.declare(repo(name, files or default_files(name), **fields))
    return name


def default_files(seed: str) -> dict[str, Any]:
    """One regular file and one LFS file below and one above the size that is verified first."""
    number = next(_COUNT)
    return {
        "config.json": f'{{"seed": "{seed}"}}\n',
        "small.bin": Generated(300 * KIB, seed=10_000 + number),
        "large.bin": Generated(6 * MIB + 123, seed=20_000 + number),
    }


def random_file(size: int) -> Generated:
    """Return bytes that no other file of the session has."""
    return Generated(size, seed=30_000 + next(_COUNT))


def eventually(condition: Callable[[], Any], seconds: float = 20.0, pause: float = 0.1) -> Any:
    """Wait until the condition is true, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(pause)
    return value
