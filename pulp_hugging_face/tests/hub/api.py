"""The API of one repository (hub-protocol.md §2.3 to §2.5)."""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from . import errors, expand, payloads
from .gitmodel import Commit, Entry, Tree
from .repos import Repo
from .wire import Answer, Ask, json_answer
from .world import World, revision_of

MAX_PATHS = 2000  # maxItems of the body in the Hub's OpenAPI description
XET_TOKEN_LIFE = 3600


def info(world: World, ask: Ask, repo: Repo, revision: str | None = None) -> Answer:
    """`/api/{t}/{id}` and `/revision/{rev}`."""
    commit = revision_of(repo, revision) if revision is not None else repo.head
    if repo.type == "kernel":
        return json_answer(payloads.only(payloads.info(world, repo, commit), _kernel_overview()))
    words = expand.wanted(ask, repo.type)
    data = payloads.info(
        world, repo, commit, blobs=ask.flag("blobs"), security=ask.flag("securityStatus")
    )
    data = expand.shown(world, repo, data, words) if words else payloads.without_extras(data)
    return json_answer(data)


def _kernel_overview() -> list[str]:
    """The Hub's "kernel overview": no expand, no blobs (H24 hf_api.KernelInfo)."""
    return payloads.KERNEL_FIELDS.split()


def tree(world: World, ask: Ask, repo: Repo, revision: str, path: str) -> Answer:
    """A listing: 1,000 a page, 50 when expanded; 404 for a directory that is not there."""
    commit = revision_of(repo, revision)
    recursive, expand = ask.flag("recursive"), ask.flag("expand")
    entries = _listed(commit, path.strip("/"), recursive)
    most = world.settings.expanded_page_size if expand else world.settings.page_size
    limit = min(ask.number("limit", most) or most, most)
    start = _after_cursor(entries, ask.value("cursor"))
    page = entries[start : start + limit]
    data = [payloads.tree_entry(world, repo, commit, entry, expand) for entry in page]
    headers = {}
    if start + limit < len(entries):
        cursor = _cursor(page[-1].path, commit.tree.oid, limit)
        query = f"expand={_word(expand)}&recursive={_word(recursive)}&limit={limit}"
        url = f"{world.hub_url}{ask.raw_path}?{query}&cursor={quote(cursor, safe='')}"
        headers["Link"] = f'<{url}>; rel="next"'
    return json_answer(data, headers)


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def _listed(commit: Commit, path: str, recursive: bool) -> list[Entry]:
    if path:
        entry = commit.entries.get(path)
        if entry is None or not isinstance(entry.node, Tree):
            message = f'{path} does not exist on "{commit.sha}"'
            raise errors.entry_not_found(commit.sha, message)
    if not recursive:
        return commit.children(path)
    entries = commit.entries.values()
    return [entry for entry in entries if not path or entry.path.startswith(f"{path}/")]


def _cursor(last_path: str, tree_oid: str, limit: int) -> str:
    """The Hub's form: base64 of `base64(json):limit`; some clients build it themselves."""
    inner = json.dumps({"file_name": last_path, "tree_oid": tree_oid}, separators=(",", ":"))
    encoded = base64.b64encode(inner.encode()) + f":{limit}".encode()
    return base64.b64encode(encoded).decode()


def _after_cursor(entries: Sequence[Entry], cursor: str) -> int:
    if not cursor:
        return 0
    try:
        inner = base64.b64decode(cursor).partition(b":")[0]
        last = json.loads(base64.b64decode(inner))["file_name"]
    except (ValueError, KeyError) as error:
        raise errors.bad_request("Invalid cursor") from error
    paths = [entry.path for entry in entries]
    return paths.index(last) + 1 if last in paths else len(paths)


def paths_info(world: World, ask: Ask, repo: Repo, revision: str) -> Answer:
    """POST, form (Python) or JSON (JS); what does not exist is left out."""
    commit = revision_of(repo, revision)
    paths, expand = _asked_paths(ask)
    if len(paths) > MAX_PATHS:
        raise errors.bad_request(f"Too many paths, at most {MAX_PATHS}")
    found = [commit.entries[path] for path in paths if path in commit.entries]
    return json_answer([payloads.tree_entry(world, repo, commit, e, expand) for e in found])


def _asked_paths(ask: Ask) -> tuple[list[str], bool]:
    if "json" in ask.headers.get("Content-Type", ""):
        data = _json_body(ask)
        paths = data.get("paths", [])
        return [paths] if isinstance(paths, str) else list(paths), bool(data.get("expand"))
    fields = parse_qsl(ask.body.decode(), keep_blank_values=True)
    paths = [value for key, value in fields if key in ("paths", "paths[]")]
    return paths, any(key == "expand" and value.lower() == "true" for key, value in fields)


def _json_body(ask: Ask) -> dict[str, Any]:
    try:
        data = json.loads(ask.body)
    except ValueError as error:
        raise errors.bad_request("Invalid JSON") from error
    if not isinstance(data, dict):
        raise errors.bad_request("Invalid JSON")
    return data


def refs(world: World, ask: Ask, repo: Repo) -> Answer:
    return json_answer(payloads.refs(repo, ask.flag("include_prs")))


def commits(world: World, ask: Ask, repo: Repo, revision: str) -> Answer:
    """Newest first, `X-Total-Count` and Link (§2.3)."""
    history = repo.history(revision_of(repo, revision))
    limit = ask.number("limit", 0) or world.settings.commits_page_size
    page = ask.number("p", 0)
    start = page * limit
    formatted = "formatted" in ask.values("expand")
    data = [
        payloads.commit_item(world, commit, formatted) for commit in history[start : start + limit]
    ]
    headers = {"X-Total-Count": str(len(history))}
    if start + limit < len(history):
        kept = [pair for pair in ask.raw_query.split("&") if pair and not pair.startswith("p=")]
        query = "&".join([*kept, f"p={page + 1}"])
        headers["Link"] = f'<{world.hub_url}{ask.raw_path}?{query}>; rel="next"'
    return json_answer(data, headers)


def auth_check(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """Whether the caller may read the content, or (`/write`) change it."""
    if rest == ["write"]:
        world.check_writer(repo, ask)
    elif rest:
        raise errors.page_not_found()
    else:
        world.check_content(repo, ask)
    return json_answer({"ok": True})


def xet_token(world: World, ask: Ask, repo: Repo, revision: str | None = None) -> Answer:
    """Enough to see that a client was led to Xet (§4.2); buckets have no revision."""
    if not world.settings.xet:
        raise errors.page_not_found()
    world.check_content(repo, ask)
    if revision is not None:
        revision_of(repo, revision)
    expires = int(time.time()) + XET_TOKEN_LIFE
    token = "xet_" + hashlib.sha256(repo.id.encode()).hexdigest()
    url = f"{world.cdn_url}/cas"
    headers = {
        "X-Xet-Cas-Url": url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
    }
    return json_answer({"casUrl": url, "accessToken": token, "exp": expires}, headers)


def raw_revision(segments: Sequence[str]) -> tuple[str, list[str]]:
    """The revision in raw path segments, quoted or as `refs/pr/N`, and what follows (§1.1)."""
    if len(segments) >= 3 and segments[0] == "refs" and segments[1] in ("pr", "convert"):
        return unquote("/".join(segments[:3])), list(segments[3:])
    return unquote(segments[0]), list(segments[1:])
