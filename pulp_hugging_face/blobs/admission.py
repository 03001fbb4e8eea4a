"""Room for ranges of a file of which the whole is not wanted."""

import asyncio
from operator import or_

from .journal import Flag
from .room import Room
from .work import Work


class Parts:
    """The segments of one file, as one process has it open, that there is room for."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._admitted = bytearray()  # one for each segment
        self._lock = asyncio.Lock()

    async def admit(self, work: Work, start: int, stop: int) -> None:
        """
        Make room for bytes `start` to `stop`. Raises StorageFull, for who asked alone.

        Segments are counted once, however many ask for them.
        """
        async with self._lock:
            first, last = work.layout.span(start, stop)
            need = self._missing(work, first, last)
            if need and not work.journal.get(Flag.WHOLE):
                await work.call(self._admit, work, need)
                self._admitted[first:last] = b"\1" * (last - first)

    def _missing(self, work: Work, first: int, last: int) -> int:
        journal, layout = work.journal, work.layout
        if journal.first_absent(first, last) == last:
            return 0
        self._admitted = self._admitted or bytearray(layout.count)
        known = bytes(map(or_, journal.marks()[first:last], self._admitted[first:last]))
        shorter = layout.segment - layout.length(last - 1) if not known[-1] else 0
        return known.count(0) * layout.segment - shorter

    def _admit(self, work: Work, need: int) -> None:
        self._room.admit(
            work.file.path, need, lambda: work.journal.promise(need, work.file.allocated())
        )
