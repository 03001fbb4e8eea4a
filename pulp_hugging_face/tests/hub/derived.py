"""What the Hub derives from the files of a repository: Parquet listings, headers, sizes, diffs."""

import difflib
import json
from typing import Any
from urllib.parse import quote, unquote

from . import api, errors
from .content import Literal
from .formats import safetensors_header
from .gitmodel import Blob, Commit
from .repos import Repo
from .wire import Answer, Ask, json_answer, redirect_answer, text_answer
from .world import World, revision_of

CONVERT = "refs/convert/parquet"
SUFFIX = ".parquet"
Listing = dict[str, dict[str, list[str]]]


def parquet(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """`/parquet[/{config}[/{split}[/{n}.parquet]]]`: URLs on the Hub itself, then the file.

    The listings are nested objects of config and split, the last one an array; each URL redirects
    to the file in `refs/convert/parquet`, the revision quoted as one segment.
    """
    world.check_content(repo, ask)
    names = [unquote(segment) for segment in rest]
    files = _converted(repo)
    if len(names) == 3 and names[2].endswith(SUFFIX):
        return _parquet_file(world, repo, files, names)
    found: Any = _parquet_urls(world, repo, files)
    for name in names:
        if not isinstance(found, dict) or name not in found:
            raise errors.HubError(404, f"Parquet files of {'/'.join(names)} not found")
        found = found[name]
    return json_answer(found)


def _converted(repo: Repo) -> Listing:
    """Paths by config and split; 404 for a dataset that was never converted."""
    commit = repo.resolve(CONVERT)
    if commit is None or repo.type != "dataset":
        raise errors.HubError(404, "Parquet export not found")
    found: Listing = {}
    for path in sorted(commit.files):
        config, _, rest = path.partition("/")
        split, _, name = rest.partition("/")
        if name.endswith(SUFFIX) and "/" not in name:
            found.setdefault(config, {}).setdefault(split, []).append(path)
    return found


def _parquet_urls(world: World, repo: Repo, files: Listing) -> Listing:
    base = f"{world.hub_url}{repo.api_path}/parquet"
    return {
        config: {
            split: [f"{base}/{quote(config)}/{quote(split)}/{n}{SUFFIX}" for n in range(len(paths))]
            for split, paths in splits.items()
        }
        for config, splits in files.items()
    }


def _parquet_file(world: World, repo: Repo, files: Listing, names: list[str]) -> Answer:
    config, split, shard = names
    paths = files.get(config, {}).get(split, [])
    number = shard.removesuffix(SUFFIX)
    if not number.isdigit() or int(number) >= len(paths):
        raise errors.HubError(404, f"Parquet shard {'/'.join(names)} not found")
    where = f"{repo.web_path}/resolve/{quote(CONVERT, safe='')}/{quote(paths[int(number)])}"
    return redirect_answer(302, world.hub_url + where)


def safetensors_metadata(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """The index without its weight map, and the header of every shard, on main.

    The shape is what huggingface_hub 2.x reads (hf_api.get_sharded_safetensors_metadata).
    """
    world.check_content(repo, ask)
    commit = revision_of(repo, "HEAD")
    path = unquote("/".join(rest))
    index = _json(commit, path)
    shards = sorted(set(index.pop("weight_map", {}).values()))
    folder = path.rpartition("/")[0]
    headers = {name: _header(commit, f"{folder}/{name}".lstrip("/")) for name in shards}
    return json_answer({"index": index, "headers": headers})


def _json(commit: Commit, path: str) -> dict[str, Any]:
    blob = commit.files.get(path)
    if blob is None:
        raise errors.entry_not_found(commit.sha)
    try:
        data = json.loads(blob.content.read(0, blob.size))
    except ValueError as error:
        raise errors.bad_request(f"{path} is no safetensors index") from error
    if not isinstance(data, dict):
        raise errors.bad_request(f"{path} is no safetensors index")
    return data


def _header(commit: Commit, path: str) -> dict[str, Any]:
    blob = commit.files.get(path)
    header = safetensors_header(blob.content) if blob else None
    if header is None:
        raise errors.entry_not_found(commit.sha)
    return header


def treesize(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """Bytes below a directory, recursively; of LFS files their own size, not the pointer's."""
    revision, segments = api.raw_revision(rest)
    commit, path = revision_of(repo, revision), unquote("/".join(segments)).strip("/")
    if path and path not in commit.entries:
        raise errors.entry_not_found(commit.sha, f'{path} does not exist on "{commit.sha}"')
    size = sum(b.size for p, b in commit.files.items() if p == path or _below(p, path))
    return json_answer({"path": path or "/", "size": size})


def _below(path: str, directory: str) -> bool:
    return not directory or path.startswith(f"{directory}/")


def compare(world: World, ask: Ask, repo: Repo, rest: list[str]) -> Answer:
    """`/compare/{a}..{b}`: the diff as git writes it, LFS files by their pointers."""
    world.check_content(repo, ask)
    before, dots, after = unquote("/".join(rest)).partition("..")
    if not (before and dots and after):
        raise errors.bad_request("Invalid comparison, expected a..b")
    old, new = revision_of(repo, before), revision_of(repo, after)
    return text_answer(difference(old, new))


def difference(old: Commit | None, new: Commit) -> str:
    """What changed between two commits, file by file."""
    before = old.files if old else {}
    changed = [p for p in sorted({*before, *new.files}) if before.get(p) != new.files.get(p)]
    return "".join(_difference(before.get(p), new.files.get(p), p) for p in changed)


def _difference(old: Blob | None, new: Blob | None, path: str) -> str:
    """One file: the header lines of git, then the hunks."""
    zero = "0" * 40
    lines = [f"diff --git a/{path} b/{path}\n"]
    if old is None and new is not None:
        lines.append(f"new file mode {new.mode}\n")
    if new is None and old is not None:
        lines.append(f"deleted file mode {old.mode}\n")
    lines.append(f"index {old.oid if old else zero}..{new.oid if new else zero}\n")
    names = (f"a/{path}" if old else "/dev/null", f"b/{path}" if new else "/dev/null")
    lines += difflib.unified_diff(_lines(old), _lines(new), *names)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(blob: Blob | None) -> list[str]:
    if blob is None:
        return []
    content = Literal(blob.lfs.pointer) if blob.lfs else blob.content
    return content.read(0, content.size).decode(errors="replace").splitlines(keepends=True)
