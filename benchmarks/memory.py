"""
Memory that was used before.

A virtual machine gets memory from its host the first time a page is written, which takes ten times
as long as writing it does afterwards (2.5 s for 1 GiB, seen on the machine of our results), and
gives back what is free for some seconds. A row that fills the page cache would measure that, and
differently each time.
"""

import mmap
import os
import subprocess
import sys

PAGE = 4096


def use(size: int) -> None:
    """Let a process of its own write to so much memory, if there is twice as much, and end."""
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if available > 2 * size:
        subprocess.run([sys.executable, "-m", __name__, str(size)], check=True)


def main(size: int) -> None:
    with mmap.mmap(-1, size) as memory:
        for offset in range(0, size, PAGE):
            memory[offset] = 1


if __name__ == "__main__":
    main(int(sys.argv[1]))
