"""What the table of the routes (`surface.py`) says of each."""

from dataclasses import dataclass
from enum import StrEnum

from . import routes
from .routes import Route

EVERY: tuple[type[Route], ...] = tuple(
    found
    for found in vars(routes).values()
    if isinstance(found, type) and issubclass(found, Route) and not found.__subclasses__()
)
READS = ("GET", "HEAD")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Who(StrEnum):
    """Who answers."""

    STORE = "served from store"
    PASSED = "passed through"
    RELAYED = "relayed"
    HERE = "answered here"
    REFUSED = "refused"


MEANING = {
    Who.STORE: (
        "Answered from what is held. The Hub is asked where a branch or tag points to when the "
        "last answer is older than `metadata_ttl`, and for what is not held yet. Goes on while "
        "the Hub is down."
    ),
    Who.PASSED: (
        "The Hub is asked with the whole path and query, and its answer kept for `metadata_ttl` "
        "seconds. While the Hub is down, the last answer is given again. Its addresses are "
        "replaced by yours."
    ),
    Who.RELAYED: "The Hub is asked each time, and nothing is kept.",
    Who.HERE: "Answered at once, without the Hub.",
    Who.REFUSED: "Refused at once, without the Hub.",
}


class Group(StrEnum):
    """The sections of the table."""

    FILES = "Files"
    REPOSITORIES = "Repositories"
    HUB = "Lists, searches and the rest of the API"
    CLIENTS = "Calls that clients make for themselves"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Operation:
    """
    A kind of request and what becomes of it.

    `patterns` are paths, or words for what no pattern tells. `examples` are targets below the
    endpoint in the words of the fixture Hub; `body` is the JSON they are sent with, `with_token`
    tells that they need a caller's own token. `status` and `code` are those of the answer when all
    is well. `section` names the protocol reference, `asked_by` the clients, `instead` what to do
    about a refusal.
    """

    group: Group
    methods: tuple[str, ...]
    patterns: tuple[str, ...]
    routes: tuple[type[Route], ...]
    examples: tuple[str, ...]
    who: Who
    section: str
    asked_by: str
    remark: str = ""
    instead: str = ""
    status: int = 200
    code: str = ""
    body: str = ""
    with_token: bool = False
