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


def kernel():
    name = "kernels-org/activation"
    info = api.kernel_info(name, revision="v1")
    refs = api.list_repo_refs(name, repo_type="kernel")
    return {
        "info": [info.id, info.author, info.sha, info.downloads, info.likes],
        "tags": [ref.name for ref in refs.tags],
        "files": tree_digests(snapshot(name, repo_type="kernel", revision="v1")),
    }


def shapes(name, **where):
    found = api.get_sharded_safetensors_metadata(name, **where)
    tensors = [file.tensors for file in found.files_metadata.values()]
    return [{key: one.shape for each in tensors for key, one in each.items()}, found.metadata]


def shards():
    index = "text encoder/model.safetensors.index.json"
    return {"sharded": shapes("org/sharded"), "mixture": shapes("org/mixture", filename=index)}


def community():
    discussions = list(api.get_repo_discussions("org/repo"))
    details = api.get_discussion_details("org/repo", 1)
    collections = list(api.list_collections())
    collection = api.get_collection(collections[0].slug)
    paper = api.paper_info("2401.00001")
    user = api.get_user_overview("owner")
    members = api.list_organization_members("org")
    return {
        "discussions": [[d.num, d.is_pull_request, d.author] for d in discussions],
        "details": [details.target_branch, [e.type for e in details.events], bool(details.diff)],
        "likers": [liker.username for liker in api.list_repo_likers("org/repo")],
        "collections": [each.title for each in collections],
        "collection": [len(collection.items), collection.items[0].note[:4]],
        "papers": [found.id for found in api.list_papers(query="attention")],
        "paper": [paper.title, paper.submitted_by.username, [m.id for m in paper.linked_models]],
        "daily": [found.id for found in api.list_daily_papers()],
        "read": api.read_paper("2401.00001").splitlines()[0],
        "user": [user.username, user.fullname, [org.name for org in user.orgs]],
        "org": [api.get_organization_overview("org").name, [m.username for m in members]],
        "checked": [refusal(api.auth_check, "org/repo"),
                    refusal(api.auth_check, "org/repo", write=True)],
    }  # fmt: skip


def mine():
    jobs = [[job.owner.name, job.status.stage] for job in api.list_jobs()]
    assert api.inspect_job(job_id=next(iter(api.list_jobs())).id).owner.name == "owner"
    return {
        "webhooks": [hook.secret for hook in api.list_webhooks()],
        "jobs": jobs,
        "repos": [found.id for found in api.list_user_repos()],
        "likes": api.list_liked_repos().models,
        "write": refusal(api.auth_check, "org/repo", write=True),
    }


def buckets():
    fs, name = HfFileSystem(), "org/store"
    large = "checkpoints/step 1/model.safetensors"
    info = api.bucket_info(name)
    metadata = api.get_bucket_file_metadata(name, large)
    paths = api.get_bucket_paths_info(name, [large, "nope"])
    with fs.open(f"buckets/{name}/{large}", "rb") as file:
        file.seek(1_000_000)
        block = file.read(4).hex()
    return {
        "info": [info.id, info.total_files, info.size],
        "listed": [bucket.id for bucket in api.list_buckets("org")],
        "tree": sorted(entry.path for entry in api.list_bucket_tree(name, recursive=True)),
        "paths": [[found.path, found.size, found.xet_hash] for found in paths],
        "metadata": [metadata.size, metadata.xet_file_data.file_hash],
        "ls": sorted(fs.ls(f"buckets/{name}/logs", detail=False)),
        "read": [block, fs.cat(f"buckets/{name}/logs/a b#1.txt").decode()],
        "missing": [refusal(api.bucket_info, "org/nope"),
                    refusal(fs.info, f"buckets/{name}/nope")],
    }  # fmt: skip


def vault():
    mine = [bucket.id for bucket in api.list_buckets()]
    size = api.get_bucket_file_metadata("owner/vault", "secret.bin").size
    return [mine, size, refusal(api.bucket_info, "org/nope")]


def lists():
    providers = ["inferenceProviderMapping", "trendingScore", "downloadsAllTime"]
    served = next(iter(api.list_models(search="served", expand=providers)))
    model = api.model_info("org/served", expand=[*providers, "baseModels", "childrenModelCount"])
    words = list(api.search_spaces("picture"))

    def found(items):
        return [item.id for item in items]

    return {
        "models": found(api.list_models(pipeline_tag="text-generation", gated=False,
                                        sort="trending_score", limit=1)),
        "provider": found(api.list_models(inference_provider="hf-inference", inference="warm")),
        "parameters": found(api.list_models(num_parameters="min:1M,max:2M", apps=["vllm"])),
        "trained": found(api.list_models(trained_dataset="org/ds", cardData=True)),
        "datasets": found(api.list_datasets(language="en", dataset_name="tables", full=True)),
        "tasks": found(api.list_datasets(task_categories="text-classification")),
        "spaces": found(api.list_spaces(models="org/served", datasets=["org/ds"], linked=True)),
        "semantic": [[space.id, space.title] for space in words],
        "mapping": [[m.provider, m.status] for m in served.inference_provider_mapping],
        "same": served.inference_provider_mapping == model.inference_provider_mapping,
        "downloads": model.downloads_all_time,
        "pages": len(list(api.list_models(limit=None))) == len(set(found(api.list_models()))),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({name: globals()[name]() for name in sys.argv[1:]}))
