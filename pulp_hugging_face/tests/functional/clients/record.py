"""What a client process sent, as `recorder/sitecustomize.py` wrote it down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

RECORDER = Path(__file__).with_name("recorder")


@dataclass(frozen=True)
class Request:
    """
    One request of a client.

    `path` is what follows the endpoint, undecoded; None for requests that are not below it.
    """

    host: str
    method: str
    target: str
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str | None = None

    @property
    def short(self) -> str:
        """`HEAD 200 /org/repo/resolve/main/config.json`, decoded: to compare and to read."""
        return f"{self.method} {self.status} {unquote(self.path or self.target)}"


def requests_of(data: Iterable[Any], endpoint: str) -> list[Request]:
    """Return recorded requests as seen from an endpoint."""
    where = urlsplit(endpoint.rstrip("/"))
    found = []
    for host, method, target, status, headers in data:
        below = host == where.netloc and target.startswith((f"{where.path}/", f"{where.path}?"))
        path = target.removeprefix(where.path) if below else None
        found.append(Request(host, method, target, status, headers, path))
    return found


def of_files(requests: Iterable[Request]) -> list[Request]:
    """Return the requests for files."""
    return [request for request in requests if "/resolve/" in (request.path or "")]


def shorts(requests: Iterable[Request]) -> list[str]:
    """Return requests in short, without the one every newer client begins with (§2.3)."""
    return [r.short for r in requests if not (r.path or "").startswith("/api/agent-harnesses")]
