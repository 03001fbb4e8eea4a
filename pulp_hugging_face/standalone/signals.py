"""
Waiting that signals can end.

The supervisor has one thread and waits in one place, so that a stop is noticed at once in every
phase and no handler runs code in the middle of something.
"""

import os
import select
import signal
from types import FrameType


class Stopped(BaseException):
    """
    Somebody asked us to stop (Ctrl-C, SIGTERM, the terminal went away).

    Like KeyboardInterrupt not an Exception: no handler of errors may swallow it.
    """


class Signals:
    """Signals as something to wait for. Only one instance may exist, in the main thread."""

    def __init__(self) -> None:
        self.stops = 0
        self._read, write = os.pipe()
        for descriptor in (self._read, write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup and background shells ignore some signals on purpose.
            if signal.getsignal(signum) is not signal.SIG_IGN or signum == signal.SIGTERM:
                signal.signal(signum, self._stop)
        # A handler that does nothing: the signal must only end the waiting.
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self.stops += 1

    def pause(self, seconds: float) -> None:
        """Wait until a signal arrives, at most so long."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4096)

    def wait(self, seconds: float) -> None:
        """Wait like `pause`; raises Stopped when asked to stop."""
        self.check()
        self.pause(seconds)
        self.check()

    def check(self) -> None:
        """Raise Stopped when asked to stop."""
        if self.stops:
            raise Stopped
