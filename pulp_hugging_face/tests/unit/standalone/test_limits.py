"""Limits of processes."""

import resource
import subprocess
import sys

from pulp_hugging_face.standalone.limits import MOST

CODE = """
import resource
from pulp_hugging_face.standalone.limits import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
raise_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_as_many_files_may_be_open_as_the_system_permits() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    assert told.stdout.split() == [str(most), str(hard)]
