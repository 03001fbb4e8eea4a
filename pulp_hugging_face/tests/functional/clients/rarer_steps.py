"""Steps of `steps.py` about what is no model, dataset or space, and about what is refused."""

from pathlib import Path


def bucket(name, large, folder):
    """All reads of a bucket that need no Xet."""
    from huggingface_hub import HfApi, HfFileSystem

    api, fs = HfApi(), HfFileSystem()
    paths = api.get_bucket_paths_info(name, [large, "nope"])
    with fs.open(f"buckets/{name}/{large}", "rb", block_size=64) as file:
        file.seek(1_000_000)
        block = file.read(4).hex()
    with fs.open(f"buckets/{name}/notes.txt", "rb", block_size=4) as file:
        file.seek(2)
        small = file.read(3).decode()
    fs.get(f"buckets/{name}/{large}", f"{folder}/fetched")
    return {
        "listed": [found.id for found in api.list_buckets(name.partition("/")[0])],
        "files": api.bucket_info(name).total_files,
        "tree": {entry.path: entry.size for entry in api.list_bucket_tree(name, recursive=True)},
        "paths": [[found.path, found.size] for found in paths],
        "ls": fs.ls(f"buckets/{name}/logs", detail=False),
        "blocks": [block, small],
        "cat": fs.cat(f"buckets/{name}/notes.txt").decode(),
        "stream": _stream(fs, f"buckets/{name}/notes.txt"),
    }


def _stream(fs, path):
    """A stream's parts, and what follows the end after its connection was lost (§1.5)."""
    with fs.open(path, "rb", block_size=0) as file:
        parts = [file.read(2).decode(), file.read().decode()]
        file._open_connection()
        return [*parts, file.read().decode()]


def bucket_metadata(name, path):
    """What `hf buckets cp` asks first; only Xet brings the file."""
    from huggingface_hub import HfApi

    return HfApi().get_bucket_file_metadata(name, path).size


def bucket_download(name, path, folder):
    """What `hf buckets cp` and `sync` do."""
    from huggingface_hub import HfApi

    HfApi().download_bucket_files(name, [(path, f"{folder}/downloaded")])


def security(**arguments):
    """The state of security scans; 0.23 has it under the Hub's own name."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(securityStatus=True, **arguments)
    name = "security_repo_status"
    return getattr(found, name if hasattr(found, name) else "securityRepoStatus")


def kernel(name, path):
    """All reads of a kernel."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    what = {"repo_id": name, "repo_type": "kernel"}
    file, root = Path(hf_hub_download(filename=path, **what)), Path(snapshot_download(**what))
    refs = HfApi().list_repo_refs(**what)
    return {
        "info": [HfApi().repo_info(**what).id, HfApi().repo_info(revision="v1", **what).sha],
        "file": file.resolve().name,
        "snapshot": sorted(
            found.relative_to(root).as_posix() for found in root.rglob("*") if found.is_file()
        ),
        "refs": {ref.ref: ref.target_commit for ref in (*refs.branches, *refs.tags)},
        "tree": sorted(entry.path for entry in HfApi().list_repo_tree(recursive=True, **what)),
    }


def write(what, size=None, **arguments):
    """A method of HfApi that would write; `size` makes a file of zeros to upload."""
    from huggingface_hub import HfApi

    if size is not None:
        arguments["path_or_fileobj"] = b"\0" * size
    if isinstance(arguments.get("path_or_fileobj"), str):
        arguments["path_or_fileobj"] = arguments["path_or_fileobj"].encode()
    return str(getattr(HfApi(), what)(**arguments))


def write_commit(**arguments):
    """A commit of two operations."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    operations = [CommitOperationAdd("a.txt", b"x"), CommitOperationDelete("config.json")]
    return str(HfApi().create_commit(operations=operations, **arguments))
