"""Ways to find something: tasks, quick search, trending."""

from typing import Any

from . import errors, gatherings, papers, payloads, people
from .repos import Repo
from .wire import Answer, Ask, json_answer
from .world import World

MOST = 20
TYPES = ("model", "dataset", "space")
TASKS = {
    "text-generation": ("Text Generation", "openai-community/gpt2"),
    "fill-mask": ("Fill-Mask", "org/bert"),
    "feature-extraction": ("Feature Extraction", "org/st"),
}


def tasks(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/tasks`: `widgetModels` is what InferenceClient reads (inference/_providers)."""
    if len(rest) > 1 or (rest and rest[0] not in TASKS):
        raise errors.HubError(404, "Task not found")
    found = {name: _task(world, name, *about) for name, about in TASKS.items()}
    return json_answer(found[rest[0]] if rest else found)


def _task(world: World, name: str, label: str, model: str) -> dict[str, Any]:
    return {
        "id": name,
        "label": label,
        "summary": f"{label}: {world.hub_url}/tasks/{name}",
        "models": [{"id": model, "description": "A small model."}],
        "datasets": [],
        "spaces": [],
        "metrics": [],
        "libraries": ["transformers"],
        "widgetModels": [model],
        "demo": {"inputs": [], "outputs": []},
        "isPlaceholder": False,
    }


def _seen(world: World, ask: Ask, kind: str) -> list[Repo]:
    user = world.user_of(ask)
    return [repo for repo in world.repos(kind) if world.may_see(repo, user)]


def quicksearch(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`q`, any number of `type`, `limit` for each of them."""
    if rest:
        raise errors.page_not_found()
    words, limit = ask.value("q").lower(), ask.number("limit", 5) or 5
    everything = {
        "models": lambda: _repos(world, ask, "model", words),
        "datasets": lambda: _repos(world, ask, "dataset", words),
        "spaces": lambda: _repos(world, ask, "space", words),
        "orgs": lambda: [o for o in map(_org(world), people.organizations(world))
                         if words in o["name"].lower()],
        "users": lambda: [people.card(world, u) for u in people.users(world)
                          if words in u.name.lower()],
        "papers": lambda: [papers.item(world, p.id) for p in papers.PAPERS
                           if words in p.title.lower()],
        "collections": lambda: [
            {"id": c.slug, "title": c.title, "owner": c.owner} for c in gatherings.COLLECTIONS
            if not c.private and words in c.title.lower()],
    }  # fmt: skip
    wanted = {f"{kind}s" for kind in ask.values("type")} or set(everything)
    data: dict[str, Any] = {"q": ask.value("q")}
    for name in [name for name in everything if name in wanted]:
        found = everything[name]()
        data |= {name: found[:limit], f"{name}Count": len(found)}
    return json_answer(data)


def _org(world: World) -> Any:
    return lambda name: people.org_card(world, name)


def _repos(world: World, ask: Ask, kind: str, words: str) -> list[dict[str, Any]]:
    return [
        {"_id": repo.object_id, "id": repo.id, "trendingWeight": repo.trending}
        for repo in _seen(world, ask, kind)
        if words in repo.id.lower()
    ]


def trending(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`type` (or all) and `limit`; the repository's data inside, its type beside."""
    kind = ask.value("type", "all")
    if rest or kind not in ("all", *TYPES):
        raise errors.bad_request("Invalid type")
    kinds = TYPES if kind == "all" else (kind,)
    repos = [repo for each in kinds for repo in _seen(world, ask, each)]
    repos.sort(key=lambda repo: (-repo.trending, repo.id))
    limit = min(ask.number("limit", 10) or 10, MOST)
    found = [{"repoData": _data(world, r), "repoType": r.type} for r in repos[:limit]]
    return json_answer({"recentlyTrending": found})


def _data(world: World, repo: Repo) -> dict[str, Any]:
    data = payloads.info(world, repo, repo.head)
    shown = {name: data[name] for name in payloads.CARD_FIELDS if name in data}
    avatar = people.author(world, repo.author) if repo.author else None
    return {**shown, "authorData": avatar, "repoType": repo.type, "isLikedByUser": False}
