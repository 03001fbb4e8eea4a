"""The git objects of a repository: real blob, tree and commit ids for the declared content.

hub-protocol.md §1.3 and §2.4: a regular file is known by its git blob sha1, an LFS file by the
sha256 of its content *and* by the git sha1 of its pointer text, a directory by its tree id.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from .content import Content, pieces

MODE_FILE, MODE_EXECUTABLE, MODE_TREE = "100644", "100755", "40000"


@dataclass(frozen=True)
class Lfs:
    """What the pointer of an LFS file says, and the Xet name of the same bytes."""

    sha256: str
    size: int

    @property
    def pointer(self) -> bytes:
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
            f"size {self.size}\n"
        ).encode()

    @property
    def xet_hash(self) -> str:
        """64 hex that are not the sha256: ours is invented, §4.3 "cheap mirror"."""
        return hashlib.sha256(f"xet {self.sha256}".encode()).hexdigest()


@dataclass(frozen=True)
class Blob:
    """A file as one commit holds it."""

    content: Content
    oid: str
    executable: bool = False
    lfs: Lfs | None = None

    @property
    def size(self) -> int:
        return self.content.size

    @property
    def mode(self) -> str:
        return MODE_EXECUTABLE if self.executable else MODE_FILE

    @property
    def etag(self) -> str:
        """The client's cache key (§1.3), without quotes."""
        return self.lfs.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Tree:
    """A directory; children in git's order."""

    oid: str
    children: tuple[tuple[str, "Blob | Tree"], ...]

    @property
    def mode(self) -> str:
        return MODE_TREE


@dataclass(frozen=True)
class Entry:
    """One line of a listing: a path and what is there."""

    path: str
    node: Blob | Tree

    @property
    def oid(self) -> str:
        return self.node.oid


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: Tree
    files: Mapping[str, Blob] = field(compare=False, repr=False)
    parents: tuple[str, ...] = ()
    title: str = ""
    message: str = ""
    author: str = ""
    timestamp: int = 0

    @property
    def date(self) -> str:
        """Rule 12: `YYYY-MM-DDThh:mm:ss.mmmZ`."""
        return hub_date(self.timestamp)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every file and directory, in the order of `git ls-tree -r -t`."""
        return {entry.path: entry for entry in walk(self.tree)}

    def children(self, directory: str) -> list[Entry]:
        """The direct entries of a directory, directories first as on the Hub."""
        node = self.tree if not directory else self.entries[directory].node
        assert isinstance(node, Tree)
        prefix = f"{directory}/" if directory else ""
        entries = [Entry(prefix + name, child) for name, child in node.children]
        return sorted(entries, key=lambda entry: isinstance(entry.node, Blob))


def hub_date(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def object_id(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def make_blob(content: Content, *, lfs: bool, executable: bool = False) -> Blob:
    """A blob with its true git id: of the bytes, or of the pointer for an LFS file."""
    if lfs:
        pointer = Lfs(content.sha256, content.size)
        return Blob(content, object_id("blob", pointer.pointer), executable, pointer)
    digest = hashlib.sha1(f"blob {content.size}\0".encode())
    for piece in pieces(content):
        digest.update(piece)
    return Blob(content, digest.hexdigest(), executable)


def make_tree(files: Mapping[str, Blob]) -> Tree:
    """The tree of a flat path → blob mapping."""
    here: dict[str, Blob | Tree] = {}
    below: dict[str, dict[str, Blob]] = {}
    for path, blob in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = blob
        else:
            here[name] = blob
    for name, nested in below.items():
        here[name] = make_tree(nested)
    children = tuple(sorted(here.items(), key=_git_order))
    return Tree(object_id("tree", b"".join(_tree_line(*child) for child in children)), children)


def _git_order(child: tuple[str, Blob | Tree]) -> bytes:
    """Git sorts a directory as if its name ended with a slash."""
    name, node = child
    return name.encode() + (b"/" if isinstance(node, Tree) else b"")


def _tree_line(name: str, node: Blob | Tree) -> bytes:
    return f"{node.mode} {name}\0".encode() + bytes.fromhex(node.oid)


def walk(tree: Tree, prefix: str = "") -> Iterator[Entry]:
    """Pre-order, as `git ls-tree -r -t`."""
    for name, node in tree.children:
        yield Entry(prefix + name, node)
        if isinstance(node, Tree):
            yield from walk(node, f"{prefix}{name}/")


def make_commit(
    files: Mapping[str, Blob],
    *,
    parents: tuple[str, ...],
    title: str,
    message: str,
    author: str,
    timestamp: int,
) -> Commit:
    tree = make_tree(files)
    data = commit_text(tree.oid, parents, title, message, author, timestamp)
    sha = object_id("commit", data)
    return Commit(sha, tree, dict(files), parents, title, message, author, timestamp)


def commit_text(
    tree: str, parents: tuple[str, ...], title: str, message: str, author: str, timestamp: int
) -> bytes:
    who = f"{author} <{author}@users.noreply.huggingface.co> {timestamp} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {who}", f"committer {who}", "", title]
    if message:
        lines += ["", message]
    return ("\n".join(lines) + "\n").encode()
