"""Judging raw answers."""

import hashlib
import json
from typing import Any

from pulp_hugging_face.tests.functional.wire import Reply
from pulp_hugging_face.tests.hub import OWNER_TOKEN, FileInfo
from pulp_hugging_face.tests.hub.gitmodel import Lfs

from .ledger import directories
from .reads import Seen
from .verdict import TROUBLE, Court, expect, is_closed, is_entitled, refusal_of

_PAGE = 50  # of a history


def judge_raw(court: Court, seen: Seen, reply: Reply) -> str:
    """Return what kind of right answer it is. Raises Wrong."""
    read = seen.read
    if reply.status >= 500 or reply.status == 429:
        expect(reply.error_code in TROUBLE, "trouble without a name:", reply, reply.text)
        expect(reply.headers.get("x-error-message"), "trouble without a sentence")
        return f"honest {reply.status}"
    if reply.status >= 400:
        _check_refusal(court, seen, reply)
        return f"refused {reply.status}"
    expect(not is_closed(read), "shown to whom it is closed")
    if reply.broken:
        expect(read.kind in ("get", "range"), "only transfers of files may break off")
        return "broken off"
    expect(reply.status in (200, 206), "unexpected status", reply.status)
    _CHECKS[read.kind](court, seen, reply)
    return "right, stale" if "x-hf-warning" in reply.headers else "right"


def _check_refusal(court: Court, seen: Seen, reply: Reply) -> None:
    read, code = seen.read, reply.error_code
    if read.kind == "whoami":
        expect(reply.status == 401 and read.token != OWNER_TOKEN, "not known:", reply)
    elif code == "RevisionNotFound":
        court.check_revision_is_absent(seen)
    elif code == "EntryNotFound":
        sha = reply.headers.get("x-repo-commit", "")
        court.check_commit(seen, sha)
        expect(court.lacks(read.subject, sha, read.more.get("path", "")), "it is in", sha)
    elif code == "RangeNotSatisfiable":
        sizes = {court.ledger.files(read.subject, sha)[read.more["path"]].size
                 for sha in court.possible(seen)
                 if not court.lacks(read.subject, sha, read.more["path"])}  # fmt: skip
        expect(min(sizes, default=0) <= read.more["range"][0], "a range that exists:", sizes)
    else:
        expect(is_closed(read), "refused without a reason:", reply.status, code, reply.text)
        expect(code == refusal_of(read), "refused for another reason:", reply.status, code)


def _file(court: Court, seen: Seen, reply: Reply) -> FileInfo:
    sha = reply.headers.get("x-repo-commit", "")
    court.check_commit(seen, sha)
    path = seen.read.more["path"]
    expect(not court.lacks(seen.read.subject, sha, path), "a file that does not exist")
    return court.ledger.files(seen.read.subject, sha)[path]


def _head(court: Court, seen: Seen, reply: Reply) -> FileInfo:
    file = _file(court, seen, reply)
    length = int(reply.headers["content-length"])
    expect(reply.headers["etag"] == f'"{file.etag}"', "wrong ETag", reply.headers, file)
    expect(reply.status == 206 or length == file.size, "wrong length", reply.headers, file)
    linked = reply.headers.get("x-linked-etag")
    expect(linked == (f'"{file.sha256}"' if file.lfs else None), "wrong linked ETag", linked)
    return file


def _get(court: Court, seen: Seen, reply: Reply) -> None:
    file = _head(court, seen, reply)
    expect(reply.status == 200, "a part of the file")
    expect(hashlib.sha256(reply.body).hexdigest() == file.sha256, "WRONG BYTES")


def _range(court: Court, seen: Seen, reply: Reply) -> None:
    file, (start, stop) = _head(court, seen, reply), seen.read.more["range"]
    stop = min(stop, file.size)
    expect(reply.status == 206, "not a part of the file")
    told = reply.headers["content-range"]
    expect(told == f"bytes {start}-{stop - 1}/{file.size}", "another range:", told)
    sha = reply.headers["x-repo-commit"]
    truth = court.ledger.part(seen.read.subject, sha, file.path, start, stop - start)
    expect(reply.body == truth, "WRONG BYTES")


def _raw(court: Court, seen: Seen, reply: Reply) -> None:
    file = _file(court, seen, reply)
    if file.lfs:
        expect(reply.body == Lfs(file.sha256, file.size).pointer, "WRONG POINTER", reply.body)
    else:
        expect(hashlib.sha256(reply.body).hexdigest() == file.sha256, "WRONG BYTES")
    expect(reply.headers["etag"] == f'"{file.oid}"', "wrong ETag", reply.headers)


