"""What was true of the upstream's repositories, and when."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from pulp_hugging_face.tests.hub import (
    ControlError,
    FileInfo,
    FixtureHub,
    Generated,
    RepoSpec,
    branch,
    commit,
    pull_request,
    tag,
)

MAIN, DEV, TAG, PROPOSAL = "refs/heads/main", "refs/heads/dev", "refs/tags/v1", "refs/pr/1"
# How clients write them; None is the default.
REVISIONS: Mapping[str | None, str] = {
    None: MAIN, "main": MAIN, "dev": DEV, "v1": TAG, "refs/pr/1": PROPOSAL,
}  # fmt: skip
STEPS = 3  # commits on main to begin with


@dataclass(frozen=True)
class Moment:
    """A state of all refs. It began between `before` and `after`, until the next one."""

    before: float
    after: float
    refs: Mapping[str, str]


@dataclass
class Subject:
    """
    A repository of the soak.

    `closed` is "", "gated" or "private"; `ids` are its names, the newest last; `parents` has every
    commit that a ref ever pointed to.
    """

    id: str
    type: str = "model"
    closed: str = ""
    ids: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    parents: dict[str, str | None] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what stays when it is renamed."""
        return f"{self.type}/{self.ids[0]}"

    @property
    def refs(self) -> dict[str, str]:
        """Return the refs as they are now."""
        return dict(self.moments[-1].refs)

    def chain(self, sha: str) -> list[str]:
        """Return a commit and its ancestors, newest first."""
        line = [sha]
        while (parent := self.parents[line[-1]]) is not None:
            line.append(parent)
        return line

    @contextmanager
    def moving(self) -> Iterator[dict[str, str]]:
        """Take down a change of refs, made within the block in what it is given."""
        before, refs = time.monotonic(), self.refs
        yield refs
        self.moments.append(Moment(before, time.monotonic(), refs))


class Ledger:
    """All subjects, and what their commits hold."""

    def __init__(self, hub: FixtureHub, space: str) -> None:
        self.hub = hub
        self.space = space
        self.subjects = [
            Subject(f"{space}/first"),
            Subject(f"{space}/second"),
            Subject(f"{space}/data", "dataset"),
            Subject(f"{space}/app", "space"),
            Subject(f"{space}/gated", closed="gated"),
            Subject(f"{space}/private", closed="private"),
        ]
        hub.declare(*(_spec(subject, n) for n, subject in enumerate(self.subjects)))
        for subject in self.subjects:
            self._begin(subject)
        self.manifest = cache(self._manifest)

    def _begin(self, subject: Subject) -> None:
        subject.ids = [subject.id]
        refs = {ref: self._sha(subject, ref) for ref in (MAIN, DEV, TAG, PROPOSAL)}
        line = [self._sha(subject, f"main~{n}") for n in reversed(range(STEPS))]
        subject.parents = dict(zip(line, [None, *line[:-1]], strict=True))
        for ref in (DEV, PROPOSAL):
            subject.parents[refs[ref]] = line[-1]
        subject.moments.append(Moment(0.0, 0.0, refs))

    def _sha(self, subject: Subject, revision: str) -> str:
        return self.hub.sha(subject.id, revision, subject.type)

    def _manifest(self, key: str, sha: str) -> dict[str, FileInfo]:
        subject = next(subject for subject in self.subjects if subject.key == key)
        while True:
            name = subject.id
            try:
                return self.hub.manifest(name, sha, subject.type)
            except ControlError:
                if name == subject.id:  # not just renamed
                    raise

    def files(self, subject: Subject, sha: str) -> dict[str, FileInfo]:
        """Return the files of a commit by path."""
        return self.manifest(subject.key, sha)

    def part(self, subject: Subject, sha: str, path: str, start: int, length: int) -> bytes:
        """Return bytes of a file."""
        return self.hub.bytes_of(subject.id, path, sha, subject.type, start, length)


def _spec(subject: Subject, number: int) -> RepoSpec:
    steps = (commit(f"Step {n}", files_of_step(subject.id, number, n)) for n in range(STEPS))
    return RepoSpec(
        subject.id,
        subject.type,
        commits=tuple(steps),
        refs=(
            branch("dev", commit("Try", {"dev.txt": f"{subject.id}\n"})),
            tag("v1", "main~1"),
            pull_request(1, commit("Propose", {"sub dir/pr.txt": "proposed\n"})),
        ),
        private=subject.closed == "private",
        gated="manual" if subject.closed == "gated" else False,
    )


def files_of_step(name: str, number: int, step: int) -> dict[str, "str | Generated"]:
    """Return what a commit changes: texts each time, large files now and then."""
    seed = (number + 1) * 1_000_000 + step
    files: dict[str, str | Generated] = {
        "config.json": f'{{"model_type": "{name}", "step": {step}}}\n',
        "sub dir/é #1.txt": f"{name} {step}\n",
    }
    if step == 0:
        more = {f"data/{n:02}/part.csv": f"{name},{n}\n" for n in range(8)}
        return {**files, **more, "empty.txt": "", **_large(seed)}
    if step % 3 == 0:
        files |= _large(seed)
    return files | {f"step-{step}.txt": f"{step}\n", "small.bin": Generated(90_001, seed)}


def _large(seed: int) -> dict[str, "str | Generated"]:
    """Return one file below and one above the size up to which files are verified first."""
    return {
        "weights.safetensors": Generated(700_003, seed),
        "large.bin": Generated(4_500_017, seed),
    }


def directories(paths: Sequence[str]) -> set[str]:
    """Return all directories that files are in."""
    parts = (path.split("/")[:-1] for path in paths)
    return {"/".join(part[: n + 1]) for part in parts for n in range(len(part))}
