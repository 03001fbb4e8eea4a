"""How many files and connections the processes may have open."""

import contextlib
import resource


def raise_open_files() -> None:
    """
    Allow as many as the system permits this user.

    Each client takes one, and a soft limit of 1024 is common. Children inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
