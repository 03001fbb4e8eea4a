"""Faults: what goes wrong, for which requests, and how often.

| mode | what happens | parameters |
|---|---|---|
| offline | connection closed without an answer | |
| status | this status instead of an answer | status, headers, text |
| slow_first_byte | wait before the answer | seconds |
| hold | wait before the answer until the fault is cleared | |
| redirect_to | a redirect elsewhere; `{self}` is the request's own URL | location, status |
| ignore_range | the whole file with 200 for a Range request | |
| headers | set or (value None) remove headers of the answer | headers |
| bad_etag | other ETag and X-Linked-ETag of the same form | |
| short | complete answer, body and Content-Length smaller than the truth | after |
| wrong_length | complete answer, body and Content-Length larger than the truth | extra |
| corrupt | bytes flipped at file offset `after`, same length | after, extra |
| mislabelled | another body with the same metadata headers and right framing | text, headers |
| chunked | no Content-Length: the length is not said beforehand | |
| stall | body stops after `after` bytes | after, seconds |
| cut | connection ends after `after` bytes of the announced body | after, rst |
| hold_body | body stops after `after` bytes until the fault is cleared | after |
| throttle | body at `rate` bytes a second | rate |

Offsets of stall, cut and hold_body count body bytes of the response; of corrupt, file bytes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from .content import Content, Literal
from .wire import Answer, Ask, redirect_answer, text_answer

BEFORE = ("offline", "status", "slow_first_byte", "hold", "redirect_to", "ignore_range")
CHANGES = ("headers", "bad_etag", "short", "wrong_length", "corrupt", "mislabelled", "chunked")
BODY = ("stall", "cut", "hold_body", "throttle")
MODES = (*BEFORE, *CHANGES, *BODY)
HTML = "<!DOCTYPE html><html><body>Sign in to the captive portal</body></html>"
FOREVER = 3600.0


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. Empty selectors match everything.

    origin: hub, cdn. kind: as in the counters. method: GET, HEAD, POST. path: a glob over the
    decoded path, also tried with the query (a CDN URL names its file there). range: with a Range
    header only. skip: leave the first N matches alone. times: then apply to N and no more.
    """

    mode: str
    origin: str = ""
    kind: str = ""
    method: str = ""
    path: str = ""
    range: bool = False
    skip: int = 0
    times: int | None = None
    status: int = 503
    seconds: float = FOREVER
    after: int | None = None
    extra: int = 16
    rate: int = 0
    rst: bool = False
    location: str = "{self}"
    text: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown fault mode {self.mode!r}, known are {', '.join(MODES)}")

    def to_json(self) -> dict[str, Any]:
        defaults = {f.name: f.default for f in fields(self)}
        return {key: value for key, value in asdict(self).items() if value != defaults[key]}

    def selects(self, ask: Ask, kind: str) -> bool:
        return (
            self.origin in ("", ask.origin)
            and self.kind in ("", kind)
            and self.method in ("", ask.method)
            and (not self.range or "Range" in ask.headers)
            and self._path_matches(ask)
        )

    def _path_matches(self, ask: Ask) -> bool:
        names = (ask.path, ask.raw_path, f"{ask.path}?{unquote(ask.raw_query)}")
        return not self.path or any(fnmatchcase(name, self.path) for name in names)


@dataclass
class Armed:
    """A fault in force, with what is left of it."""

    number: int
    fault: Fault
    to_skip: int
    left: int | None
    applied: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> bool:
        """Whether it applies to this match; counts down."""
        if self.to_skip:
            self.to_skip -= 1
            return False
        if self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        self.applied += 1
        return True


class Faults:
    """All faults in force, in the order they were set."""

    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._next = 1

    def add(self, fault: Fault) -> int:
        number, self._next = self._next, self._next + 1
        self._armed[number] = Armed(number, fault, fault.skip, fault.times)
        return number

    def clear(self, number: int | None = None) -> None:
        for key in [number] if number is not None else list(self._armed):
            armed = self._armed.pop(key, None)
            if armed:
                armed.cleared.set()

    def state(self) -> list[dict[str, Any]]:
        return [
            {"id": a.number, "applied": a.applied, "left": a.left, **a.fault.to_json()}
            for a in self._armed.values()
        ]

    def matching(self, ask: Ask, kind: str, modes: Iterable[str]) -> list[Armed]:
        return [
            armed
            for armed in self._armed.values()
            if armed.fault.mode in modes and armed.fault.selects(ask, kind) and armed.take()
        ]


