"""How many cores this process may use."""

import math
import os
from contextlib import suppress
from pathlib import Path

# Of cgroups, version 2: "max 100000" or the microseconds in each period of so many.
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """Return the cores of the machine, or those that affinity or a container leaves us."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS
        cores = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no cgroup, or no limit
        quota, period = (int(word) for word in cpu_max.read_text().split())
        cores = min(cores, math.ceil(quota / period))
    return max(cores, 1)
