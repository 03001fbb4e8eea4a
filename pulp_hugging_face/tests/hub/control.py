"""The control origin: `POST /{operation}` with JSON arguments, JSON back.

`GET /content?type=…&id=…&revision=…&path=…` gives the bytes of a file, ranges included.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .catalogue import CATALOGUES
from .declare import CommitSpec, RefSpec, RepoSpec, UserSpec
from .faults import Fault
from .journal import LogEntry
from .ratelimit import Quota
from .repos import Repo, full_ref
from .wire import Ask, file_answer
from .world import Settings
from .writer import send

if TYPE_CHECKING:
    from .server import Fixture

Operation = Callable[..., Any]


class Control:
    def __init__(self, fixture: "Fixture") -> None:
        self.fixture = fixture

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.rel_url.path.strip("/")
        try:
            if name == "content":
                return await self._content(request)
            arguments = json.loads(await request.read() or b"{}")
            result = _OPERATIONS[name](self.fixture, **arguments)
            if hasattr(result, "__await__"):
                result = await result
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"{name}: {error!r}"}, status=400)
        return web.json_response({"result": result})

    async def _content(self, request: web.BaseRequest) -> web.StreamResponse:
        query = request.rel_url.query
        repo = _repo(self.fixture, query["type"], query["id"])
        blob = repo.commits[repo.target(query["revision"])].files[query["path"]]
        ask = Ask("control", request.method, "/content", "", request.headers)
        entry = LogEntry(0, "control", "content", "GET", "", "", "", {}, None, 0.0)
        return await send(request, file_answer(ask, blob.content, {}), entry)


def _repo(fixture: "Fixture", type: str, id: str) -> Repo:
    repo = fixture.world.find(type, id)
    if repo is None:
        raise KeyError(f"no {type} {id}")
    return repo


def declare(fixture: "Fixture", repos: list[dict[str, Any]]) -> None:
    for data in repos:
        fixture.world.declare(RepoSpec.from_json(data))


def load(fixture: "Fixture", catalogue: str) -> None:
    for spec in CATALOGUES[catalogue](fixture.world.hub_url):
        fixture.world.declare(spec)


def add_users(fixture: "Fixture", users: list[dict[str, Any]]) -> None:
    fixture.world.add_users(UserSpec(**{**d, "orgs": tuple(d.get("orgs", ()))}) for d in users)


def revoke_token(fixture: "Fixture", token: str) -> None:
    fixture.world.users.pop(token, None)


def delete_repo(fixture: "Fixture", type: str, id: str) -> None:
    fixture.world.forget(type, id)


def rename_repo(fixture: "Fixture", type: str, id: str, new_id: str) -> None:
    fixture.world.rename(_repo(fixture, type, id), new_id)


def update_repo(fixture: "Fixture", type: str, id: str, **changes: Any) -> None:
    """private, gated, disabled, readers, downloads, likes, info."""
    repo = _repo(fixture, type, id)
    for name, value in changes.items():
        if name not in ("private", "gated", "disabled", "readers", "downloads", "likes", "info"):
            raise ValueError(f"cannot change {name}")
        setattr(repo, name, set(value) if name == "readers" else value)


def add_commit(fixture: "Fixture", type: str, id: str, ref: str, commit: dict[str, Any]) -> str:
    return _repo(fixture, type, id).add_commit(ref, CommitSpec.from_json(commit))


def add_ref(fixture: "Fixture", type: str, id: str, ref: dict[str, Any]) -> str:
    repo, spec = _repo(fixture, type, id), RefSpec.from_json(ref)
    repo.add_ref(spec)
    return repo.refs[spec.ref]


def set_ref(fixture: "Fixture", type: str, id: str, ref: str, target: str) -> str:
    """Move a branch or tag anywhere: a force push."""
    repo = _repo(fixture, type, id)
    repo.refs[full_ref(ref)] = repo.target(target)
    return repo.refs[full_ref(ref)]


def delete_ref(fixture: "Fixture", type: str, id: str, ref: str) -> None:
    del _repo(fixture, type, id).refs[full_ref(ref)]


def sha(fixture: "Fixture", type: str, id: str, revision: str = "main") -> str:
    return _repo(fixture, type, id).target(revision)


def manifest(
    fixture: "Fixture", type: str, id: str, revision: str = "main"
) -> list[dict[str, Any]]:
    repo = _repo(fixture, type, id)
    commit = repo.commits[repo.target(revision)]
    return [
        {
            "path": path,
            "size": blob.size,
            "oid": blob.oid,
            "sha256": blob.content.sha256,
            "etag": blob.etag,
            "lfs": blob.lfs is not None,
            "mode": blob.mode,
            "xet_hash": blob.lfs.xet_hash if blob.lfs else None,
        }
        for path, blob in commit.files.items()
    ]


def settings(fixture: "Fixture", **changes: Any) -> dict[str, Any]:
    fixture.world.settings = dataclasses.replace(fixture.world.settings, **changes)
    return dataclasses.asdict(fixture.world.settings)


def default_settings(fixture: "Fixture") -> None:
    fixture.world.settings = Settings()


def expire_urls(fixture: "Fixture") -> None:
    """Every CDN URL given so far is refused from now on."""
    fixture.world.url_generation += 1


def fault(fixture: "Fixture", **data: Any) -> int:
    return fixture.faults.add(Fault(**data))


def clear_faults(fixture: "Fixture", number: int | None = None) -> None:
    fixture.faults.clear(number)


def faults(fixture: "Fixture") -> list[dict[str, Any]]:
    return fixture.faults.state()


def rate_limits(fixture: "Fixture", quotas: dict[str, list[int]]) -> None:
    fixture.limits.set({bucket: Quota(*numbers) for bucket, numbers in quotas.items()})


def throttle(fixture: "Fixture", rate: int, origin: str = "cdn", shared: bool = False) -> None:
    fixture.set_throttle(origin, rate, shared)


async def listen(fixture: "Fixture", on: bool, origin: str | None = None) -> None:
    """Start or stop listening; stopped means connection refused."""
    for each in fixture.origins:
        if origin in (None, each.name):
            await (each.open() if on else each.close())


def counters(fixture: "Fixture") -> dict[str, Any]:
    return dataclasses.asdict(fixture.journal.counters())


def log(fixture: "Fixture", after: int = 0) -> list[dict[str, Any]]:
    return fixture.journal.log(after)


def reset(fixture: "Fixture") -> None:
    fixture.journal.reset()


def ping(fixture: "Fixture") -> str:
    return "pong"


_OPERATIONS: dict[str, Operation] = {
    operation.__name__: operation
    for operation in (
        declare, load, add_users, revoke_token, delete_repo, rename_repo, update_repo, add_commit,
        add_ref, set_ref, delete_ref, sha, manifest, settings, default_settings, expire_urls,
        fault, clear_faults, faults, rate_limits, throttle, listen, counters, log, reset, ping,
    )
}  # fmt: skip
