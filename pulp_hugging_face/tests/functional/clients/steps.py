"""
What clients do, run as a program inside a client's venv.

Standard input: a JSON list of [step, arguments]; the last line of output: a JSON list of
{"value": …} or {"error": class, …}. Works with every version of huggingface_hub under test.
"""

import hashlib
import json
import sys
import time
from pathlib import Path


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def download(**arguments):
    """One file: the name of its blob in the cache, its digest and its commit's folder."""
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(**arguments))
    return {
        "blob": path.resolve().name,
        "sha256": digest(path),
        "size": path.stat().st_size,
        "path": str(path),
        "commit": _commit_in(path),
    }


def _commit_in(path):
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def downloads(wanted):
    """Several files by name; the first failure is the step's."""
    return {name: download(**arguments) for name, arguments in wanted.items()}


def snapshot(**arguments):
    """A snapshot: the digest of every file by its path."""
    from huggingface_hub import snapshot_download

    root = Path(snapshot_download(**arguments))
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): digest(path) for path in files}


def tree(**arguments):
    """A listing: path, and size of files."""
    from huggingface_hub import HfApi

    entries = HfApi().list_repo_tree(**arguments)
    return [[entry.path, getattr(entry, "size", None)] for entry in entries]


def info(kind="model", **arguments):
    """An info object: what tests look at."""
    from huggingface_hub import HfApi

    found = getattr(HfApi(), f"{kind}_info")(**arguments)
    return {
        "id": found.id,
        "sha": found.sha,
        "siblings": {s.rfilename: s.size for s in found.siblings or ()},
        "tags": found.tags,
        "modified": found.last_modified.isoformat() if found.last_modified else None,
    }


def refs(**arguments):
    """All refs by their full names."""
    from huggingface_hub import HfApi

    found = HfApi().list_repo_refs(include_pull_requests=True, **arguments)
    groups = (found.branches, found.tags, found.converts, found.pull_requests)
    return {ref.ref: ref.target_commit for group in groups for ref in group}


def paths_info(**arguments):
    """The entries of some paths."""
    from huggingface_hub import HfApi

    return sorted(entry.path for entry in HfApi().get_paths_info(**arguments))


def exists(what, **arguments):
    """`file_exists`, `repo_exists` or `revision_exists`."""
    import huggingface_hub

    return getattr(huggingface_hub, f"{what}_exists")(**arguments)


def metadata(**arguments):
    """What the client reads from a HEAD."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    found = get_hf_file_metadata(hf_hub_url(**arguments))
    return {
        "commit": found.commit_hash,
        "etag": found.etag,
        "size": found.size,
        "xet": getattr(found, "xet_file_data", None) is not None,
    }


def known_missing(**arguments):
    """Whether the cache remembers that a file does not exist."""
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(**arguments)
    return found is huggingface_hub._CACHED_NO_EXIST


def block(path, start, length):
    """Bytes from the middle of a file, by HfFileSystem."""
    from huggingface_hub import HfFileSystem

    with HfFileSystem().open(path, "rb") as file:
        file.seek(start)
        return file.read(length).hex()


def auto(repo_id, text, **arguments):
    """Config and tokenizer of transformers."""
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(repo_id, **arguments)
    tokenizer = AutoTokenizer.from_pretrained(repo_id, **arguments)
    return {
        "model_type": config.model_type,
        "vocab_size": config.vocab_size,
        "tokens": tokenizer(text)["input_ids"],
        "tokenizer": type(tokenizer).__name__,
        "length": len(tokenizer),
    }


def versions():
    """What is installed."""
    import importlib.metadata

    return {name: importlib.metadata.version(name) for name in ("huggingface_hub", "hf_xet")}


def run(step, arguments):
    started = time.monotonic()
    try:
        return {"value": globals()[step](**arguments), "seconds": time.monotonic() - started}
    except Exception as error:
        response = getattr(error, "response", None)
        return {
            "error": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "message": str(error)[:2000],
            "status": getattr(response, "status_code", None),
            "server_message": getattr(error, "server_message", None),
            "seconds": time.monotonic() - started,
        }


if __name__ == "__main__":
    outcomes = [run(step, arguments) for step, arguments in json.load(sys.stdin)]
    print("\n" + json.dumps(outcomes))
