"""The documentation's commands, run as they are written."""

import pytest

from pulp_hugging_face.tests import docs_blocks
from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.tests.hub.catalogue import OWNER_TOKEN

from .caches import Cache, eventually, fresh_repo, unique
from .conftest import NewCache
from .stack import PASSWORD, Stack

MODEL = "microsoft/DialoGPT-medium"


def variables(stack: Stack) -> dict[str, str]:
    api = stack.ready["api_url"].removesuffix("/pulp/api/v3/")
    return {"BASE_ADDR": api, "PULP": api, "ADMIN": f"admin:{PASSWORD}"}


def run(page: str, stack: Stack, **more: str) -> str:
    script = docs_blocks.runnable_script(page)
    outcome = docs_blocks.run_script(script, {**variables(stack), **more})
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


@pytest.fixture
def tutorial(stack: Stack, hub: FixtureHub) -> tuple[str, str]:
    """The name used for everything, and what the pull-through tutorial printed."""
    name = unique("tutorial")
    printed = run(
        "user/tutorials/pull-through.md",
        stack,
        CONTENT_ADDR=stack.origin,
        HUB_URL=hub.url,
        HF_TOKEN=OWNER_TOKEN,
        NAME=name,
    )
    return name, printed


def test_pull_through_tutorial_runs_verbatim(
    tutorial: tuple[str, str], stack: Stack, hub: FixtureHub
) -> None:
    name, printed = tutorial
    assert hub.bytes_of(MODEL, "config.json").decode() in printed
    assert f'"id": "{MODEL}"' in printed
    assert '"path": "config.json"' in printed
    assert f"export HF_ENDPOINT={stack.origin}/pulp/content/{name}\n" in printed
    assert OWNER_TOKEN not in printed


def test_tutorials_repository_gets_what_was_fetched(
    tutorial: tuple[str, str], stack: Stack, hub: FixtureHub
) -> None:
    name, _ = tutorial
    repository = stack.rest.list(stack.rest.REPOSITORIES, name=name)[0]

    def commits() -> list[str]:
        version = stack.rest.get(repository["pulp_href"])["latest_version_href"]
        found = stack.rest.list(stack.rest.COMMITS, repository_version=version)
        return [commit["sha"] for commit in found]

    assert eventually(commits) == [hub.sha(MODEL)]


def test_removing_a_model_as_documented_frees_its_files(
    new_cache: NewCache, stack: Stack, hub: FixtureHub
) -> None:
    cache: Cache = new_cache(repository=True)
    model = fresh_repo(hub)
    assert cache.get(f"/{model}/resolve/main/small.bin").status == 200
    assert cache.repository is not None
    eventually(lambda: stack.rest.list(stack.rest.COMMITS, repo_id=model))
    href = cache.repository["pulp_href"]
    eventually(lambda: not stack.rest.get(href)["latest_version_href"].endswith("/versions/0/"))
    before = stack.media_bytes()

    printed = run(
        "user/guides/operations.md",
        stack,
        REPOSITORY_NAME=cache.repository["name"],
        MODEL=model,
    )

    assert "completed (1 commits)" in printed, printed
    assert stack.rest.list(stack.rest.COMMITS, repo_id=model) == []
    assert before - stack.media_bytes() >= hub.file(model, "small.bin").size
    # And it can be had again. (The first answer may be a 504 that asks to retry.)
    eventually(lambda: cache.get(f"/{model}/resolve/main/small.bin").good)
