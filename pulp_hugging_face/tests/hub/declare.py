"""How a test says what the Hub holds: plain values, with a JSON form for the control origin."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .content import Content, content_from_json, content_of

LFS_SUFFIXES = tuple(
    f".{suffix}"
    for line in (
        "7z arrow bin bz2 ckpt ftz gguf gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet",
        "pb pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst",
    )
    for suffix in line.split()
)
LFS_THRESHOLD = 10 * 1024 * 1024
DEFAULT_AUTHOR = "hub-owner"


@dataclass(frozen=True)
class FileSpec:
    """A file; `lfs=None` decides as the Hub does, by name and by size."""

    path: str
    content: Content
    lfs: bool | None = None
    executable: bool = False

    @property
    def is_lfs(self) -> bool:
        if self.lfs is not None:
            return self.lfs
        by_name = self.path.endswith(LFS_SUFFIXES)
        return self.content.size > 0 and (by_name or self.content.size > LFS_THRESHOLD)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "content": self.content.to_json(),
            "lfs": self.lfs,
            "executable": self.executable,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FileSpec":
        return cls(**{**data, "content": content_from_json(data["content"])})


@dataclass(frozen=True)
class CommitSpec:
    """What one commit changes; `date` (unix seconds) is an hour after its predecessor's."""

    title: str
    files: tuple[FileSpec, ...] = ()
    delete: tuple[str, ...] = ()
    message: str = ""
    author: str = DEFAULT_AUTHOR
    date: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "files": [file.to_json() for file in self.files]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CommitSpec":
        files = tuple(FileSpec.from_json(file) for file in data.get("files", ()))
        return cls(**{**data, "files": files, "delete": tuple(data.get("delete", ()))})


@dataclass(frozen=True)
class RefSpec:
    """A ref beside main: it starts at `base` (None: no parent) and adds `commits`.

    `base` is a ref, `main` in short, or either of them with `~N`.
    """

    ref: str
    base: str | None = "main"
    commits: tuple[CommitSpec, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "commits": [commit.to_json() for commit in self.commits]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RefSpec":
        commits = tuple(CommitSpec.from_json(commit) for commit in data.get("commits", ()))
        return cls(**{**data, "commits": commits})


@dataclass(frozen=True)
class RepoSpec:
    """A repository. `readers` are the users who may see it (private) or its content (gated).

    `type` is model, dataset, space, kernel or bucket; a bucket has the files of its main branch.
    `info` adds to the info object or replaces what is in it: `inferenceProviderMapping` makes a
    model `warm` and findable by provider, `securityRepoStatus` is shown on demand.
    `discussions` are titles: every `refs/pr/N` is a pull request anyway, they come after those.
    """

    id: str
    type: str = "model"
    commits: tuple[CommitSpec, ...] = ()
    refs: tuple[RefSpec, ...] = ()
    aliases: tuple[str, ...] = ()
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    readers: tuple[str, ...] = ("owner",)
    downloads: int = 42
    likes: int = 7
    info: Mapping[str, Any] = field(default_factory=dict)
    discussions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "commits": [commit.to_json() for commit in self.commits],
            "refs": [ref.to_json() for ref in self.refs],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RepoSpec":
        plain = {**data}
        plain["commits"] = tuple(CommitSpec.from_json(item) for item in data.get("commits", ()))
        plain["refs"] = tuple(RefSpec.from_json(item) for item in data.get("refs", ()))
        for key in ("aliases", "readers", "discussions"):
            if key in plain:
                plain[key] = tuple(plain[key])
        return cls(**plain)


@dataclass(frozen=True)
class UserSpec:
    name: str
    token: str
    fullname: str = ""
    orgs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def files_of(files: Mapping[str, "Content | bytes | str"]) -> tuple[FileSpec, ...]:
    """`{path: bytes, text or Generated}` as file declarations."""
    return tuple(FileSpec(path, content_of(value)) for path, value in files.items())


def commit(title: str, files: Mapping[str, Any], **fields: Any) -> CommitSpec:
    return CommitSpec(title, files_of(files), **fields)


def repo(repo_id: str, files: Mapping[str, Any], **fields: Any) -> RepoSpec:
    """The shortest declaration: one commit on main with these files."""
    return RepoSpec(repo_id, commits=(commit("Upload files", files),), **fields)


def branch(name: str, *commits: CommitSpec, base: str | None = "main") -> RefSpec:
    return RefSpec(f"refs/heads/{name}", base, commits)


def tag(name: str, target: str = "main") -> RefSpec:
    return RefSpec(f"refs/tags/{name}", target)


def pull_request(number: int, *commits: CommitSpec, base: str = "main") -> RefSpec:
    return RefSpec(f"refs/pr/{number}", base, commits)


def convert(name: str, *commits: CommitSpec) -> RefSpec:
    return RefSpec(f"refs/convert/{name}", None, commits)
