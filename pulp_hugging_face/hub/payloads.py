"""JSON bodies of the API, in the Hub's own shape (hub-protocol §2.4)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .errors import HubError
from .manifest import Entry, entry_from_json

Json = dict[str, Any]

# Keys clients of 0.23 fail without (KeyError), with the value that says "nothing known".
_MANDATORY: dict[str, Any] = {"private": False, "downloads": 0, "likes": 0, "tags": []}
# 0.23 reads `security`, later ones `securityFileStatus`.
_EXPANDED = ("lastCommit", "security", "securityFileStatus")
_EPOCH = datetime.fromtimestamp(0, UTC)
# What a cache must not pass on: xet identifiers (§4.1) and its own listing of files.
_DROPPED = {"siblings", "xetEnabled"}


def format_date(moment: datetime) -> str:
    """Return a date as all client versions parse it: milliseconds and Z (rule 12)."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def parse_date(text: object) -> datetime | None:
    """Return the moment of a Hub date, or None when there is none to read."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def stored_info(info: Mapping[str, Any]) -> Json:
    """Return what is kept of the Hub's info object: all but the file listing and Xet hints."""
    return {key: value for key, value in info.items() if key not in _DROPPED}


def info_object(stored: Mapping[str, Any], repo_id: str, sha: str) -> Json:
    """Return the info object without siblings; mandatory keys are always there."""
    return {**_MANDATORY, **stored, "id": repo_id, "sha": sha}


def select_keys(info: Json, expand: Iterable[str]) -> Json:
    """Return what `expand` asks for, plus the ids the Hub always sends."""
    wanted = {"_id", "id", *expand}
    return {key: value for key, value in info.items() if key in wanted}


def sibling(entry: Entry, *, blobs: bool) -> Json:
    """Return one element of `siblings`; with `blobs=true` size, oid and LFS digest too."""
    if not blobs:
        return {"rfilename": entry.path}
    item: Json = {"rfilename": entry.path, "blobId": entry.oid, "size": entry.size}
    if entry.lfs:
        item["lfs"] = {
            "sha256": entry.lfs.sha256,
            "size": entry.lfs.size,
            "pointerSize": entry.lfs.pointer_size,
        }
    return item


def tree_item(entry: Entry) -> Json:
    """Return one element of a tree or paths-info answer. Never a xetHash (rule 8)."""
    if entry.is_dir:
        return {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    item: Json = {"type": "file", "oid": entry.oid, "size": entry.size}
    if entry.lfs:
        item["lfs"] = {
            "oid": entry.lfs.sha256,
            "size": entry.lfs.size,
            "pointerSize": entry.lfs.pointer_size,
        }
    return {**item, "path": entry.path}


def expanded_item(item: Json) -> Json:
    """
    Return one element of an expanded listing: the entry, and what only the upstream knows of it.

    Raises InvalidManifest for what is no entry.
    """
    more = {key: item[key] for key in _EXPANDED if key in item}
    return {**tree_item(entry_from_json(item)), **more}


def commit_item(sha: str, title: str, author: str, date: datetime | None) -> Json:
    """Return one element of a commit list, of a commit whose message is not held."""
    return {
        "id": sha,
        "title": title,
        "message": "",
        "authors": [{"user": author}] if author else [],
        "date": format_date(date or _EPOCH),
    }


def refs_object(refs: Mapping[str, list[Json]], *, pull_requests: bool) -> dict[str, list[Json]]:
    """Return the refs answer: three keys always (KeyError otherwise, §2.3), a fourth if asked."""
    keys = ["branches", "converts", "tags"] + (["pullRequests"] if pull_requests else [])
    return {key: [_ref_item(item) for item in refs.get(key) or []] for key in keys}


def _ref_item(item: Json) -> Json:
    """Return a ref with its keys in one order, wherever it comes from."""
    return {key: item[key] for key in ("name", "ref", "targetCommit") if key in item}


def refs_from_names(pairs: Iterable[tuple[str, str]]) -> dict[str, list[Json]]:
    """Return the refs answer's lists from (full git ref, sha) pairs."""
    groups = {
        "refs/heads/": "branches",
        "refs/convert/": "converts",
        "refs/tags/": "tags",
        "refs/pr/": "pullRequests",
    }
    result: dict[str, list[Json]] = {key: [] for key in groups.values()}
    for ref, sha in sorted(pairs):
        for prefix, key in groups.items():
            if ref.startswith(prefix):
                name = ref if key == "pullRequests" else ref.removeprefix(prefix)
                result[key].append({"name": name, "ref": ref, "targetCommit": sha})
    return result


def git_ref_of(revision: str, refs: Mapping[str, list[Json]]) -> str | None:
    """
    Return the full git ref of a revision, from the Hub's refs answer, or None if unknown.

    Branches win over tags of the same name, as on the Hub.
    """
    if revision.startswith("refs/"):
        return revision
    for key in ("branches", "tags"):
        for item in refs.get(key) or []:
            if item.get("name") == revision:
                return str(item["ref"])
    return None


def error_body(error: HubError) -> Json:
    """Return the JSON body of a refusal; clients append it to their message."""
    return {"error": error.message}
