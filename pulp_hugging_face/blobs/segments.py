"""Arithmetic of segments, runs and appetite: pure, so that it can be tested by the thousand."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MIB = 1024 * 1024
# What is marked as present, locked and fetched again as one piece.
SEGMENT = MIB
# A journal has a byte for each; larger files (1 TiB) have larger segments.
MOST_SEGMENTS = 1024 * 1024
# Files up to this size are fetched by one request; of larger ones several runs at a time.
PARALLEL_ABOVE = 64 * MIB
# A run is a part of the file of this order, so that it has some dozens of them: each costs the Hub
# a request for a signed address.
RUNS_OF_A_FILE = 32
SHORTEST_RUN = 32 * MIB
LONGEST_RUN = 256 * MIB
# A short range: it does not start the download of a large file, and the verification of the whole
# is not waited for at its end. Also what "near" means to a range.
AHEAD = 8 * MIB
# As far as this, a reader of a long range has the bytes before it fetched.
WINDOW = 64 * MIB
_PRESENT = re.compile(rb"[^\0]")


@dataclass(frozen=True, slots=True)
class Layout:
    """A file cut into segments; the last one may be shorter."""

    size: int
    segment: int = SEGMENT

    @classmethod
    def of(cls, size: int) -> "Layout":
        """Return the layout of a file of some size: about a million segments at most."""
        return cls(size, SEGMENT * max(1, -(-size // (SEGMENT * MOST_SEGMENTS))))

    @property
    def count(self) -> int:
        """Return the number of segments."""
        return -(-self.size // self.segment)

    def first_byte(self, index: int) -> int:
        """Return where a segment begins; of the one behind the last, the file's size."""
        return min(index * self.segment, self.size)

    def length(self, index: int) -> int:
        """Return the bytes of a segment."""
        return self.first_byte(index + 1) - self.first_byte(index)

    def index(self, offset: int) -> int:
        """Return the segment that holds a byte."""
        return offset // self.segment

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first segment of bytes `start` to `stop`, and the one behind their last."""
        if start >= stop:
            return self.index(start), self.index(start)
        return self.index(start), -(-min(stop, self.size) // self.segment)

    @property
    def run(self) -> int:
        """Return how many segments one request to the upstream asks for, at most."""
        if self.size <= PARALLEL_ABOVE:
            return max(self.count, 1)
        length = min(max(self.size // RUNS_OF_A_FILE, SHORTEST_RUN), LONGEST_RUN)
        return length // self.segment


def is_rest(size: int, start: int, stop: int) -> bool:
    """
    Tell whether bytes up to the end are so many that they are the rest of a download, for which
    the whole is worth having: the end of a large file may be wanted by itself.
    """
    return stop == size and (size <= PARALLEL_ABOVE or stop - start > AHEAD)


def absent_run(
    marks: bytes, taken: Iterable[tuple[int, int]], first: int, last: int
) -> tuple[int, int] | None:
    """
    Return the first run of segments in `first` to `last` that are absent and not taken.

    `marks` holds a byte per segment, zero for absent; `taken` are runs under way.
    """
    busy = sorted((left, right) for left, right in taken if left < right)
    for begin, end in _absent(marks, first, last):
        free = _outside(busy, begin, end)
        if free is not None:
            return free
    return None


def _absent(marks: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    begin = marks.find(b"\0", first, last)
    while begin >= 0:
        present = _PRESENT.search(marks, begin, last)
        end = present.start() if present else last
        yield begin, end
        begin = marks.find(b"\0", end, last)


def _outside(busy: list[tuple[int, int]], begin: int, end: int) -> tuple[int, int] | None:
    """Return the first part of `begin` to `end` that no (sorted) run in `busy` touches."""
    for left, right in busy:
        if right <= begin:
            continue
        if left > begin:
            end = min(end, left)
            break
        begin = right
    return (begin, end) if begin < end else None


@dataclass(slots=True)
class Appetite:
    """
    How much of a file is wanted, from what was asked for.

    A short range of a large file must not start the download of 60 GB; who wants about half of it,
    or begins at the beginning and goes on, will want the rest.
    """

    layout: Layout
    _asked: list[tuple[int, int]] = field(default_factory=list)
    _last: int | None = None
    _ahead: int = 0

    def wants_whole(self, start: int, stop: int) -> bool:
        """Tell whether a range means that the whole is wanted."""
        size, length = self.layout.size, stop - start
        if size <= 2 * AHEAD or 2 * length > size:
            return True
        if start <= AHEAD < length:
            return True
        return 2 * self._note(start, stop) > size

    def _note(self, start: int, stop: int) -> int:
        """Add a range to those asked for; return how many bytes they are together."""
        merged: list[tuple[int, int]] = []
        for begin, end in sorted([*self._asked, (start, stop)]):
            if merged and begin <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((begin, end))
        if len(merged) <= 4096:
            self._asked = merged
        return sum(end - begin for begin, end in merged)

    def read_ahead(self, start: int, stop: int) -> int:
        """Return up to where bytes are wanted: further each time that ranges follow in a row."""
        last, near = self._last, self.layout.segment
        follows = last is not None and abs(start - last) <= near
        self._ahead = min(max(2 * self._ahead, stop - start), WINDOW) if follows else 0
        self._last = stop
        return min(stop + self._ahead, self.layout.size)
