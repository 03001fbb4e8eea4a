"""Which repositories a list or a search finds, and in which order (hub-protocol.md §2.3)."""

import re
from collections.abc import Callable
from typing import Any

from . import errors
from .wire import Ask

Data = dict[str, Any]
SORT_KEYS = {
    "downloads": "downloads",
    "likes": "likes",
    "likes7d": "likes",
    "trending": "trendingScore",
    "trendingScore": "trendingScore",
    "trending_score": "trendingScore",
    "lastModified": "lastModified",
    "last_modified": "lastModified",
    "modified": "lastModified",
    "createdAt": "createdAt",
    "created_at": "createdAt",
    "created": "createdAt",
    "author": "id",
}
GGUF_APPS = {"llama.cpp", "ollama", "lmstudio", "jan"}
QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)([KMBT]?)$")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def ordered(found: list[Data], ask: Ask) -> list[Data]:
    """By `sort`, descending unless `direction` says otherwise; unknown properties are refused."""
    sort = ask.value("sort")
    if not sort:
        return found
    if sort not in SORT_KEYS:
        raise errors.bad_request("Invalid sort parameter")
    key, falling = SORT_KEYS[sort], ask.value("direction", "-1") == "-1"
    return sorted(found, key=lambda data: data[key], reverse=falling and sort != "author")


def matches(data: Data, repo_type: str, ask: Ask) -> bool:
    """Whether a repository passes every parameter that was given."""
    return all(test(data, repo_type, ask) for test in TESTS)


def _search(data: Data, repo_type: str, ask: Ask) -> bool:
    """Every `search`: `list_datasets` sends the name as another one."""
    return all(words.lower() in data["id"].lower() for words in ask.values("search"))


def _author(data: Data, repo_type: str, ask: Ask) -> bool:
    return ask.value("author") in ("", data.get("author"))


def _gated(data: Data, repo_type: str, ask: Ask) -> bool:
    return ask.value("gated").lower() in ("", "true" if data["gated"] else "false")


def _tags(data: Data, repo_type: str, ask: Ask) -> bool:
    """`filter` and the parameters that are short for a tag; all of them must be there."""
    wanted = [word for value in ask.values("filter") for word in value.split(",")]
    for name in ("pipeline_tag", "other"):
        wanted += ask.values(name)
    for name in ("license", "region"):
        wanted += [f"{name}:{value}" for value in ask.values(name)]
    for name in ("library", "language"):
        prefix = f"{name}:" if repo_type == "dataset" else ""
        wanted += [f"{prefix}{value}" for value in ask.values(name)]
    if repo_type == "model":
        wanted += [f"dataset:{value}" for value in ask.values("dataset")]
    return set(filter(None, wanted)) <= set(data["tags"])


def _apps(data: Data, repo_type: str, ask: Ask) -> bool:
    """Local applications run GGUF files, vLLM text generation from safetensors."""
    able = GGUF_APPS if "gguf" in data["tags"] else set()
    if {"safetensors", "text-generation"} <= set(data["tags"]):
        able = able | {"vllm"}
    return all(app in able for app in ask.values("apps"))


def _inference(data: Data, repo_type: str, ask: Ask) -> bool:
    wanted = ask.value("inference")
    return not wanted or data.get("inference") == wanted


def _providers(data: Data, repo_type: str, ask: Ask) -> bool:
    """Any of the named providers, or `all` for any at all, that serves the model now."""
    mapping = data.get("inferenceProviderMapping") or {}
    live = {name for name, about in mapping.items() if about["status"] == "live"}
    named = {name for value in ask.values("inference_provider") for name in value.split(",")}
    return not named or bool(live & named) or ("all" in named and bool(live))


def _parameters(data: Data, repo_type: str, ask: Ask) -> bool:
    """`num_parameters=min:0,max:24B`, either half alone too."""
    text = ask.value("num_parameters")
    if not text:
        return True
    total = (data.get("safetensors") or data.get("gguf") or {}).get("total")
    bounds = dict(part.partition(":")[::2] for part in text.split(","))
    if not bounds or set(bounds) - {"min", "max"}:
        raise errors.bad_request("Invalid num_parameters")
    low, high = _quantity(bounds.get("min", "0")), bounds.get("max")
    return total is not None and low <= total <= (_quantity(high) if high else float("inf"))


def _quantity(text: str) -> float:
    match = QUANTITY.match(text)
    if not match:
        raise errors.bad_request("Invalid num_parameters")
    return float(match[1]) * UNITS[match[2]]


def _uses(data: Data, repo_type: str, ask: Ask) -> bool:
    """Spaces that use all the named models and datasets, or (`linked`) any."""
    if repo_type != "space":
        return True
    models, datasets = ask.values("models"), ask.values("datasets")
    named = set(models) <= set(data["models"]) and set(datasets) <= set(data["datasets"])
    return named and (not ask.flag("linked") or bool(data["models"] or data["datasets"]))


TESTS: tuple[Callable[[Data, str, Ask], bool], ...] = (
    *(_search, _author, _gated, _tags, _apps),
    *(_inference, _providers, _parameters, _uses),
)
