"""
The documentation as tests read it: pages, tables, links, and the commands that must work.

A block that begins with ```` ```bash {.run} ```` is run by a functional test:

    script = runnable_script("user/tutorials/pull-through.md")
    outcome = run_script(script, {"BASE_ADDR": …, "CONTENT_ADDR": …, "ADMIN": "admin:…"})
    assert outcome.returncode == 0, outcome.stderr

All blocks of a page are one shell script, as if copied one after the other into one terminal. The
pages of the clients have ```` ```python {.run} ```` and ```` ```js {.run} ```` too, which
`tests/functional/test_client_pages.py` runs.
Addresses are variables with defaults, which the environment overrides.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
OTHER_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGES.md", "CHANGES/README.md")

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<info>.*)$")
_RUN = re.compile(r"\s*(?:bash|sh|shell)\s+(?:\{\s*\.run\s*\}|run)\s*")
_PROGRAM = re.compile(r"\s*(\w+)\s+\{\s*\.run\s*\}\s*")
_ENDED = "echo --- end of block {number} >&2"


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the fence, the text, and its first line in the file."""

    info: str
    text: str
    line: int

    @property
    def runs(self) -> bool:
        """Tell whether the block is to be run by a test."""
        return _RUN.fullmatch(self.info) is not None

    @property
    def program(self) -> str:
        """Return the language of a block that is to be run ("bash", "python", "js"), or ""."""
        match = _PROGRAM.fullmatch(self.info)
        return match[1] if match else ""


def pages() -> list[Path]:
    """Return every page of the project, users' and developers'."""
    others = [PROJECT / name for name in OTHER_PAGES]
    return [*sorted(DOCS.rglob("*.md")), *(page for page in others if page.exists())]


def blocks(page: Path) -> list[Block]:
    """Return all fenced blocks of a page."""
    found: list[Block] = []
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        match = _FENCE.match(line)
        if opened is None and match:
            opened, lines = (match["fence"], match["info"], number + 1), []
        elif opened is not None and match and match["fence"] == opened[0] and not match["info"]:
            found.append(Block(opened[1], "\n".join(lines) + "\n", opened[2]))
            opened = None
        else:
            lines.append(line)
    assert opened is None, f"{page.name}: the block of line {opened and opened[2]} does not end"
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    text: list[str] = []
    inside = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        match = _FENCE.match(line)
        if match and inside in ("", match["fence"]):
            inside = "" if inside else match["fence"]
        elif not inside:
            text.append(line)
    return "\n".join(text)


def runnable_blocks(page: str) -> list[Block]:
    """Return the blocks of a page (relative to docs/) that are to be run, in order."""
    return [block for block in blocks(DOCS / page) if block.runs]


def runnable_script(page: str) -> str:
    """Return the runnable blocks of a page as one script; it stops at the first failure."""
    parts = ["set -eu"]
    for number, block in enumerate(runnable_blocks(page), 1):
        parts += [block.text, _ENDED.format(number=number)]
    return "\n".join(parts) + "\n"


def run_script(
    script: str, variables: Mapping[str, str], timeout: float = 180.0
) -> subprocess.CompletedProcess[str]:
    """Run a script with these variables and a bare environment otherwise."""
    return subprocess.run(
        ["bash", "-c", script],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of level 2 of a page."""
    parts = re.split(r"^## +(.+)$", prose(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_table(text: str) -> list[list[str]]:
    """Return the rows of the first table of a text, without its heading."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Yield file and anchor of every link to another page of the project, or to itself."""
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Python-Markdown makes them."""
    headings = re.findall(r"^#{1,6} +(.+)$", prose(page), flags=re.MULTILINE)
    return {_slug(heading) for heading in headings}


def _slug(heading: str) -> str:
    plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)
