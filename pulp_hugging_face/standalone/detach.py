"""`--detach`: the same run in a process of its own, watched until it is ready or has failed."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_READY = b"ready"


class Background:
    """The child's side: it tells that it is ready, and where it writes from then on."""

    def __init__(self, status: int) -> None:
        self._status = status

    def ready(self, log: Path) -> None:
        """Let the waiting command end; everything said later goes to a log."""
        sys.stdout.flush()
        sys.stderr.flush()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(log, flags, 0o600)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        os.close(descriptor)
        # The waiting command may have been killed meanwhile.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._status, _READY)
        os.close(self._status)


def run(body: Callable[[Background], int]) -> int:
    """Run `body` in the background; returns 0 once it is ready, else its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    output, status = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(output[0])
        os.close(status[0])
        _leave_terminal(output[1])
        code = 1
        try:
            code = body(Background(status[1]))
        except BaseException:
            # The end of this process: what nobody foresaw must not vanish silently.
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: the caller's frames belong to the other process.
            os._exit(code)
    os.close(output[1])
    os.close(status[1])
    return _watch(pid, output[0], status[0])


def _leave_terminal(output: int) -> None:
    """Become independent of the terminal; what is said goes to the waiting command."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)


def _watch(pid: int, output: int, status: int) -> int:
    """Show what the child says until it is ready or gone."""
    try:
        while block := os.read(output, 65536):
            os.write(1, block)
        if os.read(status, len(_READY)) == _READY:
            return 0
    except KeyboardInterrupt:
        os.kill(pid, signal.SIGTERM)
    _, result = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(result) or 1
