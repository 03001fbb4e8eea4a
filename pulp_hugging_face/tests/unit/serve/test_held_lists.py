"""Lists and histories of endpoints without an upstream: of what the repository holds."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from pulpcore.plugin.models import Domain

from pulp_hugging_face.app.models import Commit, HuggingFaceRepository, Ref
from pulp_hugging_face.store.views import View

from pulp_hugging_face.tests.unit.store.fixtures import Makers  # isort: skip
from .conftest import Client, Serving
from .test_files import P, get

pytestmark = pytest.mark.asyncio

NAMES = ["org/a", "org/b", "other/c"]


def shelf(domain: Domain, makers: Makers) -> View:
    """A distribution of a repository with three models. Blocking."""
    repository = HuggingFaceRepository.objects.create(name=uuid.uuid4().hex, pulp_domain=domain)
    units = []
    for number, name in enumerate(NAMES):
        about: dict[str, Any] = {
            "repo_type": "model", "repo_id": name, "sha": f"{number:040x}",
            "pulp_domain": domain, "_pulp_domain": domain,
        }  # fmt: skip
        link = f"https://huggingface.co/{name}/blob/main/LICENSE"
        info = {"tags": ["x"], "likes": number, "cardData": {"license_link": link}}
        Commit.objects.create(info=info, title=f"Commit {number}", author="me", **about)
        units.append(Ref.objects.create(name="refs/heads/main", **about))
    with repository.new_version() as version:
        version.add_content(Ref.objects.filter(pk__in=[unit.pk for unit in units]))
    return makers.view_of(None, repository=repository.pk)


async def ask(client: Client, target: str) -> tuple[int, Any, Any]:
    status, headers, body = await get(client, f"{P}/api/{target}")
    return status, headers, json.loads(body)


async def test_lists_find_what_is_held(serving: Serving, domain: Domain, makers: Makers) -> None:
    client = await serving(await asyncio.to_thread(shelf, domain, makers))
    for target, found in (
        ("models", NAMES),
        ("models?sort=likes", NAMES[::-1]),
        ("models?author=org", NAMES[:2]),
        ("models?search=C", ["other/c"]),
        ("models?filter=nope", []),
        ("datasets", []),
    ):
        status, _, data = await ask(client, target)
        assert (status, [item["id"] for item in data]) == (200, found), target
    status, headers, _ = await ask(client, "models?sort=nonsense")
    assert (status, headers["X-Error-Code"]) == (400, "BadRequest")


async def test_pages_of_a_list_join(serving: Serving, domain: Domain, makers: Makers) -> None:
    client = await serving(await asyncio.to_thread(shelf, domain, makers))
    _, headers, first = await ask(client, "models?limit=2&cardData=true")
    assert headers["Link"].startswith(
        f"<http://pulp.test:24816{P}/api/models?limit=2&cardData=true"
    )
    target = headers["Link"].partition("/api/")[2].partition(">")[0]
    _, headers, second = await ask(client, target)
    assert [item["id"] for item in first + second] == NAMES and "Link" not in headers
    link = first[0]["cardData"]["license_link"]
    assert link == f"http://pulp.test:24816{P}/org/a/blob/main/LICENSE"


async def test_the_history_is_the_commit_that_is_held(
    serving: Serving, domain: Domain, makers: Makers
) -> None:
    client = await serving(await asyncio.to_thread(shelf, domain, makers))
    status, headers, data = await ask(client, "models/org/b/commits/main")
    assert (status, headers["X-Total-Count"]) == (200, "1")
    assert data == [
        {"id": f"{1:040x}", "title": "Commit 1", "message": "", "authors": [{"user": "me"}],
         "date": "1970-01-01T00:00:00.000Z"}
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["whoami-v2", "daily_papers", "models-tags-by-type"])
async def test_what_only_an_upstream_knows_is_refused(
    serving: Serving, domain: Domain, makers: Makers, target: str
) -> None:
    client = await serving(await asyncio.to_thread(shelf, domain, makers))
    status, headers, _ = await ask(client, target)
    assert (status, headers["X-Error-Code"]) == (404, "NotSupported")
