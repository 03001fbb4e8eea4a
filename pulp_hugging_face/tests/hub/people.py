"""Users and organisations: overviews, members, likers, avatars on the storage origin.

An organisation is whatever a user belongs to or a repository is named after; who likes a
repository is a function of names, so that every process says the same.
"""

import hashlib
from typing import Any

from . import errors
from .declare import UserSpec
from .paging import paged
from .repos import Repo
from .wire import Answer, Ask, json_answer, text_answer
from .world import World

PAGE = 100
JOINED = "2023-01-01T00:00:00.000Z"
REPO_COUNTS = {"model": "numModels", "dataset": "numDatasets", "space": "numSpaces"}


def object_id(*words: str) -> str:
    """A database id, 24 hex, always the same for the same words."""
    return hashlib.sha1("/".join(words).encode()).hexdigest()[:24]


def avatar_url(world: World, name: str) -> str:
    return f"{world.cdn_url}/v1/production/uploads/avatars/{name}.svg"


def avatar(world: World, ask: Ask) -> Answer:
    """The storage origin hands out avatars to everybody, without a signature."""
    name = ask.path.rpartition("/")[2].removesuffix(".svg")
    text = f'<svg xmlns="http://www.w3.org/2000/svg"><title>{name}</title></svg>'
    return text_answer(text, {"Content-Type": "image/svg+xml"})


def users(world: World) -> list[UserSpec]:
    return sorted(world.users.values(), key=lambda user: user.name)


def organizations(world: World) -> list[str]:
    """All of them, by name; a user's own namespace is none."""
    authors = {repo.author for kind in ("model", "dataset", "space") for repo in world.repos(kind)}
    named = {org for user in users(world) for org in user.orgs} | {a for a in authors if a}
    return sorted(named - {user.name for user in users(world)})


def card(world: World, user: UserSpec) -> dict[str, Any]:
    """A user as others see one, in lists."""
    return {
        "_id": object_id("user", user.name),
        "avatarUrl": avatar_url(world, user.name),
        "fullname": user.fullname or user.name,
        "isPro": False,
        "type": "user",
        "user": user.name,
    }


def org_card(world: World, name: str) -> dict[str, Any]:
    return {
        "_id": object_id("org", name),
        "avatarUrl": avatar_url(world, name),
        "fullname": name,
        "name": name,
        "type": "org",
        "isEnterprise": False,
    }


def author(world: World, name: str) -> dict[str, Any]:
    """Who opened a discussion or owns a collection: a name with `name`, user or not."""
    known = next((user for user in users(world) if user.name == name), None)
    if known is None:
        return org_card(world, name)
    return {**card(world, known), "name": name}


def user_route(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/users/{name}/overview|likes|followers|following`."""
    if len(rest) != 2:
        raise errors.page_not_found()
    user = next((user for user in users(world) if user.name == rest[0]), None)
    if user is None:
        raise errors.HubError(404, "This user does not exist")
    if rest[1] == "overview":
        return json_answer(_overview(world, ask, user))
    if rest[1] == "likes":
        page, headers = paged(world, ask, _likes(world, ask, user), PAGE)
        return json_answer(page, headers)
    if rest[1] in ("followers", "following"):
        return json_answer([card(world, other) for other in users(world) if other != user])
    raise errors.page_not_found()


def _overview(world: World, ask: Ask, user: UserSpec) -> dict[str, Any]:
    return {
        **card(world, user),
        "createdAt": JOINED,
        "details": f"Profile: {world.hub_url}/{user.name}",
        "numUsers": None,
        **_counts(world, ask, user.name),
        "numDiscussions": 0,
        "numPapers": 0,
        "numUpvotes": 0,
        "numLikes": len(_likes(world, ask, user)),
        "numFollowers": len(world.users) - 1,
        "numFollowing": len(world.users) - 1,
        "orgs": [org_card(world, name) for name in user.orgs],
    }


def _counts(world: World, ask: Ask, owner: str) -> dict[str, int]:
    """Repositories of a namespace, as many as the caller may see."""
    caller = world.user_of(ask)
    return {
        name: sum(r.author == owner and world.may_see(r, caller) for r in world.repos(kind))
        for kind, name in REPO_COUNTS.items()
    }


def _likes(world: World, ask: Ask, user: UserSpec) -> list[dict[str, Any]]:
    caller = world.user_of(ask)
    repos = [repo for kind in REPO_COUNTS for repo in world.repos(kind)]
    return [
        {"createdAt": JOINED, "repo": {"name": repo.id, "type": repo.type}}
        for repo in repos
        if repo.likes and world.may_see(repo, caller)
    ]


def organization_route(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/organizations/{name}/overview|members|followers`."""
    if len(rest) != 2 or rest[1] not in ("overview", "members", "followers"):
        raise errors.page_not_found()
    name = rest[0]
    if name not in organizations(world):
        raise errors.HubError(404, "This organization does not exist")
    members = [user for user in users(world) if name in user.orgs]
    if rest[1] == "overview":
        counts = {**_counts(world, ask, name), "numUsers": len(members)}
        details = f"See {world.hub_url}/{name}"
        extra = {"isVerified": False, "numFollowers": 0, "numPapers": 0, "details": details}
        return json_answer({**org_card(world, name), **counts, **extra, "plan": None})
    listed = members if rest[1] == "members" else []
    page, headers = paged(world, ask, [card(world, user) for user in listed], PAGE)
    return json_answer(page, headers)


def likers(world: World, ask: Ask, repo: Repo) -> Answer:
    found = [card(world, user) for user in users(world)] if repo.likes else []
    page, headers = paged(world, ask, found, PAGE)
    return json_answer(page, headers)
