"""
What clients do, run as a program inside a client's venv.

Standard input: a JSON list of [step, arguments]; the last line of output: a JSON object with
"steps", a list of {"value": …} or {"error": class, …}, and "hosts". Works with every version of
huggingface_hub under test. Steps that need other libraries are in `library_steps.py`, rarer ones
in `rarer_steps.py`.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import sitecustomize  # the recorder, see recorder/sitecustomize.py


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


def everything(endpoint, repo_id, sha, paths, folder):
    """All reads of a repository at an endpoint, files into an empty folder."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    api, here = HfApi(endpoint=endpoint), {"repo_id": repo_id, "endpoint": endpoint}
    files = {
        f"{revision} {path}": digest(
            hf_hub_download(
                filename=path, revision=revision, cache_dir=f"{folder}/{revision}", **here
            )
        )
        for revision in ("main", sha)
        for path in paths
    }
    root = Path(snapshot_download(cache_dir=f"{folder}/snapshot", **here))
    info = api.model_info(repo_id)
    return {
        "files": files,
        "snapshot": sorted(path.name for path in root.rglob("*") if path.is_file()),
        "info": [info.sha, sorted(sibling.rfilename for sibling in info.siblings)],
        "tree": sorted(entry.path for entry in api.list_repo_tree(repo_id, recursive=True)),
        "refs": {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).branches},
        "paths": sorted(entry.path for entry in api.get_paths_info(repo_id, paths)),
    }


def info_at(endpoint, **arguments):
    """The commit, asked at an endpoint that is given as it is (§6, trailing slash)."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint).model_info(**arguments).sha


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


def entries(**arguments):
    """The entries of some paths with what `expand` adds."""
    from huggingface_hub import HfApi

    found = HfApi().get_paths_info(expand=True, **arguments)
    return {
        entry.path: {
            "kind": type(entry).__name__,
            "commit": entry.last_commit.oid,
            "title": entry.last_commit.title,
            "date": entry.last_commit.date.isoformat(),
        }
        for entry in found
    }


def commits(**arguments):
    """A history: commit, title, date and authors, newest first."""
    from huggingface_hub import HfApi

    found = HfApi().list_repo_commits(**arguments)
    return [[c.commit_id, c.title, c.created_at.isoformat(), c.authors] for c in found]


def file_infos(**arguments):
    """Size, blob and LFS digest of all files, as the info object tells them."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(files_metadata=True, securityStatus=True, **arguments)
    return {
        s.rfilename: [s.size, s.blob_id, s.lfs["sha256"] if s.lfs else None] for s in found.siblings
    }


def listed(kind, **arguments):
    """The ids of a list or search of models, datasets or spaces."""
    from huggingface_hub import HfApi

    return [item.id for item in getattr(HfApi(), f"list_{kind}")(**arguments)]


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


def stream(path, piece):
    """Digest of a file that is read as a stream, by HfFileSystem."""
    from huggingface_hub import HfFileSystem

    seen = hashlib.sha256()
    with HfFileSystem().open(path, "rb", block_size=0) as file:
        while data := file.read(piece):
            seen.update(data)
    return seen.hexdigest()


def glob(pattern):
    """What HfFileSystem finds."""
    from huggingface_hub import HfFileSystem

    return sorted(HfFileSystem().glob(pattern))


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


def find(step):
    """The function of a step, here or in the other modules."""
    if step in globals():
        return globals()[step]
    import rarer_steps

    if hasattr(rarer_steps, step):
        return getattr(rarer_steps, step)
    import library_steps

    return getattr(library_steps, step)


def run(step, arguments):
    started, first = time.monotonic(), len(sitecustomize.REQUESTS)
    try:
        outcome = {"value": find(step)(**arguments)}
    except Exception as error:
        response = getattr(error, "response", None)
        outcome = {
            "error": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "message": str(error)[:2000],
            "status": getattr(response, "status_code", None),
            "server_message": getattr(error, "server_message", None),
        }
    outcome["requests"] = sitecustomize.REQUESTS[first:]
    return {**outcome, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    done = [run(step, arguments) for step, arguments in json.load(sys.stdin)]
    print("\n" + json.dumps({"steps": done, "hosts": sitecustomize.HOSTS}))
