"""
A snapshot by huggingface_hub, run with the interpreter of a client's venv.

Arguments: the repository. The last line of output is a JSON object: how long the call took, how
many files it left and one digest over all of them. Nothing of this project can be imported here.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

from huggingface_hub import snapshot_download


def main(repo_id: str) -> None:
    began = time.perf_counter()
    root = Path(snapshot_download(repo_id))
    seconds = time.perf_counter() - began
    digest, count = hashlib.sha256(), 0
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
        count += 1
    print(json.dumps({"seconds": seconds, "files": count, "sha256": digest.hexdigest()}))


if __name__ == "__main__":
    main(sys.argv[1])
