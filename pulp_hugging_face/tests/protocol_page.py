"""
The page docs/user/reference/protocol.md, made from the code it is about.

`make protocol` (`python -m pulp_hugging_face.tests.protocol_page`) writes it; a unit test compares.
"""

from collections.abc import Iterable, Iterator

from pulp_hugging_face.hub.operations import MEANING, Group, Operation, Who
from pulp_hugging_face.hub.surface import OPERATIONS
from pulp_hugging_face.tests.client_limits import LIMITS
from pulp_hugging_face.tests.docs_blocks import DOCS
from pulp_hugging_face.tests.functional import matrix
from pulp_hugging_face.tests.functional.clients import venvs

PAGE = DOCS / "user/reference/protocol.md"
COMMAND = "make protocol"
_TESTS = "pulp_hugging_face/tests/functional"

_HEAD = f"""# Protocol

<!-- Made by `{COMMAND}` from pulp_hugging_face/hub/surface.py. Do not edit. -->

Which requests of the Hub's protocol are answered, and how. All paths are below `HF_ENDPOINT`. For
how to set up a client, see [clients](../clients/index.md).

- `{{repo}}` in a file's address: `org/name` for models, `datasets/org/name`, `spaces/org/name`,
  `kernels/org/name`; also ids without a namespace, such as `gpt2`.
- `{{type}}`: `models`, `datasets`, `spaces`, `kernels`.
- `{{revision}}`: a branch, a tag, a full commit id, `refs/pr/1`, `refs/convert/parquet` (or
  `~parquet`), `HEAD`; its slashes encoded (`refs%2Fpr%2F1`) or not. `{{sha}}`: a full commit id.
- Double slashes count as one.

## Who answers
"""

_COMMON = """
In all of them:

- A refusal has the status, `X-Error-Code` and `X-Error-Message` by which clients raise their
  exceptions. See [troubleshooting](troubleshooting.md).
- Who may see what does not depend on what is held. See
  [tokens](../guides/tokens-and-private-repositories.md).
- `X-HF-Warning` tells that the Hub could not be asked and an older answer is given. See
  [when the Hub is down](../guides/when-the-hub-is-down.md).
- Addresses in answers are below the endpoint as the client sees it, also behind a
  [reverse proxy](../guides/reverse-proxies.md).
- Pages of other origins may read every answer (CORS).
- Without a remote, models, datasets and spaces are listed from what the repository holds. What else
  would be passed through or relayed is refused with 404 `NotSupported`.
"""

_WITH_TOOLS = """
`curl`, `wget` and `aria2c` are used where they are installed. vLLM, text-generation-inference, the
Rust client `hf-hub`, llama.cpp, transformers.js, diffusers and sentence-transformers are too heavy
to install: their requests are sent in their order and with their headers.
"""


def page() -> str:
    """Return the page's text."""
    return "\n".join(
        [
            _HEAD,
            *table(("Answer", "What it means"), ((f"**{who}**", MEANING[who]) for who in Who)),
            _COMMON,
            *(line for group in Group for line in section(group)),
            *limits(),
            *clients(),
            *conformance(),
        ]
    )


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table."""
    for cells in (heading, ("---",) * len(heading), *rows):
        yield f"| {' | '.join(cells)} |"


def section(group: Group) -> Iterator[str]:
    """Yield a heading and the rows of a group."""
    yield from (f"## {group}", "")
    rows = [row for row in OPERATIONS if row.group is group]
    if group is Group.REFUSED:
        heading = ("Request", "Status", "Asked by", "Instead")
        yield from table(heading, (refused_cells(row) for row in rows))
    else:
        heading = ("Request", "Answer", "Asked by", "Good to know")
        yield from table(heading, (cells(row) for row in rows))
    yield ""


def cells(row: Operation) -> tuple[str, ...]:
    """Return the cells of an operation that is answered."""
    told = f" {row.status}" if row.status not in (200, 204) else ""
    code = f" `{row.code}`" if row.code else ""
    return request(row), f"{row.who}{told and ':'}{told}{code}", row.asked_by, row.remark


def refused_cells(row: Operation) -> tuple[str, ...]:
    """Return the cells of an operation that is refused."""
    return (
        request(row),
        f"{row.status} `{row.code}`",
        row.asked_by,
        " ".join(filter(None, (row.remark, row.instead))),
    )


def request(row: Operation) -> str:
    """Return methods and patterns; what has spaces in it is no pattern but words."""
    shown = (text if " " in text else f"`{text}`" for text in row.patterns)
    return f"{', '.join(row.methods)}<br>{'<br>'.join(shown)}"


def limits() -> Iterator[str]:
    """Yield what clients themselves cannot do."""
    yield from ("## What clients cannot do", "")
    yield "These have their cause in the client: no server can change them."
    yield ""
    heading = ("Client", "Cannot", "Because", "Instead", "Evidence")
    rows = (
        (limit.client, limit.what, limit.why, limit.instead, evidence(limit.evidence))
        for limit in LIMITS
    )
    yield from table(heading, rows)
    yield ""


def evidence(text: str) -> str:
    """Return a test's name in code, anything else as it is."""
    return f"`{text.partition('::')[2]}`" if "::" in text else text


def clients() -> Iterator[str]:
    """Yield the clients that tests install."""
    yield from ("## Clients under test", "")
    yield from table(
        ("Client", "Installed as"),
        (
            (kind.name, ", ".join(f"`{wanted}`" for wanted in kind.requirements))
            for kind in venvs.KINDS
        ),
    )
    yield _WITH_TOOLS


def conformance() -> Iterator[str]:
    """Yield the lines of the conformance matrix with the files of their tests."""
    yield from ("## Conformance", "")
    yield f"Each line is checked by tests of `{_TESTS}` against a real server."
    yield f"`python -m {_TESTS.replace('/', '.')}.matrix` tells which."
    yield ""
    found = matrix.proofs()
    rows = []
    for line, what in matrix.LINES.items():
        files = sorted({proof.file for proof in found if proof.line == line})
        rows.append((line, what, ", ".join(f"`{name}`" for name in files) or "not tested yet"))
    yield from table(("Line", "What", "Tests"), rows)
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")
