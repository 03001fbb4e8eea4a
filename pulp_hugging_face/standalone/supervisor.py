"""Keeping children alive, and ending them all."""

import time
from collections.abc import Callable, Sequence

from .children import Child, rotate
from .errors import ChildGivenUp
from .signals import Signals

TICK = 1.0
LOG_CHECK_SECONDS = 60.0
# Quick deaths in a row until we give up: what never worked is rarely healed by repetition, what
# worked deserves some patience (a full disk, a database that restarts).
PATIENCE_AT_START = 3
PATIENCE = 6


class Supervisor:
    """
    The children of one instance. `changed` is called whenever one was started, `note` with a line
    for the user when one died.

    PostgreSQL is added first, so that all others are stopped before it.
    """

    def __init__(
        self,
        signals: Signals,
        changed: Callable[[], None] = lambda: None,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.signals = signals
        self.children: list[Child] = []
        self.changed = changed
        self.note = note
        self.patience = PATIENCE_AT_START
        self._logs_checked = time.monotonic()

    def start(self, child: Child) -> None:
        """Start a child and look after it from now on."""
        self.children.append(child)
        child.start()
        self.changed()

    def run(self) -> None:
        """Look after the children until asked to stop (Stopped) or one is hopeless."""
        self.patience = PATIENCE
        while True:
            self.wait(TICK)

    def wait(self, seconds: float) -> None:
        """Wait a moment while looking after the children; raises Stopped, ChildGivenUp."""
        self.signals.wait(min([seconds, *self._due_in()]))
        self.check()

    def check(self) -> None:
        """Start again what died and whose time has come; raises ChildGivenUp."""
        for child in self.children:
            if child.running():
                continue
            if child.due is None:
                self._bury(child)
            elif time.monotonic() >= child.due:
                child.start()
                self.changed()
        if time.monotonic() - self._logs_checked > LOG_CHECK_SECONDS:
            self._logs_checked = time.monotonic()
            for child in self.children:
                rotate(child.spec.log)

    def _bury(self, child: Child) -> None:
        delay = child.backoff.died(child.lived(), self.patience)
        if delay is None:
            raise ChildGivenUp(
                child.name, child.backoff.quick_deaths, child.how, child.spec.log, child.tail()
            )
        child.due = time.monotonic() + delay
        self.note(f"{child.name} died ({child.how}), starting it again; log: {child.spec.log}")

    def _due_in(self) -> list[float]:
        now = time.monotonic()
        return [max(0.01, child.due - now) for child in self.children if child.due is not None]

    def stop(self) -> None:
        """
        Stop all children and return when none is left.

        A second signal while this goes on means "now": the rest is killed.
        """
        database = self.children[:1] if self.children and not self.children[0].spec.group else []
        others = [child for child in self.children if child not in database]
        self._stop(others)
        self._stop(database)

    def _stop(self, children: Sequence[Child]) -> None:
        asked = self.signals.stops
        for child in children:
            child.stop()
        deadline = time.monotonic() + max([child.spec.grace for child in children], default=0)
        while _alive(children):
            if time.monotonic() > deadline or self.signals.stops > asked + 1:
                self._kill(children)
                return
            self.signals.pause(0.1)

    def _kill(self, children: Sequence[Child]) -> None:
        for child in children:
            child.kill()
        deadline = time.monotonic() + 10
        while _alive(children) and time.monotonic() < deadline:
            self.signals.pause(0.1)


def _alive(children: Sequence[Child]) -> bool:
    """Tell whether any child runs; asks all of them, since asking also cleans up."""
    return bool([child for child in children if child.running()])
