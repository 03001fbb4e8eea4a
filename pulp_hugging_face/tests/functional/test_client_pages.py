"""What the pages about the clients print, done by those clients as it is printed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pulp_hugging_face.tests.docs_blocks import DOCS, Block, blocks
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub, Generated, parquetfiles, repo

from .caches import Cache
from .clients.machine import JavascriptMachine, Machine
from .clients.tools import program
from .clients.venvs import (
    ALL_HUBS,
    DATASETS,
    HUB_036,
    HUB_24,
    HUB_133,
    JAVASCRIPT,
    TRANSFORMERS,
    ClientKind,
)

FOLDER = DOCS / "user/clients"
MODEL = "microsoft/DialoGPT-medium"
DATASET = "cornell-movie-review-data/rotten_tomatoes"
GGUF = "Qwen/Qwen2.5-0.5B-Instruct-GGUF"
PAGES = {
    "huggingface-hub.md": HUB_24,
    "transformers.md": TRANSFORMERS,
    "datasets.md": DATASETS,
    "file-systems.md": DATASETS,
    "javascript.md": JAVASCRIPT,
    "llama-cpp.md": HUB_24,
    "plain-downloads.md": HUB_24,
    "git.md": HUB_24,
    "ci-and-air-gap.md": HUB_24,
}
# Parts of what the blocks of a page print.
PRINTED = {
    "huggingface-hub.md": ["- ENDPOINT: http://127.0.0.1:", MODEL, "snapshots"],
    "transformers.md": ["gpt2", "input_ids"],
    "datasets.md": ["num_rows: 40", "sentence 0", "sentence 1"],
    "file-systems.md": [f"datasets/{DATASET}/train.parquet", "sentence 4", "label: int64"],
    "javascript.md": ["config.json", "model_type", "200\n"],
    "llama-cpp.md": ['"name": "main"'],
    "plain-downloads.md": ["pytorch_model.bin: OK", "vocab.json\n"],
    "git.md": ["version https://git-lfs.github.com/spec/v1"],
    "ci-and-air-gap.md": ["HF_ENDPOINT", "200\n"],
}


@pytest.fixture(scope="module", autouse=True)
def repositories(hub_process: FixtureHub) -> None:
    """Declare what the pages name and the catalogue has not."""
    data = {
        "README.md": "# Reviews\n",
        "train.parquet": parquetfiles.TRAIN_0,
        "test.parquet": parquetfiles.TEST_0,
    }
    weights = {"qwen2.5-0.5b-instruct-q4_k_m.gguf": Generated(40_000, 83)}
    hub_process.declare(repo(DATASET, data, type="dataset"), repo(GGUF, weights))


@pytest.fixture
def machine(common: Cache, tmp_path: Path) -> Machine:
    return Machine(HUB_24, tmp_path / "machine", common.url)


def run(machine: Machine, block: Block) -> str:
    """Run a block as its reader would; returns what it prints."""
    home, environment = machine.home, machine.environment()
    home.mkdir(exist_ok=True)
    if block.program == "js":
        script = home / "page.mjs"
        script.write_text(block.text)
        JavascriptMachine.link_modules(home)
        command = [program("node"), str(script)]
    else:
        options = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": ["python", "-c"]}
        command = [*options[block.program], block.text]
        command[0] = shutil.which(command[0], path=environment["PATH"]) or command[0]
    done = subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"line {block.line}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def runnable(page: str) -> list[Block]:
    return [block for block in blocks(FOLDER / page) if block.program]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_prints(machine, page):
    kind: ClientKind = PAGES[page]
    machine.kind = HUB_24 if kind is JAVASCRIPT else kind
    for tool in ("wget", "aria2c") if page == "plain-downloads.md" else ():
        program(tool)
    printed = "".join(run(machine, block) for block in runnable(page))
    for expected in PRINTED[page]:
        assert expected in printed
    # Requests of curl and others are not seen here, those of Python are.
    assert all(request.path is not None for request in machine.sent())


@pytest.mark.parametrize("kind", list(ALL_HUBS.values())[:-1], ids=list(ALL_HUBS)[:-1])
def test_older_versions_do_what_the_page_prints_in_python(machine, kind):
    machine.kind = kind
    page = [block for block in runnable("huggingface-hub.md") if block.program == "python"]
    printed = [run(machine, block) for block in page]
    assert len(printed) == 2 and MODEL.partition("/")[2] in printed[0]


@pytest.mark.parametrize("kind", [HUB_036, HUB_133, HUB_24], ids=lambda kind: kind.name)
def test_a_login_with_a_token_as_the_page_tells(machine, kind):
    machine.kind = kind
    done = machine.command("hf", "auth", "login", "--token", OWNER_TOKEN)
    assert done.returncode == 0, done.stderr
    assert "owner" in machine.command("hf", "auth", "whoami").stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("papers", "ls"), ""),
        (("papers", "search", "tiny"), ""),
        (("papers", "read", "2401.00001"), ""),
        (("datasets", "parquet", DATASET), "not supported on"),
        (("repos", "create", "owner/new"), "read-only cache"),
        (("upload", MODEL, "."), "read-only cache"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_the_page_calls_a_limit_is_one(machine, command, words):
    machine.token = OWNER_TOKEN
    done = machine.command("hf", *command)
    assert (done.returncode != 0) == bool(words), done.stdout + done.stderr
    assert words in done.stdout + done.stderr


def test_pages_with_blocks_to_run_are_run():
    pages = {path.name for path in FOLDER.glob("*.md") if runnable(path.name)}
    assert pages == set(PAGES) == set(PRINTED)
