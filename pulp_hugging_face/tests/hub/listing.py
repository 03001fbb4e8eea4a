"""Everything under `/api` that is not about one repository (hub-protocol.md §2.3)."""

import base64
import json
from typing import Any
from urllib.parse import quote

import yaml

from . import errors, payloads
from .repos import Repo
from .wire import Answer, Ask, json_answer, text_answer
from .world import World

SORT_KEYS = {
    "downloads": "downloads",
    "likes": "likes",
    "likes7d": "likes",
    "trendingScore": "trendingScore",
    "trending_score": "trendingScore",
    "lastModified": "lastModified",
    "last_modified": "lastModified",
    "createdAt": "createdAt",
    "created_at": "createdAt",
}
LIST_LIMIT = 1000
LICENSES = "license:"


def repositories(world: World, ask: Ask, repo_type: str) -> Answer:
    """`/api/models` and friends: filters, sort, limit, Link paging."""
    user = world.user_of(ask)
    seen = [repo for repo in world.repos(repo_type) if world.may_see(repo, user)]
    found = [data for repo in seen if _matches(data := payloads.info(world, repo, repo.head), ask)]
    if key := SORT_KEYS.get(ask.value("sort")):
        found.sort(key=lambda data: data[key], reverse=ask.value("direction", "-1") == "-1")
    limit = min(ask.number("limit", LIST_LIMIT) or LIST_LIMIT, LIST_LIMIT)
    start = _offset(ask.value("cursor"))
    headers = {}
    if start + limit < len(found):
        headers["Link"] = f'<{_next_url(world, ask, start + limit)}>; rel="next"'
    page = found[start : start + limit]
    return json_answer([_shown(data, repo_type, ask) for data in page], headers)


def _matches(data: dict[str, Any], ask: Ask) -> bool:
    author, gated = ask.value("author"), ask.value("gated").lower()
    wanted = [word for value in ask.values("filter") for word in value.split(",")]
    wanted += ask.values("pipeline_tag")
    return (
        ask.value("search").lower() in data["id"].lower()
        and author in ("", data.get("author"))
        and gated in ("", "true" if data["gated"] else "false")
        and set(wanted) <= set(data["tags"])
    )


def _shown(data: dict[str, Any], repo_type: str, ask: Ask) -> dict[str, Any]:
    if wanted := ask.values("expand"):
        return payloads.only(data, wanted)
    names = payloads.LIST_FIELDS[repo_type].split()
    if ask.flag("full"):
        names += payloads.FULL_LIST_FIELDS.split()
    names += [name for name in ("config", "cardData") if ask.flag(name)]
    return {name: data[name] for name in dict.fromkeys(names) if name in data}


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor))
    except ValueError as error:
        raise errors.bad_request("Invalid cursor") from error


def _next_url(world: World, ask: Ask, offset: int) -> str:
    kept = [pair for pair in ask.raw_query.split("&") if pair and not pair.startswith("cursor=")]
    cursor = quote(base64.b64encode(str(offset).encode()).decode(), safe="")
    return f"{world.hub_url}{ask.raw_path}?{'&'.join([*kept, f'cursor={cursor}'])}"


def tags_by_type(world: World, ask: Ask, repo_type: str) -> Answer:
    """Nested by kind of tag, as `get_model_tags` reads it."""
    groups: dict[str, dict[str, dict[str, str]]] = {
        "library": {},
        "pipeline_tag": {},
        "license": {},
        "other": {},
    }
    for repo in world.repos(repo_type):
        if world.may_see(repo, None):
            for tag in payloads.tags_of(repo, payloads.card_data(repo.head)):
                kind = _kind_of_tag(repo, tag)
                groups[kind][tag] = {"id": tag, "label": tag.partition(":")[2] or tag, "type": kind}
    return json_answer({kind: list(tags.values()) for kind, tags in groups.items()})


def _kind_of_tag(repo: Repo, tag: str) -> str:
    card = payloads.card_data(repo.head)
    if tag.startswith(LICENSES):
        return "license"
    named = {card.get("library_name"): "library", card.get("pipeline_tag"): "pipeline_tag"}
    return named.get(tag, "other")


def whoami(world: World, ask: Ask) -> Answer:
    user = world.user_of(ask)
    if user is None:
        raise errors.not_authenticated()
    token = {"displayName": f"{user.name}-token", "role": "read", "createdAt": payloads_date()}
    data = {
        "type": "user",
        "id": base64.b16encode(user.name.encode()).decode().lower().ljust(24, "0")[:24],
        "name": user.name,
        "fullname": user.fullname or user.name,
        "email": f"{user.name}@example.org",
        "emailVerified": True,
        "canPay": False,
        "isPro": False,
        "avatarUrl": f"/avatars/{user.name}.svg",
        "orgs": [{"type": "org", "name": org, "fullname": org} for org in user.orgs],
        "auth": {"type": "access_token", "accessToken": token},
    }
    return json_answer(data)


def payloads_date() -> str:
    return "2024-01-01T00:00:00.000Z"


def agent_harnesses(world: World, ask: Ask) -> Answer:
    return json_answer({"standardEnvVars": [], "harnesses": {}})


def telemetry(world: World, ask: Ask) -> Answer:
    return text_answer("")


def validate_yaml(world: World, ask: Ask) -> Answer:
    """200 with lists, 400 with `errors[].message` (§2.3)."""
    try:
        text = json.loads(ask.body)["content"]
        if text.startswith("---\n"):
            yaml.safe_load(text[4:].partition("\n---")[0])
    except (ValueError, KeyError, yaml.YAMLError) as error:
        problem = {"errors": [{"message": str(error)}], "warnings": []}
        return json_answer(problem, status=400)
    return json_answer({"errors": [], "warnings": []})
