"""Steps for the real client, run as a program: step names in, one JSON object out."""

import hashlib
import json
import sys
from pathlib import Path

from huggingface_hub import HfApi, HfFileSystem, get_hf_file_metadata, hf_hub_url
from huggingface_hub import hf_hub_download as download
from huggingface_hub import snapshot_download as snapshot

api = HfApi()


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def blob(path):
    return [Path(path).resolve().name, digest(path)]


def tree_digests(folder):
    root = Path(folder)
    return {str(p.relative_to(root)): digest(p) for p in root.rglob("*") if p.is_file()}


def refusal(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except Exception as error:
        return type(error).__name__
    return "nothing"


def files():
    """Matrix A: one after another."""
    ask = {
        "config": ("org/repo", "config.json", {}),
        "lfs": ("org/repo", "model.safetensors", {}),
        "empty": ("org/repo", "empty.txt", {}),
        "odd": ("org/repo", "sub dir/é #1.txt", {}),
        "percent": ("org/repo", "fi le#1?%41.txt", {}),
        "dev": ("org/repo", "config.json", {"revision": "dev"}),
        "tag": ("org/repo", "config.json", {"revision": "v1"}),
        "pr": ("org/repo", "sub dir/pr.txt", {"revision": "refs/pr/1"}),
        "slash": ("org/repo", "feature.txt", {"revision": "feat/x"}),
        "alias": ("gpt2", "config.json", {}),
        "dataset": ("org/ds", "data/train.csv", {"repo_type": "dataset"}),
        "space": ("org/space", "app.py", {"repo_type": "space"}),
        "parquet": ("org/ds", "default/train/0000.parquet",
                    {"repo_type": "dataset", "revision": "refs/convert/parquet"}),
    }  # fmt: skip
    return {key: blob(download(repo, name, **more)) for key, (repo, name, more) in ask.items()}


def snapshots():
    return {repo: tree_digests(snapshot(repo)) for repo in ("org/repo", "gpt2", "org/big")}


def listings():
    many = [entry.path for entry in api.list_repo_tree("org/many", recursive=True)]
    refs = api.list_repo_refs("org/repo", include_pull_requests=True)
    infos = api.get_paths_info("org/repo", ["config.json", "sub dir", "nope"], expand=True)
    info = api.model_info("org/repo", files_metadata=True, securityStatus=True)
    return {
        "many": [len(many), len(set(many))],
        "refs": [[ref.ref for ref in group] for group in
                 (refs.branches, refs.tags, refs.pull_requests)],
        "paths": [[info.path, info.last_commit["title"]] for info in infos],
        "commits": len(api.list_repo_commits("org/history", formatted=True)),
        "sha": info.sha,
        "modified": info.last_modified.isoformat(),
        "sizes": {s.rfilename: s.size for s in info.siblings},
        "models": [m.id for m in api.list_models(author="org", sort="downloads", limit=3)],
        "exists": [api.repo_exists("org/repo"), api.file_exists("org/repo", "nope"),
                   api.revision_exists("org/repo", "nope"), api.repo_exists("org/gated")],
        "etag": get_hf_file_metadata(hf_hub_url("org/repo", "model.safetensors")).etag,
    }  # fmt: skip


def refusals():
    return {
        "repo": refusal(download, "org/nope", "x"),
        "info": refusal(api.model_info, "org/priv"),
        "gated": refusal(download, "org/gated", "config.json"),
        "revision": refusal(download, "org/repo", "config.json", revision="nope"),
        "entry": refusal(download, "org/repo", "adapter_config.json"),
        "directory": refusal(lambda: list(api.list_repo_tree("org/repo", "nope"))),
        "disabled": refusal(api.model_info, "org/disabled"),
    }


def owner():
    name = api.whoami()["name"]
    names = ("org/gated", "org/priv")
    return [name, *(blob(download(repo, "model.safetensors"))[1] for repo in names)]


def ranges():
    fs = HfFileSystem()
    with fs.open("org/big/big.bin", "rb") as file:
        file.seek(1_000_001)
        block = file.read(4).hex()
        file.seek(-3, 2)
        tail = file.read().hex()
    return [block, tail, sorted(fs.glob("datasets/org/ds/**/*.csv"))]


if __name__ == "__main__":
    print(json.dumps({name: globals()[name]() for name in sys.argv[1:]}))
