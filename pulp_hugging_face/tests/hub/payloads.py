"""JSON shapes of the API (hub-protocol.md §2.4), with the fields the real Hub sends."""

import json
from typing import Any

import yaml

from .formats import gguf_summary, safetensors_summary
from .gitmodel import Blob, Commit, Entry
from .people import avatar_url
from .repos import Repo
from .world import World

LIST_FIELDS = {
    "model": "_id id likes private downloads tags pipeline_tag library_name createdAt modelId",
    "dataset": "_id id author disabled gated lastModified likes private sha downloads tags "
    "createdAt description key",
    "space": "_id id likes private sdk tags createdAt",
}
FULL_LIST_FIELDS = "author gated disabled lastModified sha siblings trendingScore"
CARD_FIELDS = (
    *("id", "author", "downloads", "gated", "lastModified", "likes"),
    *("pipeline_tag", "private", "sdk"),
)
BASE_FIELDS = ("_id", "id")
ON_DEMAND = {
    *("downloadsAllTime", "trendingScore", "inference", "inferenceProviderMapping", "key"),
    *("resourceGroup", "xetEnabled", "mainSize", "citation", "region", "evalResults"),
}


def info(
    world: World, repo: Repo, commit: Commit | None, *, blobs: bool = False, security: bool = False
) -> dict[str, Any]:
    """The whole info object of a repository at a commit."""
    card = card_data(commit)
    data: dict[str, Any] = {
        "_id": repo.object_id,
        "id": repo.id,
        "author": repo.author,
        "sha": commit.sha if commit else None,
        "lastModified": commit.date if commit else "2024-01-01T00:00:00.000Z",
        "createdAt": repo.history(commit)[-1].date if commit else "2024-01-01T00:00:00.000Z",
        "private": repo.private,
        "gated": repo.gated,
        "disabled": repo.disabled,
        "downloads": repo.downloads,
        "downloadsAllTime": repo.downloads * 10,
        "likes": repo.likes,
        "trendingScore": repo.trending,
        "tags": tags_of(repo, card, commit),
        "cardData": card,
        "siblings": [sibling(path, blob, blobs) for path, blob in files_in_order(commit)],
        "usedStorage": sum(blob.size for _, blob in files_in_order(commit)),
        "resourceGroup": None,
        "xetEnabled": world.settings.xet,
        **_BY_TYPE[repo.type](world, repo, commit, card),
        **repo.info,
    }
    if repo.author is None:
        del data["author"]
    if data.get("inferenceProviderMapping"):
        data["inference"] = "warm"
    status = data.pop("securityRepoStatus", {"scansDone": True, "filesWithIssues": []})
    if security:
        data["securityRepoStatus"] = status
    return data


def files_in_order(commit: Commit | None) -> list[tuple[str, Blob]]:
    entries = commit.entries.values() if commit else ()
    return [(entry.path, entry.node) for entry in entries if isinstance(entry.node, Blob)]


def _model(world: World, repo: Repo, commit: Commit | None, card: dict[str, Any]) -> dict[str, Any]:
    config = _json_file(commit, "config.json")
    data: dict[str, Any] = {
        "modelId": repo.id,
        "pipeline_tag": card.get("pipeline_tag"),
        "library_name": card.get("library_name"),
        "model-index": None,
        "spaces": [],
        "evalResults": [],
    }
    if config:
        kept = ("architectures", "model_type")
        data["config"] = {key: config[key] for key in kept if key in config}
        data["transformersInfo"] = {"auto_model": "AutoModel", "processor": "AutoTokenizer"}
    data["safetensors"] = safetensors_summary(commit)
    data["gguf"] = gguf_summary(commit)
    return {key: value for key, value in data.items() if value is not None or key == "model-index"}


def _dataset(
    world: World, repo: Repo, commit: Commit | None, card: dict[str, Any]
) -> dict[str, Any]:
    page = f"{world.hub_url}{repo.web_path}"
    return {
        "description": f"Dataset {repo.id}. See the full description on the dataset page: {page}.",
        "key": "",
        "citation": None,
        "mainSize": sum(blob.size for _, blob in files_in_order(repo.head)),
        "paperswithcode_id": None,
    }


def _space(world: World, repo: Repo, commit: Commit | None, card: dict[str, Any]) -> dict[str, Any]:
    name = repo.id.replace("/", "-").lower()
    return {
        "sdk": card.get("sdk", "gradio"),
        "subdomain": name,
        "host": f"https://{name}.hf.space",
        "runtime": {"stage": "RUNNING", "hardware": {"current": "cpu-basic"}, "storage": None},
        "models": listed(card.get("models")),
        "datasets": listed(card.get("datasets")),
        "region": "us",
    }


def _kernel(
    world: World, repo: Repo, commit: Commit | None, card: dict[str, Any]
) -> dict[str, Any]:
    return {}


