"""Discussions and pull requests of a repository (huggingface_hub `community`).

Every `refs/pr/N` is a pull request; beside them stand the discussions that were declared.
"""

from typing import Any

from . import errors, payloads, people
from .derived import difference
from .paging import paged
from .repos import Repo
from .wire import Answer, Ask, json_answer
from .world import World

PAGE = 10  # the Hub shows more; few suffice to page
OPENED = "2024-01-02T00:00:00.000Z"
PULLS = "refs/pr/"


def route(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    if not rest:
        return _list(world, ask, repo)
    if len(rest) == 1 and rest[0].isdigit():
        return _one(world, ask, repo, int(rest[0]))
    raise errors.page_not_found()


def _all(world: World, repo: Repo) -> list[dict[str, Any]]:
    """Newest, that is highest number, first."""
    pulls = {int(ref.removeprefix(PULLS)): sha for ref, sha in repo.refs.items() if PULLS in ref}
    found = [_item(world, repo, n, repo.commits[sha].title, True) for n, sha in pulls.items()]
    first = max(pulls, default=0) + 1
    found += [_item(world, repo, n, t, False) for n, t in enumerate(repo.discussions, first)]
    return sorted(found, key=lambda item: -item["num"])


def _item(world: World, repo: Repo, number: int, title: str, pull: bool) -> dict[str, Any]:
    return {
        "num": number,
        "author": people.author(world, "nobody"),
        "repo": {"name": repo.id, "type": repo.type},
        "title": title,
        "status": "open",
        "createdAt": OPENED,
        "isPullRequest": pull,
        "numComments": 1,
        "numReactionUsers": 0,
        "topReactions": [],
        "pinned": False,
    }


def _list(world: World, ask: Ask, repo: Repo) -> Answer:
    """`p`, `type`, `status`, `author` as `get_repo_discussions` sends them."""
    kind, status, author = ask.value("type", "all"), ask.value("status", "all"), ask.value("author")
    found = [
        item
        for item in _all(world, repo)
        if kind in ("all", "pull_request" if item["isPullRequest"] else "discussion")
        and status in ("all", item["status"])
        and author in ("", item["author"]["name"])
    ]
    start = ask.number("p", 0) * PAGE
    page = found[start : start + PAGE]
    counts = {"count": len(found), "start": start, "numClosedDiscussions": 0}
    return json_answer({"discussions": page, **counts})


def _one(world: World, ask: Ask, repo: Repo, number: int) -> Answer:
    item = next((item for item in _all(world, repo) if item["num"] == number), None)
    if item is None:
        raise errors.HubError(404, "Discussion not found")
    url = f"{world.hub_url}{repo.web_path}/discussions/{number}"
    events = [_comment(world, f"Please see {url}", url)]
    data = {**item, "events": events, "filesWithConflicts": [], "collection": None}
    if item["isPullRequest"]:
        commit = repo.commits[repo.refs[f"{PULLS}{number}"]]
        events.append(_event(world, "commit", {"subject": commit.title, "oid": commit.sha}))
        data["changes"] = {"base": "refs/heads/main", "mergeCommitId": None}
        data["diffUrl"] = f"{world.hub_url}{repo.web_path}/discussions/{number}/files.diff"
        if ask.flag("diff"):
            world.check_content(repo, ask)
            parent = repo.commits[commit.parents[0]] if commit.parents else None
            data["diff"] = difference(parent, commit)
    return json_answer(data)


def _comment(world: World, text: str, url: str) -> dict[str, Any]:
    html = text.replace(url, f'<a href="{url}">{url}</a>')
    writer = people.author(world, "nobody")
    latest = {"raw": text, "html": f"<p>{html}</p>", "updatedAt": OPENED, "author": writer}
    data = {"edited": False, "hidden": False, "history": [latest], "latest": latest}
    return _event(world, "comment", {**data, "numEdits": 0, "reactions": []})


def _event(world: World, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": people.object_id("event", kind, *sorted(map(str, data.values()))),
        "type": kind,
        "author": people.author(world, "nobody"),
        "createdAt": OPENED,
        "data": data,
    }


def scan(world: World, ask: Ask, repo: Repo) -> Answer:
    """`/scan`: the same object as `securityRepoStatus` of the info."""
    data = payloads.info(world, repo, repo.head, security=True)
    return json_answer(data["securityRepoStatus"])


def access_requests(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """Who asked for a gated repository: for its owners' eyes only."""
    world.check_writer(repo, ask)
    if not repo.gated:
        raise errors.bad_request("The repository is not gated")
    user = people.users(world)[0]
    found = {
        "user": {**people.card(world, user), "email": f"{user.name}@example.org"},
        "status": rest[0],
        "timestamp": OPENED,
    }
    page, headers = paged(world, ask, [found], PAGE)
    return json_answer(page, headers)
