"""Which segments this process fetches, and when."""

from collections.abc import Callable

from .journal import Lock
from .segments import PARALLEL_ABOVE, SHORTEST_RUN, absent_run
from .source import Source
from .transfer import Transfer
from .work import Work

# Runs of one file at a time, of all processes of the host together.
PARALLEL = 4
# Of what readers wait for, so many more at a time in a process: ranges far from each other.
URGENT = 16


class Runs:
    """
    The runs of one fill.

    First what a reader waits for, wherever it is; then, if the whole is wanted, the rest from the
    beginning, several runs at a time where the file is large.
    """

    def __init__(
        self,
        work: Work,
        source: Source,
        spawn: Callable[..., None],
    ) -> None:
        self.hungry: list[tuple[int, int]] = []
        self._work = work
        self._source = source
        self._spawn = spawn
        self._under_way: dict[Transfer, int | None] = {}
        self._permitted = False

    def permit(self) -> None:
        """Allow to fetch the whole: no other host does."""
        self._permitted = True
        self._work.kick()

    @property
    def under_way(self) -> int:
        """Return how many runs this process fetches."""
        return len(self._under_way)

    def covers(self, index: int) -> bool:
        """Tell whether a segment is about to come to this process."""
        run = self._run_of(index)
        return run is not None and run.is_near(index)

    def _run_of(self, index: int) -> Transfer | None:
        """Return the run under way that is to bring a segment."""
        return next((run for run in self._under_way if run.first <= index < run.last), None)

    def start(self, *, whole: bool) -> bool:
        """Start what can be started; tell whether there is something to wait for elsewhere."""
        if whole and not self._permitted:
            return True
        foreign = self._start_urgent()
        self._start_hungry()
        if whole or self._work.sequential:
            foreign |= self._start_rest()
        return foreign

    def _start_urgent(self) -> bool:
        work, foreign = self._work, False
        for index, until in work.waiters.demands():
            if index >= work.layout.count or work.journal.present(index) or self.covers(index):
                continue
            last = min(max(until, index + 1), index + work.layout.run)
            run = self._run_of(index)
            later = run is not None and run.is_soon_at(index)  # looked at again, it may slow down
            if later or work.sequential or len(self._under_way) >= URGENT:
                foreign = True
                continue
            if run is not None:
                run.shorten(index)
            foreign |= not self._start(index, last, exactly=True)
        return foreign

    def _start_hungry(self) -> None:
        hungry, self.hungry = self.hungry, []
        marks = self._work.journal.marks() if hungry else b""
        for first, last in hungry:
            run = absent_run(marks, self._taken(), first, last)
            if run is not None and not self._work.sequential and len(self._under_way) < URGENT:
                self._start(*run)

    def _start_rest(self) -> bool:
        """Start runs from the beginning, as many as there may be."""
        work, layout = self._work, self._work.layout
        marks, first = work.journal.marks(), work.prefix()
        while (run := absent_run(marks, self._taken(), first, layout.count)) is not None:
            if not self._has_turn():
                return True
            begin, end = run
            slot = self._take_slot()
            if slot is None:
                return self._may_wait_for_slots()
            end = layout.count if work.sequential else min(end, begin + layout.run)
            if not self._start(begin, end, slot):
                work.journal.unlock(Lock.RUNS + slot)
                return True
            first = begin
        return False

    def _has_turn(self) -> bool:
        """
        Tell whether one more run would begin at once.

        Those of one file do not queue behind each other: its rest, which somebody may be reading,
        would wait for what comes long after it.
        """
        waiting = sum(run.is_waiting for run in self._under_way)
        return not self._under_way or self._source.room() > waiting

    @property
    def _limit(self) -> int:
        size = self._work.layout.size
        if size <= PARALLEL_ABOVE or self._work.sequential:
            return 1
        # What runs have under way is lost when their process dies: little of a smaller file.
        return min(PARALLEL, size // SHORTEST_RUN)

    def _take_slot(self) -> int | None:
        own = set(self._under_way.values())
        for slot in range(self._limit):
            if slot not in own and self._work.journal.try_lock(Lock.RUNS + slot):
                return slot
        return None

    def _may_wait_for_slots(self) -> bool:
        """Tell whether other processes have slots (those of our own tell when they are free)."""
        own = [slot for slot in self._under_way.values() if slot is not None]
        return len(own) < self._limit

    def _taken(self) -> list[tuple[int, int]]:
        return [(run.first, run.last) for run in self._under_way]

    def _start(self, first: int, last: int, slot: int | None = None, exactly: bool = False) -> bool:
        """Lock and fetch what is free of some segments; tell whether there is any."""
        journal = self._work.journal
        # Up to the next run of our own: to the kernel its locks are ours as well, and they would be
        # given back with these.
        last = min([last, *(run.first for run in self._under_way if run.first > first)])
        got = journal.lock_segments(first, last)
        if got is None:
            return False
        # Looked at again: their last holder may have marked them before giving them back.
        run = absent_run(journal.marks(), [], *got) if not self._work.sequential else got
        if run is None or (exactly and run[0] != first):
            journal.unlock_segments(*got)
            return False
        journal.unlock_segments(got[0], run[0])
        journal.unlock_segments(run[1], got[1])
        if slot is None:
            slot = self._take_slot()
        transfer = Transfer(self._work, self._source, *run)
        self._under_way[transfer] = slot
        self._spawn(self._run, transfer)
        return True

    async def _run(self, transfer: Transfer) -> None:
        try:
            await transfer.run()
        finally:
            self._put_away(transfer)

    def _put_away(self, transfer: Transfer) -> None:
        slot = self._under_way.pop(transfer, None)
        if slot is not None:
            self._work.journal.unlock(Lock.RUNS + slot)

    def give_up(self) -> None:
        """Give back what runs hold that were stopped before they began."""
        for transfer in list(self._under_way):
            transfer.give_back()
            self._put_away(transfer)
