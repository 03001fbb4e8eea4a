"""The configuration page says what the code does."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.app import settings
from pulp_hugging_face.standalone.cli import parser
from pulp_hugging_face.standalone.options import OPTIONS, Option
from pulp_hugging_face.tests.docs_blocks import DOCS, PROJECT, first_table, sections
from pulp_hugging_face.upstream import config

PAGE = DOCS / "user/reference/configuration.md"
FOOTNOTE = "¹"


def table(heading: str) -> list[list[str]]:
    return first_table(sections(PAGE)[heading])


def code(cell: str) -> str:
    """Return what stands in backticks, "" for nothing."""
    found = re.search(r"`([^`]*)`", cell)
    return found.group(1) if found else ""


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    script = Path(__file__).with_name("django_setup.py")
    command = [sys.executable, str(script), str(tmp_path_factory.mktemp("django"))]
    outcome = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=120)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])


def described(option: Option) -> tuple[str, str, str]:
    """Return flag, variable and default as the page must show them."""
    flag = f"{option.flag} {option.metavar}" if option.has_flag else ""
    default = option.default_text or str(option.default)
    return flag, option.env, f"{default} {option.unit}".strip()


def test_every_option_is_documented_with_its_variable_and_default() -> None:
    rows = {(code(flag), code(env), default) for flag, env, default, _ in options()}
    assert rows == {described(option) for option in OPTIONS}


def options() -> list[list[str]]:
    return table("Options of `pulp-hf`")


def test_every_option_has_a_meaning() -> None:
    assert all(len(meaning) > 10 for *_, meaning in options())


def test_options_of_the_default_remote_are_marked() -> None:
    marked = {code(env) for flag, env, *_ in options() if FOOTNOTE in flag + env}
    assert marked == {option.env for option in OPTIONS if option.remote}


def test_every_flag_of_the_commands_is_documented() -> None:
    text = sections(PAGE)["Options of `pulp-hf`"]
    missing = {flag for flag in flags() if f"`{flag}" not in text}
    assert missing <= {"--help"}


def flags() -> set[str]:
    """Return every long flag of `pulp-hf` and its commands."""
    root = parser()
    found = set(root._option_string_actions)
    for action in root._actions:
        for command in getattr(action, "choices", None) or {}:
            found |= set(action.choices[command]._option_string_actions)  # type: ignore[index]
    return {flag for flag in found if flag.startswith("--")}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(
    str(path.relative_to(PROJECT)) for path in (DOCS / "user").rglob("*.md"))])  # fmt: skip
def test_flags_in_pulp_hf_commands_exist(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    used = {
        flag
        for command in re.findall(r"pulp-hf (?:up|status|down|--)[^`\n]*", text)
        for flag in re.findall(r"--[a-z][a-z-]*", command)
    }
    assert used <= flags()


def test_options_named_in_the_readme_exist() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z-]+)`", text))
    assert named
    assert named <= flags()


def test_every_setting_is_documented_with_its_default() -> None:
    names = {name for name in vars(settings) if name.startswith("HUGGING_FACE_")}
    rows = {code(name): default for name, default, _, _ in table("Settings of the plugin")}
    assert rows == {name: str(getattr(settings, name)) for name in names}


@pytest.mark.parametrize("kind", ["remote", "distribution"])
def test_every_field_is_documented_with_its_default(
    kind: str, fields: dict[str, dict[str, Any]]
) -> None:
    rows = {code(name): default for name, default, _ in table(f"Fields of a {kind}")}
    assert rows == {name: shown(default) for name, default in fields[kind].items()}


def shown(default: Any) -> str:
    return default if default == "required" else json.dumps(default)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sock_connect_timeout", config.DEFAULT_CONNECT_TIMEOUT),
        ("sock_read_timeout", config.DEFAULT_READ_TIMEOUT),
        ("total_timeout", config.METADATA_TIMEOUT),
        ("max_retries", config.DEFAULT_RETRIES),
    ],
)
def test_what_null_means_is_true(field: str, value: float) -> None:
    meanings = {code(name): meaning for name, _, meaning in table("Fields of a remote")}
    assert f"null: {value:g}" in meanings[field]
