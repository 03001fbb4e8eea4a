"""Routes that answer for the owner of the token and for nobody else.

Everything here names its owner: a server that asks with a token of its own must not show it to
those who have another or none.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from . import errors, people
from .declare import UserSpec
from .repos import Repo
from .wire import Answer, Ask, json_answer
from .world import SIGNING_KEY, World

THEN = "2024-03-01T00:00:00.000Z"
JWT_LIFE = 3600
HARDWARE = (
    ("cpu-basic", "CPU Basic", "2 vCPU", "16 GB"),
    ("cpu-upgrade", "CPU Upgrade", "8 vCPU", "32 GB"),
)


def caller(world: World, ask: Ask) -> UserSpec:
    user = world.user_of(ask)
    if user is None:
        raise errors.not_authenticated()
    return user


def jwt(world: World, ask: Ask, repo: Repo) -> Answer:
    """A signed token that opens the repository for an hour, made out to the caller."""
    user = caller(world, ask)
    world.check_content(repo, ask)
    claims = {
        "sub": f"{repo.type}s/{repo.id}",
        "iss": world.hub_url,
        "permissions": {"repo.content.read": True},
        "onBehalfOf": {"kind": "user", "_id": people.object_id("user", user.name),
                       "user": user.name},
        "exp": int(time.time()) + JWT_LIFE,
    }  # fmt: skip
    return json_answer({"token": signed(claims)})


def signed(claims: dict[str, Any]) -> str:
    head = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    text = f"{head}.{_base64url(json.dumps(claims).encode())}"
    return f"{text}.{_base64url(hmac.new(SIGNING_KEY, text.encode(), hashlib.sha256).digest())}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def settings(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/settings/webhooks[/{id}]`, `…/billing/usage`, `…/repositories`."""
    user = caller(world, ask)
    if rest[:1] == ["webhooks"] and len(rest) <= 2:
        return _webhooks(user, rest[1:])
    if rest[:2] in (["billing", "usage"], ["billing", "usage-v2"]) and len(rest) == 2:
        return json_answer(_usage(user))
    if rest == ["repositories"]:
        return json_answer(_storage(world, user))
    raise errors.page_not_found()


def _webhooks(user: UserSpec, rest: list[str]) -> Answer:
    hook = {
        "id": people.object_id("webhook", user.name),
        "watched": [{"type": "user", "name": user.name}],
        "url": f"https://hooks.example.org/{user.name}",
        "secret": f"secret-of-{user.name}",
        "domains": ["repo", "discussion"],
        "disabled": False,
    }
    if not rest:
        return json_answer([hook])
    if rest[0] != hook["id"]:
        raise errors.HubError(404, "Webhook not found")
    return json_answer({"webhook": hook, "recentLogs": []})


def _usage(user: UserSpec) -> dict[str, Any]:
    line = {
        "entityId": people.object_id("user", user.name),
        "label": f"{user.name}/trainer",
        "product": "spaces",
        "quantity": 3,
        "totalCostMicroUSD": 1_500_000,
        "startedAt": THEN,
        "active": False,
    }
    period = {"periodStart": THEN, "periodEnd": "2024-04-01T00:00:00.000Z"}
    return {"usage": {"Spaces": [line]}, "period": {**period, "entity": user.name}}


def _storage(world: World, user: UserSpec) -> list[dict[str, Any]]:
    """`list_user_repos`: also the private ones."""
    repos = [r for kind in ("model", "dataset", "space") for r in world.repos(kind)]
    return [
        {
            "id": repo.id,
            "type": repo.type,
            "updatedAt": THEN,
            "visibility": "private" if repo.private else "public",
            "storage": 0,
            "storagePercent": 0,
        }
        for repo in repos
        if world.may_write(repo, user)
    ]


def notifications(world: World, ask: Ask, rest: list[str]) -> Answer:
    user = caller(world, ask)
    if rest:
        raise errors.page_not_found()
    item = {
        "type": "repo",
        "read": False,
        "updatedAt": THEN,
        "participating": [people.card(world, user)],
        "discussion": {
            "id": people.object_id("notification", user.name),
            "num": 1,
            "title": f"For the eyes of {user.name}",
            "status": "open",
            "isPullRequest": False,
            "participating": [],
        },
        "repo": {"name": "org/priv", "type": "model"},
    }
    counts = {"view": 1, "unread": 1, "all": 1}
    return json_answer({"notifications": [item], "count": counts, "start": 0})


def jobs(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/jobs/hardware` for all, `/api/jobs/{namespace}[/{id}]` for its members."""
    if rest == ["hardware"]:
        return json_answer([_hardware(*line) for line in HARDWARE])
    if not 1 <= len(rest) <= 2:
        raise errors.page_not_found()
    user = caller(world, ask)
    if rest[0] not in (user.name, *user.orgs):
        raise errors.forbidden(f"You don't have access to the jobs of {rest[0]}")
    job = _job(world, rest[0], user)
    if len(rest) == 1:
        return json_answer([job])
    if rest[1] != job["id"]:
        raise errors.HubError(404, "Job not found")
    return json_answer(job)


def _job(world: World, namespace: str, user: UserSpec) -> dict[str, Any]:
    kind = "user" if namespace == user.name else "org"
    owner = {"id": people.object_id(kind, namespace), "name": namespace, "type": kind}
    return {
        "id": people.object_id("job", namespace),
        "createdAt": THEN,
        "startedAt": THEN,
        "finishedAt": None,
        "dockerImage": "python:3.12",
        "command": ["python", "train.py"],
        "arguments": [],
        "environment": {"OWNER": user.name},
        "secrets": {},
        "flavor": "cpu-basic",
        "labels": {},
        "status": {"stage": "RUNNING", "message": None},
        "owner": owner,
        "createdBy": {"id": people.object_id("user", user.name), "name": user.name},
    }


def _hardware(name: str, pretty: str, cpu: str, ram: str) -> dict[str, Any]:
    return {
        "name": name,
        "prettyName": pretty,
        "cpu": cpu,
        "ram": ram,
        "accelerator": None,
        "unitCostMicroUSD": 167,
        "unitCostUSD": 0.000167,
        "unitLabel": "minute",
    }
