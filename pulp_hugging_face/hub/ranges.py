"""Ranges and conditions of file requests (RFC 9110 §13, §14)."""

import re
from dataclasses import dataclass, field

from .errors import RangeNotSatisfiable

_SINGLE = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """
    Bytes `start` up to, not including, `stop` of a file of `size` bytes.

    `open_ended` tells that no end was asked for ("bytes=5-").
    """

    start: int
    stop: int
    size: int
    open_ended: bool = field(default=False, compare=False)

    @property
    def length(self) -> int:
        """Return how many bytes the range has."""
        return self.stop - self.start

    @property
    def is_whole(self) -> bool:
        """Tell whether the range is the whole file."""
        return self.length == self.size

    @property
    def resumes(self) -> bool:
        """Tell whether somebody goes on with what was downloaded before."""
        return self.open_ended and self.start > 0

    @property
    def content_range(self) -> str:
        """Return the Content-Range value; the total is always a number (§1.5)."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """
    Return the range asked for, clamped to the file, or None to answer with the whole.

    Malformed and multiple ranges are ignored, as RFC 9110 §14.2 allows. Raises
    RangeNotSatisfiable when the range begins behind the end.
    """
    match = _SINGLE.fullmatch(header) if header else None
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = _number(match.group(1)), _number(match.group(2))
    if first is None:  # the last N bytes
        if not last or size == 0:
            raise RangeNotSatisfiable(size)
        return ByteRange(max(0, size - last), size, size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    if last is None:
        return ByteRange(first, size, size, open_ended=True)
    return ByteRange(first, min(last + 1, size), size)


def _number(digits: str) -> int | None:
    """Return the number, or one beyond every file: int() refuses thousands of digits."""
    return int(digits.lstrip("0")[:20] or "0") if digits else None


def etag_in(header: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match list names the quoted ETag (weak comparison) or is "*"."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def range_applies(if_range: str | None, etag: str) -> bool:
    """Tell whether a Range may be honoured: no If-Range, or one naming our strong ETag."""
    return if_range is None or if_range.strip() == etag
