"""`expand=`: the properties that may be named, and those that only come when they are.

The words are those of huggingface_hub 2.4 (`hf_api.Expand…Property_T`) and `xetEnabled`, which
older clients and the Hub's own refusal name; any other word is refused with 400, as on the Hub.
"""

from typing import Any

from . import errors, payloads
from .repos import Repo
from .wire import Ask
from .world import World

_COMMON = """author cardData createdAt disabled lastModified likes private resourceGroup sha
    siblings tags trendingScore usedStorage xetEnabled"""
WORDS = {
    "model": f"""{_COMMON} baseModels childrenModelCount config downloads downloadsAllTime
    evalResults gated gguf inference inferenceProviderMapping library_name mask_token model-index
    pipeline_tag safetensors spaces transformersInfo widgetData""",
    "dataset": f"""{_COMMON} citation description downloads downloadsAllTime gated mainSize
    paperswithcode_id""",
    "space": f"{_COMMON} datasets models region runtime sdk subdomain",
}
RELATIONS = ("adapter", "merge", "quantized", "finetune")


def wanted(ask: Ask, repo_type: str) -> list[str]:
    """The words that were asked for; raises 400 for unknown and for repeated ones."""
    words, allowed = ask.values("expand"), sorted(WORDS[repo_type].split())
    for index, word in enumerate(words):
        label = f'"expand[{index}]"' if len(words) > 1 else '"expand"'
        if word not in allowed:
            raise errors.bad_request(f"{label} must be one of [{', '.join(allowed)}]")
        if word in words[:index]:
            raise errors.bad_request(f"{label} contains a duplicate value")
    return words


def shown(world: World, repo: Repo, data: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """The named properties and the identity; the costly ones are worked out here."""
    if "childrenModelCount" in words:
        data = {**data, "childrenModelCount": _children(world, repo)}
    if "baseModels" in words:
        data = {**data, "baseModels": _base_models(world, data["cardData"])}
    if "spaces" in words:
        data = {**data, "spaces": _spaces(world, repo)}
    return payloads.only(data, words)


def _children(world: World, repo: Repo) -> dict[str, int]:
    """Models that name this one as their base, by relation."""
    counts = dict.fromkeys(RELATIONS, 0)
    for other in world.repos("model"):
        card = payloads.card_data(other.head) if not other.private else {}
        if repo.id in payloads.listed(card.get("base_model")):
            counts[card.get("base_model_relation", "finetune")] += 1
    return counts


def _base_models(world: World, card: dict[str, Any]) -> dict[str, Any] | None:
    """One relation and a list of models; null without a base."""
    named = payloads.listed(card.get("base_model"))
    repos = [repo for name in named if (repo := world.find("model", name)) is not None]
    if not repos:
        return None
    models = [{"_id": repo.object_id, "id": repo.id} for repo in repos]
    return {"models": models, "relation": card.get("base_model_relation", "finetune")}


def _spaces(world: World, repo: Repo) -> list[str]:
    return [
        space.id
        for space in world.repos("space")
        if not space.private
        and repo.id in payloads.listed(payloads.card_data(space.head).get("models"))
    ]
