"""
Steps one after another for as long as there is input: a line with [step, arguments], a line back.

A process that lives, as notebooks and services do; what `steps.py` has can be done.
"""

import json
import os
import sys

import steps


def forget_listings():
    """HfFileSystem keeps listings in its instance, which would hide what the server says."""
    from huggingface_hub import HfFileSystem

    HfFileSystem.clear_instance_cache()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints
    for line in sys.stdin:
        step, arguments = json.loads(line)
        forget_listings()
        answers.write(json.dumps(steps.run(step, arguments)) + "\n")
        answers.flush()
