"""The commands of the documentation, run by bash as they are printed."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from . import wire
from .caches import eventually, unique
from .stack import PASSWORD, Stack

TUTORIAL = Path(__file__).parents[3] / "docs" / "user" / "tutorials" / "pull-through.md"
BLOCK = re.compile(r"^```bash \{\.run\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODEL = "microsoft/DialoGPT-medium"

# The issue's own words: a remote with name, url, policy and hf_token; a distribution with name,
# base_path, remote and, if wanted, repository; then these three addresses.
PLAIN = """
set -eu
REMOTE_HREF=$(curl -sS -u "$ADMIN" "$BASE_ADDR/pulp/api/v3/remotes/hugging_face/hugging-face/" \
  -d name="$NAME" -d url="$HUB_URL" -d policy=on_demand -d hf_token="$HF_TOKEN" \
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["pulp_href"])')
curl -sS --fail -u "$ADMIN" "$BASE_ADDR/pulp/api/v3/distributions/hugging_face/hugging-face/" \
  -d name="$NAME" -d base_path="$NAME" -d remote="$REMOTE_HREF" > /dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  curl -sS --fail -o /dev/null "$CONTENT_ADDR/pulp/content/$NAME/" && break || sleep 0.5
done
"""
FETCH = """
URL="$CONTENT_ADDR/pulp/content/$NAME"
curl -sS --fail "$URL/microsoft/DialoGPT-medium/resolve/main/config.json"
curl -sS --fail "$URL/api/models/microsoft/DialoGPT-medium" >&2
curl -sS --fail "$URL/api/models/microsoft/DialoGPT-medium/tree/main" >&2
"""


def bash(stack: Stack, hub: FixtureHub, script: str, name: str) -> str:
    """Run a script with the addresses set; returns its output, the script's errors fail."""
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_ADDR": stack.rest.url.removesuffix("/pulp/api/v3/"),
        "CONTENT_ADDR": stack.origin,
        "ADMIN": f"admin:{PASSWORD}",
        "HUB_URL": hub.url,
        "HF_TOKEN": OWNER_TOKEN,
        "NAME": name,
    }
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_tutorials_commands_run_verbatim(stack, hub):
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert len(blocks) >= 9, "the tutorial's blocks are marked with {.run}"
    name = unique("tutorial")
    out = bash(stack, hub, "\n".join(blocks), name)
    assert hub.bytes_of(MODEL, "config.json").decode() in out
    assert f'"id": "{MODEL}"' in out and hub.sha(MODEL) in out
    assert '"path": "pytorch_model.bin"' in out
    assert f"export HF_ENDPOINT={stack.origin}/pulp/content/{name}" in out
    # "About ten seconds later the branch and its commit are in the repository."
    rest = stack.rest
    (repository,) = rest.list(rest.REPOSITORIES, name=name)

    def refs() -> set[str]:
        version = rest.get(repository["pulp_href"])["latest_version_href"]
        return {ref["name"] for ref in rest.list(rest.REFS, repository_version=version)}

    eventually(lambda: refs() == {"refs/heads/main"})


def test_form_fields_without_a_repository_do_too(stack, hub):
    out = bash(stack, hub, PLAIN + FETCH, unique("plain"))
    assert json.loads(out) == json.loads(hub.bytes_of(MODEL, "config.json"))


@pytest.mark.parametrize("name", ["first-cache.md", "pull-through.md"])
def test_endpoints_in_the_tutorials_have_no_trailing_slash(name):
    text = (TUTORIAL.parent / name).read_text()
    endpoints = re.findall(r"HF_ENDPOINT=(\S+)", text)
    assert endpoints and not [found for found in endpoints if found.rstrip('"').endswith("/")]


def test_the_commands_for_removing_a_model_do_remove_it(stack, hub):
    """From the guide for operators; other models stay."""
    name, guide = unique("guide"), TUTORIAL.parents[1] / "guides" / "operations.md"
    bash(stack, hub, "\n".join(BLOCK.findall(TUTORIAL.read_text())), name)
    url = f"{stack.origin}/pulp/content/{name}"
    assert wire.get(url, "/org/bert/resolve/main/config.json").good
    rest = stack.rest
    (repository,) = rest.list(rest.REPOSITORIES, name=name)

    def models() -> set[str]:
        version = rest.get(repository["pulp_href"])["latest_version_href"]
        return {commit["repo_id"] for commit in rest.list(rest.COMMITS, repository_version=version)}

    eventually(lambda: models() == {MODEL, "org/bert"})
    settings = f"REPOSITORY_NAME={name}\nPULP=$BASE_ADDR\n"
    out = bash(stack, hub, settings + "\n".join(BLOCK.findall(guide.read_text())), name)
    assert "completed (1 commits)" in out
    assert models() == {"org/bert"}
