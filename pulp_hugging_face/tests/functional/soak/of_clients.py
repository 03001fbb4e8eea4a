"""Judging what client libraries return and raise."""

import hashlib
from typing import Any

from pulp_hugging_face.tests.functional.clients.machine import ClientError

from .of_raw import check_list
from .reads import Seen
from .verdict import Court, expect, is_closed, refusal_of

# What clients raise when a server or the way to it is in trouble.
TROUBLE = {
    "HfHubHTTPError", "LocalEntryNotFoundError", "FileMetadataError", "ConnectionError",
    "ChunkedEncodingError", "ReadTimeout", "ConnectTimeout", "RemoteProtocolError", "ReadError",
    "ConnectError",
}  # fmt: skip
_STATUSES = {429, 502, 503, 504, None}
_REFUSALS = {
    "RepositoryNotFoundError": "RepoNotFound",
    "GatedRepoError": "GatedRepo",
    "RevisionNotFoundError": "RevisionNotFound",
    "EntryNotFoundError": "EntryNotFound",
    "RemoteEntryNotFoundError": "EntryNotFound",
}


def judge_client(court: Court, seen: Seen) -> str:
    """Return what kind of right outcome it is. Raises Wrong."""
    read = seen.read
    if isinstance(seen.outcome, ClientError):
        return _judge_error(court, seen, seen.outcome)
    if read.kind == "exists":
        _exists(court, seen)
    else:
        # Of an empty file clients ask no more than its size, which is public.
        expect(seen.outcome == "" or not is_closed(read), "shown to whom it is closed")
        _CHECKS[read.kind](court, seen, seen.outcome)
    return "client: right"


def _judge_error(court: Court, seen: Seen, error: ClientError) -> str:
    read = seen.read
    if error.name in TROUBLE or _is_of_wrong_length(error):
        expect(error.status in _STATUSES, "an error of another kind:", error.status)
        return "client: honest"
    code = _REFUSALS.get(error.name)
    if error.name == "FileNotFoundError" and "repository not found" in str(error):
        code = "RepoNotFound"  # what HfFileSystem makes of it
    expect(code, "an error that is none of these:", error.bases)
    if code == "RevisionNotFound":
        court.check_revision_is_absent(seen)
    elif code == "EntryNotFound":
        path = read.more.get("path", "")
        without = [s for s in court.possible(seen) if court.lacks(read.subject, s, path)]
        expect(without, "the file exists")
    else:
        expect(is_closed(read), "refused without a reason")
        expect(code == refusal_of(read), "refused for another reason")
    return "client: refused"


def _is_of_wrong_length(error: ClientError) -> bool:
    """Tell the error for a transfer that broke off unnoticed by the HTTP library."""
    return "Consistency check failed" in str(error) or "IncompleteRead" in str(error)


def _commit_among(court: Court, seen: Seen, path: str, digest: str) -> None:
    """
    Check bytes that a client asked for by branch.

    It asks for commit and size first and then for the bytes, so both may be of another commit.
    """
    digests = {court.ledger.files(seen.read.subject, sha)[path].sha256
               for sha in court.possible(seen)
               if not court.lacks(seen.read.subject, sha, path)}  # fmt: skip
    expect(digest in digests, "WRONG BYTES")


def _download(court: Court, seen: Seen, value: dict[str, Any]) -> None:
    expect(value["commit"] in court.possible(seen), "never was", value["commit"])
    _commit_among(court, seen, seen.read.more["path"], value["sha256"])


def _snapshot(court: Court, seen: Seen, value: dict[str, str]) -> None:
    truths = []
    for sha in court.possible(seen):
        files = court.ledger.files(seen.read.subject, sha)
        truths.append({p: f.sha256 for p, f in files.items() if not p.startswith("large")})
    expect(value in truths, "a snapshot of no commit:", value)


def _metadata(court: Court, seen: Seen, value: dict[str, Any]) -> None:
    court.check_commit(seen, value["commit"])
    file = court.ledger.files(seen.read.subject, value["commit"])[seen.read.more["path"]]
    expect((value["etag"], value["size"]) == (file.etag, file.size), "other metadata", value)
    expect(not value["xet"], "a hint to Xet")


def _tree(court: Court, seen: Seen, value: list[list[Any]]) -> None:
    told = {path: size for path, size in value if size is not None}
    truths = [{p: f.size for p, f in court.ledger.files(seen.read.subject, sha).items()}
              for sha in court.possible(seen)]  # fmt: skip
    expect(told in truths, "a listing of no commit:", told)


def _info(court: Court, seen: Seen, value: dict[str, Any]) -> None:
    court.check_commit(seen, value["sha"])
    files = court.ledger.files(seen.read.subject, value["sha"])
    expect(set(value["siblings"]) == set(files), "other siblings", value)


def _refs(court: Court, seen: Seen, value: dict[str, str]) -> None:
    moments = [m for m in seen.read.subject.moments if m.before <= seen.ended]
    expect(any(dict(m.refs) == value for m in moments), "refs as they never were:", value)


def _paths_info(court: Court, seen: Seen, value: list[str]) -> None:
    path = seen.read.more["paths"][0]
    there = {not court.lacks(seen.read.subject, sha, path) for sha in court.possible(seen)}
    expect(value in ([path], []) and bool(value) in there, "other entries:", value)


def _commits(court: Court, seen: Seen, value: list[list[Any]]) -> None:
    line = [item[0] for item in value]
    court.check_commit(seen, line[0])
    expect(line == seen.read.subject.chain(line[0]), "another history:", line)


def _block(court: Court, seen: Seen, value: str) -> None:
    more, sha = seen.read.more, seen.read.revision
    assert sha is not None
    truth = court.ledger.part(seen.read.subject, sha, more["path"], more["start"], 999)
    digests = [hashlib.sha256(data).hexdigest() for data in (bytes.fromhex(value), truth)]
    expect(digests[0] == digests[1], "WRONG BYTES")


def _listed(court: Court, seen: Seen, value: list[str]) -> None:
    check_list(court, seen, value)


def _exists(court: Court, seen: Seen) -> None:
    """A client takes every refusal for "no"."""
    path = seen.read.more["path"]
    if seen.outcome:
        expect(not is_closed(seen.read), "shown to whom it is closed")
        holds = (not court.lacks(seen.read.subject, sha, path) for sha in court.possible(seen))
        expect(any(holds), "it does not exist")
    elif not is_closed(seen.read):
        ref_gone = seen.read.revision == "dev"
        lacking = (court.lacks(seen.read.subject, sha, path) for sha in court.possible(seen))
        expect(ref_gone or any(lacking), "it exists")


_CHECKS = {
    "download": _download, "snapshot": _snapshot, "metadata": _metadata, "tree": _tree,
    "info": _info, "refs": _refs, "paths_info": _paths_info, "commits": _commits, "block": _block,
    "listed": _listed,
}  # fmt: skip