_BY_TYPE = {"model": _model, "dataset": _dataset, "space": _space, "kernel": _kernel}
KERNEL_FIELDS = (
    "_id id author downloads gated lastModified likes private sha createdAt disabled tags"
)


def _json_file(commit: Commit | None, path: str) -> dict[str, Any]:
    blob = commit.files.get(path) if commit else None
    if blob is None:
        return {}
    try:
        data = json.loads(blob.content.read(0, blob.size))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def card_data(commit: Commit | None) -> dict[str, Any]:
    """The YAML front matter of README.md."""
    blob = commit.files.get("README.md") if commit else None
    text = blob.content.read(0, blob.size).decode() if blob else ""
    if not text.startswith("---\n"):
        return {}
    return yaml.safe_load(text[4:].partition("\n---")[0]) or {}


def tags_of(repo: Repo, card: dict[str, Any], commit: Commit | None) -> list[str]:
    """What `filter=` is matched with: `key:value` for most of the card, bare for the rest."""
    bare, prefixed = TAG_KEYS[repo.type]
    named = [value for key in bare for value in listed(card.get(key))]
    keyed = [f"{p}:{value}" for key, p in prefixed.items() for value in listed(card.get(key))]
    extra = ["library:datasets"] if repo.type == "dataset" else []
    if repo.type == "model" and commit:
        suffixes = {path.rpartition(".")[2] for path in commit.files}
        extra = [name for name in ("safetensors", "gguf", "onnx") if name in suffixes]
    return list(dict.fromkeys([*extra, *named, *keyed, "region:us"]))


TAG_KEYS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "model": (
        ("library_name", "pipeline_tag", "tags", "language"),
        {"datasets": "dataset", "base_model": "base_model", "license": "license"},
    ),
    "dataset": (
        ("tags",),
        {
            **{key: key for key in ("task_categories", "task_ids", "language", "license")},
            **{key: key for key in ("size_categories", "multilinguality", "language_creators")},
        },
    ),
    "space": (("sdk", "tags"), {"license": "license"}),
    "kernel": (("tags",), {"license": "license"}),
}


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def sibling(path: str, blob: Blob, details: bool) -> dict[str, Any]:
    """`lfs.sha256` here, `lfs.oid` in listings; `blobId` of an LFS file is its pointer's."""
    if not details:
        return {"rfilename": path}
    data: dict[str, Any] = {"rfilename": path, "blobId": blob.oid, "size": blob.size}
    if blob.lfs:
        size = len(blob.lfs.pointer)
        data["lfs"] = {"sha256": blob.lfs.sha256, "size": blob.size, "pointerSize": size}
    return data


def only(data: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """`expand=…`: the named properties and the identity."""
    return {key: data[key] for key in (*BASE_FIELDS, *wanted) if key in data}


def without_extras(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in ON_DEMAND}


def tree_entry(
    world: World, repo: Repo, commit: Commit, entry: Entry, expand: bool
) -> dict[str, Any]:
    node = entry.node
    data: dict[str, Any] = {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    if isinstance(node, Blob):
        data = {"type": "file", "oid": node.oid, "size": node.size}
        if node.lfs:
            pointer_size = len(node.lfs.pointer)
            data["lfs"] = {"oid": node.lfs.sha256, "size": node.size, "pointerSize": pointer_size}
            if world.settings.xet:
                data["xetHash"] = node.lfs.xet_hash
        data["path"] = entry.path
    if expand:
        last = repo.last_change(commit, entry)
        data["lastCommit"] = {"id": last.sha, "title": last.title, "date": last.date}
        if isinstance(node, Blob):
            data["securityFileStatus"] = security_status()
    return data


def security_status() -> dict[str, Any]:
    return {
        "status": "safe",
        "jFrogScan": {"status": "unscanned"},
        "protectAiScan": {"status": "safe"},
        "avScan": {"status": "safe"},
        "pickleImportScan": {"status": "safe", "pickleImports": []},
    }


def commit_item(world: World, commit: Commit, formatted: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": commit.sha,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author, "avatar": avatar_url(world, commit.author)}],
        "date": commit.date,
    }
    if formatted:
        data["formatted"] = {"title": commit.title, "message": commit.message}
    return data


def refs(repo: Repo, include_prs: bool) -> dict[str, Any]:
    """`branches`, `converts`, `tags` always; `pullRequests` if asked for (§2.3)."""
    data: dict[str, list[dict[str, str]]] = {
        "tags": _refs(repo, "refs/tags/"),
        "branches": _refs(repo, "refs/heads/"),
        "converts": _refs(repo, "refs/convert/"),
    }
    if include_prs:
        data["pullRequests"] = _refs(repo, "refs/pr/")
    return data


def _refs(repo: Repo, prefix: str) -> list[dict[str, str]]:
    found = {ref: sha for ref, sha in repo.refs.items() if ref.startswith(prefix)}
    return [
        {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha}
        for ref, sha in found.items()
    ]
