"""Collections: lists show four items of each at most, one collection shows all of them."""

from dataclasses import dataclass
from typing import Any

from . import errors, papers, payloads, people
from .declare import UserSpec
from .paging import paged
from .wire import Answer, Ask, json_answer
from .world import World

PAGE = 10
SHOWN = 4
UPDATED = "2024-02-01T00:00:00.000Z"


@dataclass(frozen=True)
class CollectionSpec:
    """`items` are `models/org/repo`, `datasets/…`, `spaces/…` or `papers/…`, as in `item=`."""

    title: str
    owner: str
    items: tuple[str, ...]
    private: bool = False
    upvotes: int = 0

    @property
    def slug(self) -> str:
        words = self.title.lower().replace(" ", "-")
        return f"{self.owner}/{words}-{people.object_id('collection', self.owner, words)}"


COLLECTIONS = (
    CollectionSpec(
        "Fixture models",
        "org",
        ("models/org/repo", "models/org/bert", "models/org/sharded", "datasets/org/tables",
         "spaces/org/space", "papers/2401.00001", "models/org/priv"),
        upvotes=12,
    ),
    CollectionSpec("Small things", "microsoft", ("models/microsoft/DialoGPT-medium",), upvotes=3),
    CollectionSpec("Kept to myself", "owner", ("models/org/priv",), private=True),
)  # fmt: skip


def route(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/collections` and `/api/collections/{owner}/{title}-{id}`."""
    user = world.user_of(ask)
    seen = [each for each in COLLECTIONS if not each.private or _owns(each, user)]
    if not rest:
        return _list(world, ask, seen)
    slug = "/".join(rest)
    found = next((each for each in seen if each.slug == slug), None)
    if found is None:
        raise errors.HubError(404, "Collection not found")
    same = [each for each in seen if each.owner == found.owner]
    return json_answer({**_shape(world, ask, found), "position": same.index(found)})


def _owns(spec: CollectionSpec, user: UserSpec | None) -> bool:
    return user is not None and spec.owner in (user.name, *user.orgs)


def _list(world: World, ask: Ask, seen: list[CollectionSpec]) -> Answer:
    """`owner`, `item`, `q`, `sort` and `limit` of `list_collections`."""
    owners, items, words = ask.values("owner"), ask.values("item"), ask.value("q").lower()
    found = [
        spec
        for spec in seen
        if (not owners or spec.owner in owners)
        and (not items or set(items) & set(spec.items))
        and words in spec.title.lower()
    ]
    if ask.value("sort") == "upvotes":
        found.sort(key=lambda spec: -spec.upvotes)
    page, headers = paged(world, ask, found, PAGE)
    return json_answer([_shape(world, ask, spec, SHOWN) for spec in page], headers)


def _shape(world: World, ask: Ask, spec: CollectionSpec, most: int | None = None) -> dict[str, Any]:
    items = [_item(world, ask, name, n) for n, name in enumerate(spec.items)]
    return {
        "slug": spec.slug,
        "title": spec.title,
        "description": f"More at {world.hub_url}/{spec.owner}",
        "gating": False,
        "lastUpdated": UPDATED,
        "owner": people.author(world, spec.owner),
        "items": [item for item in items if item is not None][:most],
        "theme": "green",
        "private": spec.private,
        "upvotes": spec.upvotes,
        "isUpvotedByUser": False,
        "shareUrl": f"{world.hub_url}/collections/{spec.slug}",
    }


def _item(world: World, ask: Ask, name: str, position: int) -> dict[str, Any] | None:
    """None for what the caller may not see."""
    kind, _, item_id = name.partition("/")
    base = {"_id": people.object_id("item", name), "position": position, "type": kind[:-1]}
    url = f"{world.hub_url}/{'' if kind == 'models' else f'{kind}/'}{item_id}"
    note = {"html": f'<p>See <a href="{url}">{url}</a></p>', "text": f"See {url}"}
    if kind == "papers":
        return {**base, **papers.item(world, item_id), "note": note}
    repo = world.find(kind[:-1], item_id)
    if repo is None or not world.may_see(repo, world.user_of(ask)):
        return None
    data = payloads.info(world, repo, repo.head)
    shown = {key: data[key] for key in payloads.CARD_FIELDS if key in data}
    return {**base, **shown, "repoType": repo.type, "isLikedByUser": False, "note": note}
