"""When all is well again: is everything right and new, and is nothing wrong kept?"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pulp_hugging_face.tests.functional.caches import Cache
from pulp_hugging_face.tests.functional.kinds import Kind, Place
from pulp_hugging_face.tests.functional.stack import Stack
from pulp_hugging_face.tests.functional.wire import Reply
from pulp_hugging_face.tests.functional.workers import Workers
from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .ledger import REVISIONS, Ledger, Subject
from .reads import Chooser, RawReader, Read
from .verdict import Court


def outdated(ledger: Ledger, workers: dict[str, Workers]) -> list[str]:
    """Return what a worker does not show as it is now, or shows with the warning that it is old."""
    return [
        f"[{name} {pid}] {kind.target}: {reply.status} {reply.headers} {reply.text[:500]}"
        for name, at in workers.items()
        for pid in at.pids
        for kind, expected in _now(ledger)
        for reply in [at.ask(pid, kind, Place({}))]
        if not _shows(reply, expected)
    ]


def _now(ledger: Ledger) -> Iterator[tuple[Kind, "dict[str, str] | str | None"]]:
    """Return questions about what can change, with their answers; None for no such revision."""
    for subject in ledger.subjects:
        api = f"/api/{subject.type}s/{subject.id}"
        for revision, sha in now(subject).items():
            target = f"{api}/revision/{revision.replace('/', '%2F')}"
            yield Kind("info", target, token=OWNER_TOKEN), sha
        yield Kind("refs", f"{api}/refs?include_prs=1", token=OWNER_TOKEN), subject.refs
        listed = f"/api/{subject.type}s?author={ledger.space}"
        yield Kind("list", listed, token=OWNER_TOKEN), ""


def now(subject: Subject) -> dict[str, str | None]:
    """Return what each revision is; None for one that does not exist."""
    return {word: subject.refs.get(ref) for word, ref in REVISIONS.items() if word}


def _shows(reply: Reply, expected: "dict[str, str] | str | None") -> bool:
    if expected is None:
        return reply.error_code == "RevisionNotFound"
    if reply.status != 200 or "x-hf-warning" in reply.headers:
        return False
    data = json.loads(reply.body)
    if isinstance(expected, dict):
        return {
            ref["ref"]: ref["targetCommit"] for all_ in data.values() for ref in all_
        } == expected
    return not expected or data["sha"] == expected


def wrong_answers(ledger: Ledger, caches: dict[str, Cache]) -> list[str]:
    """Read all of main, and some of the rest, again; return what is not right."""
    chooser = Chooser(ledger, "aftermath")
    reader, court = RawReader(chooser, caches), Court(ledger)
    answers = [reader.ask(read) for cache in caches for read in _everything(chooser, cache)]
    complaints = court.judge(answers)
    late = {kind: count for kind, count in court.outcomes.items() if kind != "right"}
    return complaints + [f"not simply right: {late}" for _ in late][:1]


def _everything(chooser: Chooser, cache: str) -> list[Read]:
    reads = []
    for subject in chooser.ledger.subjects:
        revisions = {word: sha for word, sha in now(subject).items() if sha}
        for revision, sha in revisions.items():
            paths = sorted(chooser.ledger.files(subject, sha))
            reads += [
                Read("get", cache, subject, subject.id, revision, OWNER_TOKEN, {"path": path})
                for path in (paths if revision == "main" else chooser.random.sample(paths, 3))
            ]
            reads += [
                Read(kind, cache, subject, subject.id, revision, OWNER_TOKEN)
                for kind in ("info", "tree", "tree-expanded", "commits", "refs", "list")
            ]
    return reads


def wrong_files(stack: Stack) -> list[str]:
    """Return artifacts in the storage whose bytes are not those that their name tells."""
    folder = stack.data / "media" / "artifact"
    return [str(path) for path in folder.rglob("*") if path.is_file() and not _is_named(path)]


def _is_named(path: Path) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.parent.name + path.name


def log_of(stack: Stack) -> str:
    """Return what the content app wrote down until now."""
    return (stack.data / "logs" / "content.log").read_text(errors="replace")


_ROWS = """
import hashlib, json
from pulpcore.plugin.models import ContentArtifact
from pulp_hugging_face.app.models import Blob

def of(key, file):
    data = file.read()
    if len(key) == 64:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\\0" % len(data) + data).hexdigest()

wrong = []
for blob in Blob.objects.select_related("artifact").iterator():
    with blob.artifact.file.open("rb") as file:
        if of(blob.key, file) != blob.key or blob.artifact.size != blob.size:
            wrong.append(blob.key)
held = ContentArtifact.objects.filter(
    relative_path__contains=SPACE, artifact__isnull=False
).values_list("relative_path", "artifact__sha256")
print("ROWS" + json.dumps({"wrong": wrong, "held": list(held)}))
"""


def wrong_rows(stack: Stack, ledger: Ledger) -> list[str]:
    """Return blobs whose bytes are not of their key, and files that hold another one's bytes."""
    output = stack.manager(_ROWS.replace("SPACE", repr(f"{ledger.space}/")))
    rows = json.loads(output.partition("ROWS")[2])
    assert rows["held"], "nothing is held at all"
    truth = {path: digest for subject in ledger.subjects
             for path, digest in _truth(ledger, subject).items()}  # fmt: skip
    mixed = [path for path, digest in rows["held"] if truth.get(path) != digest]
    return rows["wrong"] + mixed


def _truth(ledger: Ledger, subject: Subject) -> dict[str, str]:
    """Return the digest of every file of every commit by its path in a repository version."""
    prefix = "" if subject.type == "model" else f"{subject.type}s/"
    return {
        f"{prefix}{name}/resolve/{sha}/{path}": file.sha256
        for name in subject.ids
        for sha in subject.parents
        for path, file in ledger.files(subject, sha).items()
    }
