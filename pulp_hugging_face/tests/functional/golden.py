"""
Golden files: whole answers as they were reviewed, in `tests/golden/<kind>.txt`.

Status line, all headers in order, and of refusals the body. Values that differ from run to run
stand as names in braces, which are filled with the truth of the fixture Hub; `{length}` is the
length of the body of a GET that is answered 200. `UPDATE_GOLDEN=1` writes the files anew.
"""

import os
import re
from pathlib import Path

from . import wire
from .kinds import Kind, Place

FOLDER = Path(__file__).parents[1] / "golden"
# Differ from answer to answer. That they are there is for `test_golden_headers.py` to say.
PASSING = {"date", "x-request-id"}
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


def lasting(reply: wire.Reply) -> dict[str, str]:
    """Return the headers that are the same whenever they are asked for."""
    return {name: value for name, value in reply.headers.items() if name not in PASSING}


def request_of(kind: Kind) -> str:
    """Return the request as comments: who asks, and for what."""
    lines = [f"{kind.method} {kind.target or '(the endpoint)'}"]
    lines += [f"{name}: {value}" for name, value in kind.headers.items()]
    lines += ["with a token"] if kind.token else []
    return "".join(f"# {line}\n" for line in lines)


def answer_of(reply: wire.Reply) -> str:
    """Return an answer as text."""
    lines = [f"{reply.status} {reply.reason}".strip()]
    lines += [f"{name}: {value}" for name, value in sorted(lasting(reply).items())]
    body = f"\n{reply.text}\n" if reply.status >= 300 and reply.body else ""
    return "".join(f"{line}\n" for line in lines) + body


def path_of(kind: Kind) -> Path:
    """Return the golden file of a kind."""
    return FOLDER / f"{kind.name}.txt"


def expected(kind: Kind, place: Place) -> str:
    """Return the answer that the golden file tells, with the truth filled in."""
    text = path_of(kind).read_text()
    return place.filled("".join(line for line in text.splitlines(True) if line[:2] != "# "))


def write(kind: Kind, place: Place, reply: wire.Reply) -> None:
    """Write a golden file from an answer, with names for what differs from run to run."""
    FOLDER.mkdir(exist_ok=True)
    path_of(kind).write_text(request_of(kind) + _named(answer_of(reply), place))


def _named(text: str, place: Place) -> str:
    """Replace values by their names, the longest first; numbers only where they stand alone."""
    pairs = sorted(place.values.items(), key=lambda pair: -len(pair[1]))
    for name, value in pairs:
        alone = rf"(?<![\w{{]){re.escape(value)}(?![\w}}])"
        text = re.sub(alone, f"{{{name}}}", text)
    return text