def _listing(court: Court, seen: Seen, reply: Reply) -> tuple[Any, dict[str, FileInfo]]:
    """Return the data, and the files of the commit that it says it is of."""
    sha = reply.headers.get("x-repo-commit", "")
    court.check_commit(seen, sha)
    return json.loads(reply.body), court.ledger.files(seen.read.subject, sha)


def _info(court: Court, seen: Seen, reply: Reply) -> None:
    data, files = _listing(court, seen, reply)
    expect(data["sha"] == reply.headers["x-repo-commit"], "two commits", data["sha"])
    expect(data["id"] in seen.read.subject.ids, "another repository", data["id"])
    told = {s["rfilename"]: (s["size"], s["blobId"]) for s in data["siblings"]}
    expect(told == {path: (file.size, file.oid) for path, file in files.items()}, "siblings", told)


def _item_of(file: FileInfo) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "file", "path": file.path, "oid": file.oid, "size": file.size}
    if file.lfs:
        pointer = len(Lfs(file.sha256, file.size).pointer)
        item["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": pointer}
    return item


def check_items(items: list[dict[str, Any]], files: dict[str, FileInfo], wanted: set[str]) -> None:
    """Check the entries of a listing: just the wanted ones, each as it is."""
    paths = [item["path"] for item in items]
    expect(sorted(paths) == sorted(wanted), "other entries:", sorted(paths), "not", sorted(wanted))
    for item in items:
        kept = {key: item[key] for key in ("type", "path", "oid", "size", "lfs") if key in item}
        if item["path"] in files:
            expect(kept == _item_of(files[item["path"]]), "another entry:", item)
        else:
            expect(item["type"] == "directory" and len(item["oid"]) == 40, "no directory:", item)


def _tree(court: Court, seen: Seen, reply: Reply) -> None:
    items, files = _listing(court, seen, reply)
    everything = {*files, *directories(list(files))}
    top = {path for path in everything if "/" not in path}
    check_items(items, files, everything if seen.read.more["recursive"] else top)


def _tree_page(court: Court, seen: Seen, reply: Reply) -> None:
    items, files = _listing(court, seen, reply)
    everything = {*files, *directories(list(files))}
    expect(len(items) == 7 and "link" in reply.headers, "not a page of seven")
    paths = {item["path"] for item in items}
    expect(paths < everything, "entries that do not exist:", paths - everything)
    check_items(items, files, paths)


def _paths_info(court: Court, seen: Seen, reply: Reply) -> None:
    items, files = _listing(court, seen, reply)
    everything = {*files, *directories(list(files))}
    check_items(items, files, {path for path in seen.read.more["paths"] if path in everything})


def _refs(court: Court, seen: Seen, reply: Reply) -> None:
    groups = json.loads(reply.body)
    told = {ref["ref"]: ref["targetCommit"] for group in groups.values() for ref in group}
    moments = [m for m in seen.read.subject.moments if m.before <= seen.ended]
    expect(any(dict(m.refs) == told for m in moments), "refs as they never were:", told)


def _commits(court: Court, seen: Seen, reply: Reply) -> None:
    line = [item["id"] for item in json.loads(reply.body)]
    expect(line, "no history")
    court.check_commit(seen, line[0])
    truth = seen.read.subject.chain(line[0])
    expect(line == truth[:_PAGE], "another history:", line, truth)
    expect(reply.headers["x-total-count"] == str(len(truth)), "another length of the history")


def _list(court: Court, seen: Seen, reply: Reply) -> None:
    check_list(court, seen, [item["id"] for item in json.loads(reply.body)])


def check_list(court: Court, seen: Seen, told: list[str]) -> None:
    """Check a list of repositories: each by one of its names, none that is closed."""
    read = seen.read
    everything = read.cache == "entitled" or read.token == OWNER_TOKEN
    subjects = [s for s in court.ledger.subjects if s.type == read.subject.type]
    visible = [s for s in subjects if everything or s.closed != "private"]
    for subject in visible:
        expect(len(set(told) & set(subject.ids)) == 1, subject.ids, "should be once in", told)
    expect(len(told) == len(visible), "others in the list:", told)


def _whoami(court: Court, seen: Seen, reply: Reply) -> None:
    name = json.loads(reply.body)["name"]
    expect(name == ("owner" if seen.read.token == OWNER_TOKEN else "nobody"), "somebody else", name)


def _auth_check(court: Court, seen: Seen, reply: Reply) -> None:
    expect(is_entitled(seen.read), "a permission that there is not")


_CHECKS = {
    "head": _head, "get": _get, "range": _range, "raw": _raw, "info": _info, "tree": _tree,
    "tree-expanded": _tree, "tree-pages": _tree_page, "paths-info": _paths_info, "refs": _refs,
    "commits": _commits, "list": _list, "whoami": _whoami, "auth-check": _auth_check,
}  # fmt: skip