def replacement(ask: Ask, own_url: str, fault: Fault) -> Answer | None:
    """The answer that a fault of the first group gives in place of the Hub's."""
    if fault.mode == "status":
        headers = {key: value for key, value in fault.headers.items() if value is not None}
        return text_answer(fault.text or f"Fault {fault.status}", headers, fault.status)
    if fault.mode == "redirect_to":
        status = fault.status if fault.status in (302, 307, 308) else 302
        return redirect_answer(status, fault.location.replace("{self}", own_url))
    return None


def changed(answer: Answer, fault: Fault) -> Answer:
    """The answer after a fault of the second group."""
    return _CHANGES[fault.mode](answer, fault)


def _headers(answer: Answer, fault: Fault) -> Answer:
    wanted = {key.lower(): value for key, value in fault.headers.items()}
    kept = {key: value for key, value in answer.headers.items() if key.lower() not in wanted}
    answer.headers = kept | {key: v for key, v in fault.headers.items() if v is not None}
    return answer


def _bad_etag(answer: Answer, fault: Fault) -> Answer:
    for name in ("ETag", "X-Linked-ETag"):
        if name in answer.headers:
            flipped = answer.headers[name].translate(str.maketrans("0123456789abcdef", "f" * 16))
            answer.headers[name] = flipped
    return answer


def _short(answer: Answer, fault: Fault) -> Answer:
    kept = answer.body_length // 2 if fault.after is None else fault.after
    answer.length = min(kept, answer.body_length)
    return answer


def _wrong_length(answer: Answer, fault: Fault) -> Answer:
    return _other_body(answer, Padded(_shown(answer), fault.extra))


def _corrupt(answer: Answer, fault: Fault) -> Answer:
    at = answer.body.size // 2 if fault.after is None else fault.after
    answer.body = Flipped(answer.body, at, fault.extra)
    return answer


def _mislabelled(answer: Answer, fault: Fault) -> Answer:
    text = HTML if fault.text is None else fault.text
    return _headers(_other_body(answer, Literal(text.encode())), fault)


def _chunked(answer: Answer, fault: Fault) -> Answer:
    answer.chunked = True
    return answer


def _shown(answer: Answer) -> Content:
    return Window(answer.body, answer.start, answer.body_length)


def _other_body(answer: Answer, body: Content) -> Answer:
    answer.body, answer.start, answer.length = body, 0, None
    return answer


_CHANGES = {
    "headers": _headers,
    "bad_etag": _bad_etag,
    "short": _short,
    "wrong_length": _wrong_length,
    "corrupt": _corrupt,
    "mislabelled": _mislabelled,
    "chunked": _chunked,
}


@dataclass(frozen=True)
class Derived:
    """A content made from another one; never hashed, never declared."""

    inner: Content

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def sha256(self) -> str:
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True)
class Window(Derived):
    offset: int
    length: int

    @property
    def size(self) -> int:
        return self.length

    def read(self, start: int, length: int) -> bytes:
        return self.inner.read(self.offset + start, min(length, self.length - start))


@dataclass(frozen=True)
class Padded(Derived):
    extra: int

    @property
    def size(self) -> int:
        return self.inner.size + self.extra

    def read(self, start: int, length: int) -> bytes:
        wanted = min(length, self.size - start)
        data = self.inner.read(start, wanted) if start < self.inner.size else b""
        return data + b"!" * (wanted - len(data))


@dataclass(frozen=True)
class Flipped(Derived):
    at: int
    count: int

    def read(self, start: int, length: int) -> bytes:
        data = bytearray(self.inner.read(start, length))
        for index in range(max(self.at, start), min(self.at + self.count, start + len(data))):
            data[index - start] ^= 0xFF
        return bytes(data)
