"""How many files and connections the processes may have open."""

import contextlib
import resource

# No limit at all makes programs slow that look at each number there could be.
MOST = 1 << 20


def raise_open_files() -> None:
    """
    Allow as many as the system permits this user, up to a million.

    Each client takes one, and a soft limit of 1024 is common. Children inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
