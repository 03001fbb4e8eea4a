"""Requests and answers as values: handlers map one to the other and never touch a socket."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from .content import EMPTY, Content, Literal

EXPOSED = (
    "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,"
    "Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash"
)
CORS = {
    "Access-Control-Allow-Origin": "https://huggingface.co",
    "Access-Control-Expose-Headers": EXPOSED,
    "Vary": "Origin, Accept",
}
SINGLE_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


@dataclass(frozen=True)
class Ask:
    """A request; the path is kept as it came (§1.1: route on the raw path). `peer`: who asks."""

    origin: str
    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = ""

    @cached_property
    def path(self) -> str:
        return unquote(self.raw_path)

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.raw_query, keep_blank_values=True)

    @property
    def target(self) -> str:
        return self.raw_path + (f"?{self.raw_query}" if self.raw_query else "")

    def values(self, name: str) -> list[str]:
        """All values of `name` and of `name[]` (§2.3)."""
        return [value for key, value in self.query if key in (name, f"{name}[]")]

    def value(self, name: str, default: str = "") -> str:
        found = self.values(name)
        return found[0] if found else default

    def flag(self, name: str) -> bool:
        """Booleans arrive as `true`, `True`, `1` or with no value at all (§2.3)."""
        found = self.values(name)
        return bool(found) and found[0].lower() in ("true", "1", "")

    def number(self, name: str, default: int) -> int:
        text = self.value(name)
        return int(text) if text.isdigit() else default

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass
class Answer:
    """A response; `blob` marks repository bytes, `chunked` leaves the length unsaid."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Content = EMPTY
    start: int = 0
    length: int | None = None
    blob: bool = False
    chunked: bool = False

    @property
    def body_length(self) -> int:
        return self.body.size - self.start if self.length is None else self.length


def json_answer(data: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return _text(body, "application/json; charset=utf-8", headers, status)


def text_answer(text: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    return _text(text.encode(), "text/plain; charset=utf-8", headers, status)


def _text(body: bytes, kind: str, headers: Mapping[str, str] | None, status: int) -> Answer:
    base = {**CORS, "Content-Type": kind, "ETag": weak_etag(body)}
    return Answer(status, {**base, **(headers or {})}, Literal(body))


def weak_etag(body: bytes) -> str:
    """The ETag of Express for a generated body: length and 27 characters of a sha1."""
    digest = base64.b64encode(hashlib.sha1(body).digest())[:27].decode()
    return f'W/"{len(body):x}-{digest}"'


def redirect_answer(status: int, location: str, headers: Mapping[str, str] | None = None) -> Answer:
    phrase = {302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect"}[status]
    answer = text_answer(f"{phrase}. Redirecting to {location}", headers, status)
    del answer.headers["ETag"]
    answer.headers["Location"] = location
    return answer


def not_modified(headers: Mapping[str, str]) -> Answer:
    return Answer(304, {key: value for key, value in headers.items() if key != "Content-Type"})


def etag_matches(ask: Ask, etag: str) -> bool:
    """Weak comparison, as RFC 9110 §13.1.2 asks for `If-None-Match`."""
    asked = ask.headers.get("If-None-Match", "")
    names = [name.strip().removeprefix("W/") for name in asked.split(",")]
    return "*" in names or etag.removeprefix("W/") in names


def file_answer(ask: Ask, content: Content, headers: Mapping[str, str]) -> Answer:
    """200, 206 or 416 for a file (rule 7); several ranges or nonsense mean the whole file."""
    base = {**headers, "Accept-Ranges": "bytes"}
    wanted = parse_range(ask.headers.get("Range", ""), content.size)
    same = ask.headers.get("If-Range") in (None, headers.get("ETag"))
    if wanted is None or ask.method == "HEAD" or not same:
        return Answer(200, base, content, blob=True)
    first, last = wanted
    if first > last:
        return Answer(416, {**base, "Content-Range": f"bytes */{content.size}"})
    base["Content-Range"] = f"bytes {first}-{last}/{content.size}"
    return Answer(206, base, content, first, last - first + 1, blob=True)


def compressed(ask: Ask, answer: Answer) -> Answer:
    """The answer in gzip where it is whole, textual and worth it."""
    kind = answer.headers.get("Content-Type", "")
    textual = kind.startswith(("text/", "application/json"))
    accepted = "gzip" in ask.headers.get("Accept-Encoding", "")
    if answer.status != 200 or not (textual and accepted) or answer.body.size < 1000:
        return answer
    body = gzip.compress(answer.body.read(0, answer.body.size), mtime=0)
    weak = "W/" + answer.headers["ETag"].removeprefix("W/")
    headers = {"Content-Encoding": "gzip", "ETag": weak, "Vary": "Origin, Accept, Accept-Encoding"}
    return Answer(200, answer.headers | headers, Literal(body), blob=answer.blob)


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte, (1, 0) if it cannot be satisfied, None if there is no such range."""
    match = SINGLE_RANGE.match(text.strip())
    if not match or match[0] == "bytes=-":
        return None
    if not match[1]:
        suffix = int(match[2])
        return (max(size - suffix, 0), size - 1) if suffix and size else (1, 0)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first <= last else (1, 0)
