"""A live repository: commits, refs, and what may happen to them while a test runs."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .declare import CommitSpec, FileSpec, RefSpec, RepoSpec
from .gitmodel import Blob, Commit, Entry, make_blob, make_commit

EPOCH = 1_704_067_200  # 2024-01-01T00:00:00Z: dates are fixed, so shas are too
HOUR = 3600
MAIN = "refs/heads/main"
SHORT_SHA = re.compile(r"^[0-9a-f]{7,39}$")
RELATIVE = re.compile(r"^(.*?)(?:~(\d+))?$")

_blobs: dict[tuple[Any, bool, bool], Blob] = {}


@dataclass
class Repo:
    """Build with `Repo.declared`; then mutate through its methods."""

    id: str
    type: str
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    readers: set[str] = field(default_factory=set)
    downloads: int = 0
    likes: int = 0
    info: Mapping[str, Any] = field(default_factory=dict)
    discussions: tuple[str, ...] = ()
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    changes: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    @classmethod
    def declared(cls, spec: RepoSpec) -> "Repo":
        repo = cls(
            spec.id,
            spec.type,
            spec.private,
            spec.gated,
            spec.disabled,
            set(spec.readers),
            spec.downloads,
            spec.likes,
            spec.info,
            spec.discussions,
        )
        for commit in spec.commits:
            repo.add_commit(MAIN, commit)
        for ref in spec.refs:
            repo.add_ref(ref)
        return repo

    @property
    def key(self) -> tuple[str, str]:
        return self.type, self.id

    @property
    def object_id(self) -> str:
        """The database id (`_id`), 24 hex."""
        return hashlib.sha1(f"{self.type}/{self.id}".encode()).hexdigest()[:24]

    @property
    def author(self) -> str | None:
        namespace, slash, _ = self.id.partition("/")
        return namespace if slash else None

    @property
    def trending(self) -> int:
        """The trending score: anything that is not the order of the downloads will do."""
        return self.likes * 1000 // (self.downloads + 1)

    @property
    def api_path(self) -> str:
        return f"/api/{self.type}s/{self.id}"

    @property
    def web_path(self) -> str:
        prefix = "" if self.type == "model" else f"/{self.type}s"
        return f"{prefix}/{self.id}"

    def add_ref(self, spec: RefSpec) -> None:
        if spec.base is not None:
            self.refs[spec.ref] = self.target(spec.base)
        for commit in spec.commits:
            self.add_commit(spec.ref, commit)

    def add_commit(self, ref: str, spec: CommitSpec) -> str:
        """Commit on top of `ref`, which is made if it does not exist."""
        ref = full_ref(ref)
        parent = self.commits.get(self.refs.get(ref, ""))
        files = dict(parent.files) if parent else {}
        for path in spec.delete:
            files = {p: b for p, b in files.items() if p != path and not p.startswith(f"{path}/")}
        files.update({file.path: self._blob(file) for file in spec.files})
        commit = make_commit(
            files,
            parents=(parent.sha,) if parent else (),
            title=spec.title,
            message=spec.message,
            author=spec.author,
            timestamp=spec.date if spec.date is not None else self._next_date(),
        )
        self.commits[commit.sha] = commit
        self.refs[ref] = commit.sha
        return commit.sha

    def _blob(self, file: FileSpec) -> Blob:
        """Everything in a bucket is stored by Xet, however small."""
        return blob_for(replace(file, lfs=True) if self.type == "bucket" else file)

    def _next_date(self) -> int:
        latest = max((commit.timestamp for commit in self.commits.values()), default=EPOCH - HOUR)
        return latest + HOUR

    def target(self, expression: str) -> str:
        """`main`, `refs/tags/v1`, a full sha, each with an optional `~N`."""
        name, steps = RELATIVE.match(expression).groups()  # type: ignore[union-attr]
        commit = self.resolve(name)
        if commit is None:
            raise KeyError(f"{self.id} has no revision {name}")
        for _ in range(int(steps or 0)):
            commit = self.commits[commit.parents[0]]
        return commit.sha

    def resolve(self, revision: str) -> Commit | None:
        """Branch, tag, full ref, full sha or unambiguous short sha; `HEAD` is main."""
        if revision == "HEAD":
            revision = MAIN
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref.startswith("refs/") and ref in self.refs:
                return self.commits[self.refs[ref]]
        if revision in self.commits:
            return self.commits[revision]
        if SHORT_SHA.match(revision):
            found = [commit for sha, commit in self.commits.items() if sha.startswith(revision)]
            return found[0] if len(found) == 1 else None
        return None

    @property
    def head(self) -> Commit | None:
        return self.resolve(MAIN)

    def history(self, commit: Commit) -> list[Commit]:
        """First-parent history, newest first."""
        line = [commit]
        while line[-1].parents:
            line.append(self.commits[line[-1].parents[0]])
        return line

    def last_change(self, commit: Commit, entry: Entry) -> Commit:
        """The commit that last changed a path (`lastCommit` of an expanded listing)."""
        return self.commits[self._last_changes(commit)[entry.path]]

    def _last_changes(self, commit: Commit) -> dict[str, str]:
        for step in reversed(self.history(commit)):
            if step.sha not in self.changes:
                before = self.commits[step.parents[0]] if step.parents else None
                known = self.changes[before.sha] if before else {}
                old = before.entries if before else {}
                self.changes[step.sha] = {
                    path: known[path] if path in old and old[path].oid == entry.oid else step.sha
                    for path, entry in step.entries.items()
                }
        return self.changes[commit.sha]


def full_ref(name: str) -> str:
    return name if name.startswith("refs/") else f"refs/heads/{name}"


def blob_for(file: FileSpec) -> Blob:
    """Blobs are shared between commits and repositories, as their digests are costly."""
    key = (file.content, file.is_lfs, file.executable)
    if key not in _blobs:
        _blobs[key] = make_blob(file.content, lfs=file.is_lfs, executable=file.executable)
    return _blobs[key]
