"""What was asked and answered: the request log and its sums."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from .wire import Ask


@dataclass
class LogEntry:
    """One request. `status` is 0 while it runs; `complete` says the whole answer was written."""

    number: int
    origin: str
    kind: str
    method: str
    path: str
    raw_path: str
    query: str
    headers: dict[str, str]
    authorization: str | None
    started: float
    body: str = ""
    status: int = 0
    body_bytes: int = 0
    blob_bytes: int = 0
    seconds: float = 0.0
    complete: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.raw_path + (f"?{self.query}" if self.query else "")


@dataclass
class Counters:
    """Sums since the last reset; bytes are body bytes written, blob bytes those of files."""

    kinds: dict[str, int] = field(default_factory=dict)
    origins: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    body_bytes: dict[str, int] = field(default_factory=dict)
    blob_bytes: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    running: int = 0

    def of(self, *kinds: str) -> int:
        return sum(self.kinds.get(kind, 0) for kind in kinds)

    @property
    def requests(self) -> int:
        return sum(self.origins.values())

    @property
    def total_blob_bytes(self) -> int:
        return sum(self.blob_bytes.values())


class Journal:
    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self._next = 1

    def open(self, ask: Ask, kind: str) -> LogEntry:
        entry = LogEntry(
            number=self._next,
            origin=ask.origin,
            kind=kind,
            method=ask.method,
            path=ask.path,
            raw_path=ask.raw_path,
            query=ask.raw_query,
            headers=dict(ask.headers),
            authorization=ask.authorization,
            started=time.time(),
            body=ask.body.decode(errors="replace"),
        )
        self._next += 1
        self._entries.append(entry)
        return entry

    @property
    def last(self) -> int:
        return self._next - 1

    def reset(self) -> None:
        self._entries.clear()

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries if entry.number > after]

    def counters(self) -> Counters:
        entries = self._entries
        sums = Counters(
            kinds=dict(Counter(entry.kind for entry in entries)),
            origins=dict(Counter(entry.origin for entry in entries)),
            statuses=dict(Counter(str(entry.status) for entry in entries)),
            running=sum(not entry.seconds for entry in entries),
        )
        for origin in ("hub", "cdn"):
            here = [entry for entry in entries if entry.origin == origin]
            sums.body_bytes[origin] = sum(entry.body_bytes for entry in here)
            sums.blob_bytes[origin] = sum(entry.blob_bytes for entry in here)
            tokens = (e.authorization.removeprefix("Bearer ") for e in here if e.authorization)
            sums.tokens[origin] = list(dict.fromkeys(tokens))
        return sums
