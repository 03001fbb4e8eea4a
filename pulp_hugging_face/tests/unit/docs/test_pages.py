"""All pages: links resolve, nothing of a build machine is in them, commands are well formed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pulp_hugging_face.hub import errors
from pulp_hugging_face.standalone.datadir import FIRST_START_MIB, LATER_START_MIB
from pulp_hugging_face.tests.docs_blocks import (
    DOCS,
    PROJECT,
    anchors,
    blocks,
    links,
    pages,
    runnable_blocks,
    runnable_script,
)

# Home folders of made-up people, and where programs usually are, are fine.
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}~>/-])/(?:root|work|builds?|workspace|mnt|home/(?!you/))\b\S*"
)
RUNNABLE = ["user/tutorials/pull-through.md", "user/guides/operations.md"]

each_page = pytest.mark.parametrize(
    "page", pages(), ids=lambda page: str(page.relative_to(PROJECT))
)


@each_page
def test_links_resolve(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} does not exist"
        if anchor:
            assert anchor in anchors(target), f"{path} has no heading #{anchor}"


@each_page
def test_no_page_names_a_path_of_a_build_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert MACHINE_PATHS.findall(text) == []


@each_page
def test_shell_blocks_are_well_formed(page: Path) -> None:
    for block in blocks(page):
        if block.info.split()[:1] == ["bash"]:
            text = re.sub(r"<([\w ]+)>", r"\1", block.text)  # placeholders are no redirections
            outcome = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
            assert outcome.returncode == 0, f"line {block.line}: {outcome.stderr}"


def test_tables_have_as_many_cells_as_their_heading() -> None:
    for page in pages():
        width = 0
        for line in page.read_text(encoding="utf-8").splitlines():
            cells = line.count("|") if line.startswith("|") else 0
            assert cells in (0, width) or not width, f"{page.name}: {line}"
            width = cells


def test_every_user_page_is_in_the_navigation() -> None:
    text = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"\S+\.md", str(yaml.safe_load(text)["nav"]).replace("'", " ")))
    user_pages = {str(page.relative_to(DOCS)) for page in (DOCS / "user").rglob("*.md")}
    assert user_pages <= listed


@pytest.mark.parametrize("page", RUNNABLE)
def test_pages_have_commands_to_run(page: str) -> None:
    assert runnable_blocks(page)
    assert runnable_script(page).startswith("set -eu\n")


def test_the_tutorial_creates_remote_and_distribution_and_fetches() -> None:
    script = runnable_script("user/tutorials/pull-through.md")
    for part in ('"hf_token"', '"url"', '"policy"', '"base_path"', '"remote"', '"repository"'):
        assert part in script
    for path in ("/resolve/main/config.json", "/api/models/", "/tree/main"):
        assert f"microsoft/DialoGPT-medium{path}" in script or f"{path}microsoft" in script


def test_readme_and_tutorial_show_the_same_screen() -> None:
    screens = [
        block.text.split("Pulp is ready")[1]
        for page in ("README.md", "docs/user/tutorials/first-cache.md")
        for block in blocks(PROJECT / page)
        if "Pulp is ready" in block.text
    ]
    assert len(screens) == 2
    assert screens[0] == screens[1]


def test_troubleshooting_quotes_sentences_that_exist() -> None:
    text = (DOCS / "user/reference/troubleshooting.md").read_text(encoding="utf-8")
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "pulp_hugging_face").rglob("*.py")
        if "tests" not in path.parts
    )
    for sentence in (
        "The upstream limits the rate of requests.",
        "redirects to a host that is not among the remote's redirect_hosts.",
        "The upstream redirects more often than max_redirects.",
        "The upstream's bytes do not match their digest",
        "The upstream cannot be reached (",
        "The upstream did not answer in time.",
        "The disk is full",
        "The database is not available.",
        "There is no upstream behind this endpoint to ask.",
        "This server is a read-only cache of the Hub",
        "The upstream Hub cannot be asked now: this is what it last said.",
        "the port is in use by another program",
        "No PostgreSQL with the extension hstore was found",
        "The database belongs to a newer version",
        "no task worker is alive",
        "Serving what is known",
        errors.DisabledRepo.SENTENCE,
        errors.InvalidCredentials.SENTENCE,
    ):
        assert sentence in text, sentence
        assert sentence in source, sentence
    assert f"{FIRST_START_MIB} MiB" in text
    assert f"{LATER_START_MIB} MiB" in text
