"""Papers: search, one paper, its page as markdown, and the daily list."""

from dataclasses import dataclass
from typing import Any

from . import errors, people
from .wire import Answer, Ask, json_answer, text_answer
from .world import World

DAILY = 50


@dataclass(frozen=True)
class PaperSpec:
    id: str
    title: str
    summary: str
    day: str
    upvotes: int
    models: tuple[str, ...] = ()

    @property
    def published(self) -> str:
        return f"{self.day}T00:00:00.000Z"


PAPERS = (
    PaperSpec("2401.00001", "Attention to Caches", "Caching is all you need.", "2024-01-03", 21,
              ("org/repo",)),
    PaperSpec("2401.00002", "Mirrors at Scale", "On mirrors and attention.", "2024-01-04", 8),
    PaperSpec("2402.00003", "Streams of Parquet", "Columns, read lazily.", "2024-02-05", 34),
)  # fmt: skip


def route(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`/api/papers`, `/api/papers/search?q=&limit=` and `/api/papers/{id}`."""
    if not rest:
        return json_answer([_entry(world, paper) for paper in PAPERS])
    if rest == ["search"]:
        words = ask.value("q").lower()
        found = [p for p in PAPERS if words in f"{p.title} {p.summary}".lower()]
        limit = ask.number("limit", DAILY) or DAILY
        return json_answer([_entry(world, paper) for paper in found[:limit]])
    if len(rest) == 1:
        paper = _known(rest[0])
        return json_answer({**_paper(world, paper), **_links(world, ask, paper)})
    raise errors.page_not_found()


def _known(paper_id: str) -> PaperSpec:
    found = next((paper for paper in PAPERS if paper.id == paper_id), None)
    if found is None:
        raise errors.HubError(404, "Paper not found")
    return found


def daily(world: World, ask: Ask, rest: list[str]) -> Answer:
    """`date`, `week`, `month`, `submitter`, `sort`, `p`, `limit` of `list_daily_papers`."""
    if rest:
        raise errors.page_not_found()
    day, month = ask.value("date"), ask.value("month")
    found = [p for p in PAPERS if day in ("", p.day) and p.day.startswith(month)]
    if ask.value("submitter") not in ("", "nobody"):
        found = []
    trending = ask.value("sort") == "trending"
    found.sort(key=lambda p: p.upvotes if trending else p.day, reverse=True)
    limit = ask.number("limit", DAILY) or DAILY
    start = ask.number("p", 0) * limit
    return json_answer([_entry(world, paper) for paper in found[start : start + limit]])


def page(world: World, ask: Ask, paper_id: str) -> Answer:
    """`/papers/{id}.md`, outside /api (hf_api.read_paper)."""
    paper = _known(paper_id)
    text = f"# {paper.title}\n\n{paper.summary}\n\n{world.hub_url}/papers/{paper.id}\n"
    return text_answer(text, {"Content-Type": "text/markdown; charset=utf-8"})


def _paper(world: World, paper: PaperSpec) -> dict[str, Any]:
    return {
        "id": paper.id,
        "authors": [
            {"_id": people.object_id("author", paper.id), "name": "A. Writer", "hidden": False}
        ],
        "publishedAt": paper.published,
        "submittedOnDailyAt": paper.published,
        "title": paper.title,
        "submittedOnDailyBy": people.author(world, "nobody"),
        "summary": paper.summary,
        "upvotes": paper.upvotes,
        "discussionId": people.object_id("discussion", paper.id),
        "projectPage": f"{world.hub_url}/papers/{paper.id}",
        "ai_summary": paper.summary,
        "ai_keywords": ["caching"],
    }


def _entry(world: World, paper: PaperSpec) -> dict[str, Any]:
    """One of a list: the paper inside, what the Hub adds around it."""
    return {
        "paper": _paper(world, paper),
        "publishedAt": paper.published,
        "title": paper.title,
        "summary": paper.summary,
        "thumbnail": thumbnail(world, paper.id),
        "numComments": 1,
        "submittedBy": people.author(world, "nobody"),
        "isAuthorParticipating": False,
    }


def thumbnail(world: World, paper_id: str) -> str:
    return f"{world.cdn_url}/v1/production/uploads/avatars/thumbnail-{paper_id}.svg"


def item(world: World, paper_id: str) -> dict[str, Any]:
    """A paper as an item of a collection."""
    paper = _known(paper_id)
    return {
        "id": paper.id,
        "title": paper.title,
        "upvotes": paper.upvotes,
        "publishedAt": paper.published,
        "thumbnailUrl": thumbnail(world, paper.id),
        "isUpvotedByUser": False,
    }


def _links(world: World, ask: Ask, paper: PaperSpec) -> dict[str, Any]:
    """Models that name the paper, as far as the caller may see them."""
    user = world.user_of(ask)
    repos = [world.find("model", name) for name in paper.models]
    seen = [repo for repo in repos if repo is not None and world.may_see(repo, user)]
    models = [{"id": repo.id, "likes": repo.likes, "downloads": repo.downloads} for repo in seen]
    return {
        "linkedModels": models,
        "numTotalModels": len(models),
        "linkedDatasets": [],
        "numTotalDatasets": 0,
        "linkedSpaces": [],
        "numTotalSpaces": 0,
    }
