"""Everything under `/api` that is not about one repository (hub-protocol.md §2.3)."""

import base64
import json
from typing import Any

import yaml

from . import errors, expand, payloads, search
from .paging import paged
from .people import avatar_url
from .repos import Repo
from .wire import Answer, Ask, json_answer, text_answer
from .world import World

LIST_LIMIT = 1000
LICENSES = "license:"


def repositories(world: World, ask: Ask, repo_type: str) -> Answer:
    """`/api/models` and friends: filters, sort, limit, Link paging."""
    user, words = world.user_of(ask), expand.wanted(ask, repo_type)
    seen = [repo for repo in world.repos(repo_type) if world.may_see(repo, user)]
    infos = {repo.id: payloads.info(world, repo, repo.head) for repo in seen}
    found = [data for data in infos.values() if search.matches(data, repo_type, ask)]
    page, headers = paged(world, ask, search.ordered(found, ask), LIST_LIMIT)
    by_id = {repo.id: repo for repo in seen}
    return json_answer([_shown(world, by_id[d["id"]], d, words, ask) for d in page], headers)


def _shown(
    world: World, repo: Repo, data: dict[str, Any], words: list[str], ask: Ask
) -> dict[str, Any]:
    if words:
        return _as_listed(expand.shown(world, repo, data, words))
    names = payloads.LIST_FIELDS[repo.type].split()
    if ask.flag("full"):
        names += payloads.FULL_LIST_FIELDS.split()
    names += [name for name in ("config", "cardData") if ask.flag(name)]
    return {name: data[name] for name in dict.fromkeys(names) if name in data}


def _as_listed(data: dict[str, Any]) -> dict[str, Any]:
    """The providers are an object in an info and an array in a list (hf_api.ModelInfo)."""
    mapping = data.get("inferenceProviderMapping")
    if isinstance(mapping, dict):
        listed = [{"provider": name, **about} for name, about in mapping.items()]
        return {**data, "inferenceProviderMapping": listed}
    return data


def semantic_search(world: World, ask: Ask) -> Answer:
    """`/api/spaces/semantic-search` (hf_api.search_spaces): by any of the words, no pages."""
    user, words = world.user_of(ask), ask.value("q").lower().split()
    if not words:
        raise errors.bad_request('"q" is required')
    seen = [repo for repo in world.repos("space") if world.may_see(repo, user)]
    infos = [payloads.info(world, repo, repo.head) for repo in seen]
    kept = [data for data in infos if set(ask.values("filter")) <= set(data["tags"])]
    kept = [data for data in kept if data["sdk"] in (ask.values("sdk") or [data["sdk"]])]
    scored = [(_score(data, words), data) for data in kept]
    found = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return json_answer([_space_found(data, score) for score, data in found])


def _score(data: dict[str, Any], words: list[str]) -> float:
    text = f"{data['id']} {data['cardData'].get('title', '')}".lower()
    return sum(word in text for word in words) / len(words)


def _space_found(data: dict[str, Any], score: float) -> dict[str, Any]:
    names = ("id", "author", "sdk", "likes", "private", "tags", "runtime", "trendingScore")
    title = data["cardData"].get("title", data["id"])
    about = {"title": title, "emoji": None, "semanticRelevancyScore": score}
    return {**{name: data[name] for name in names if name in data}, **about}


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
            for tag in payloads.tags_of(repo, payloads.card_data(repo.head), repo.head):
                kind = _kind_of_tag(repo, tag)
                groups[kind][tag] = {"id": tag, "label": tag.partition(":")[2] or tag, "type": kind}
    wanted = ask.values("type") or list(groups)
    return json_answer(
        {kind: list(tags.values()) for kind, tags in groups.items() if kind in wanted}
    )


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
        "avatarUrl": avatar_url(world, user.name),
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
