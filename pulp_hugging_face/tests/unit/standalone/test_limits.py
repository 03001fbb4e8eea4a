"""Limits of processes."""

import resource
import subprocess
import sys

CODE = """
import resource
from pulp_hugging_face.standalone.limits import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
raise_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_as_many_files_may_be_open_as_the_system_permits() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    hard = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert told.stdout.split() == [hard, hard]
