"""The history of a revision (hub-protocol §2.3)."""

from aiohttp import web

from pulp_hugging_face.hub.errors import RevisionNotFound
from pulp_hugging_face.hub.payloads import commit_item
from pulp_hugging_face.hub.routes import Commits
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.views import Caller, View

from .replies import json_reply, passed

# What asks for another page than the first.
_FURTHER = {"p", "cursor"}


async def commits(
    store: Store, view: View, caller: Caller, request: web.Request, route: Commits
) -> web.Response:
    """
    Answer with a page of commits, newest first.

    The history of a commit never changes, so that the upstream is asked once for each page. Without
    an upstream, or when it lost the commit (force-push), the commit itself is all that is known.
    """
    resolution = await store.resolve(view, caller, route.repo, route.revision)
    sha = resolution.commit.sha
    query = request.rel_url.raw_query_string
    suffix = f"commits/{sha}?{query}" if query else f"commits/{sha}"
    lost = False
    try:
        answered = await store.questions.about_commit(view, caller, resolution, suffix, ttl=None)
    except RevisionNotFound:
        if not _FURTHER.isdisjoint(request.query):
            raise
        answered, lost = None, True
    if answered is None:
        told = await store.told(resolution)
        item = commit_item(sha, told.title, told.author, told.date)
        return json_reply([item], {"X-Total-Count": "1"}, stale=lost or resolution.stale)
    return await passed(request, view, answered, stale=resolution.stale)
