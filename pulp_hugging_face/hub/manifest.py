"""
The manifest of a commit: directories of entries, packed for storage (architecture §3).

A directory is a list of entries sorted by name in byte order, cut into pages, so that a lookup
in a directory of a hundred thousand files reads one page.
"""

import hashlib
import json
import zlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .digests import BlobId
from .names import check_path, is_sha

PAGE_ENTRIES = 5000
# Sizes are stored as signed 64-bit integers.
_LARGEST = 2**63 - 1
_POINTER_TEXT = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@dataclass(frozen=True, slots=True)
class Lfs:
    """The large-file half of an entry: content digest, bytes, bytes of the pointer text."""

    sha256: str
    size: int
    pointer_size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A file or directory of a commit.

    `path` is relative to whatever lists it (full path in answers, bare name in a stored page);
    `oid` the git oid (of the pointer text for LFS files); `size` the content's bytes.
    """

    path: str
    oid: str
    size: int = 0
    lfs: Lfs | None = None
    is_dir: bool = False

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def blob(self) -> BlobId:
        """Return what identifies the content: sha256 for LFS files, git oid otherwise."""
        if self.lfs:
            return BlobId(self.lfs.sha256, self.size)
        return BlobId(self.oid, self.size)

    @property
    def pointer(self) -> bytes:
        """Return the text that git holds in place of an LFS file, as git-lfs writes it."""
        return _POINTER_TEXT.format(self.blob.key, self.size).encode()

    def as_pointer(self) -> "Entry":
        """Return the entry as git itself sees it: an LFS file is its pointer text."""
        return replace(self, size=self.lfs.pointer_size, lfs=None) if self.lfs else self

    def under(self, directory: str) -> "Entry":
        """Return the entry with its path below a directory ("" is the root)."""
        return replace(self, path=f"{directory}/{self.path}") if directory else self


class InvalidManifest(ValueError):
    """A listing of the upstream that cannot be a git tree."""


def entry_from_json(item: dict[str, Any]) -> Entry:
    """
    Return the entry of one tree or paths-info object (hub-protocol §2.4).

    Raises InvalidManifest when it lacks what an entry needs or has an impossible path.
    """
    try:
        path, oid = _path_of(item), item["oid"]
        if not is_sha(oid):
            raise ValueError(f"not an oid: {oid}")
        if item["type"] == "directory":
            return Entry(path, oid, is_dir=True)
        lfs = _lfs_from_json(item.get("lfs"))
        size = lfs.size if lfs else int(item["size"])
        entry = Entry(path, oid, size, lfs)
        if entry.blob.size > _LARGEST:
            raise ValueError(f"impossible size: {size}")
        return entry
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidManifest(f"not a tree entry: {error!r}") from error


def _path_of(item: dict[str, Any]) -> str:
    path = item["path"]
    if not isinstance(path, str) or not path:
        raise ValueError(f"not a path: {path!r}")
    check_path(path)
    return path


def _lfs_from_json(lfs: Any) -> Lfs | None:
    if not lfs:
        return None
    if not isinstance(lfs, dict):
        raise TypeError("lfs is not an object")
    sha256 = str(lfs.get("oid") or lfs["sha256"]).removeprefix("sha256:")
    size = int(lfs["size"])
    if not BlobId(sha256, size).is_sha256:
        raise ValueError(f"not a sha256: {sha256}")
    pointer_size = lfs.get("pointerSize") or len(_POINTER_TEXT.format(sha256, size))
    return Lfs(sha256, size, int(pointer_size))


def _sort_key(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class TreePage:
    """One stored page of a directory: entries by name, in byte order."""

    entries: tuple[Entry, ...]
    names: tuple[bytes, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "TreePage":
        """Return a page of entries (any order; paths are bare names)."""
        ordered = tuple(sorted(entries, key=lambda entry: _sort_key(entry.path)))
        return cls(ordered, tuple(_sort_key(entry.path) for entry in ordered))

    def find(self, name: str) -> Entry | None:
        """Return the entry of that name, or None."""
        wanted = _sort_key(name)
        at = bisect_left(self.names, wanted)
        if at < len(self.names) and self.names[at] == wanted:
            return self.entries[at]
        return None


def paginate(entries: Iterable[Entry]) -> list[TreePage]:
    """Return the pages of a directory; an empty directory has one empty page."""
    ordered = sorted(entries, key=lambda entry: _sort_key(entry.path))
    starts = range(0, len(ordered), PAGE_ENTRIES) if ordered else [0]
    return [TreePage.of(ordered[start : start + PAGE_ENTRIES]) for start in starts]


def pack(page: TreePage) -> bytes:
    """Return the page as compressed JSON: rows [name, oid, size(-1 = directory)[, sha256, n]]."""
    rows: list[list[str | int]] = []
    for entry in page.entries:
        row: list[str | int] = [entry.path, entry.oid, -1 if entry.is_dir else entry.size]
        if entry.lfs:
            row += [entry.lfs.sha256, entry.lfs.pointer_size]
        rows.append(row)
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 6)


def unpack(packed: bytes) -> TreePage:
    """Return the page that `pack` made."""
    return TreePage.of(_unpack_row(row) for row in json.loads(zlib.decompress(packed)))


def _unpack_row(row: list[Any]) -> Entry:
    name, oid, size = row[:3]
    if size < 0:
        return Entry(name, oid, is_dir=True)
    lfs = Lfs(row[3], size, row[4]) if len(row) > 3 else None
    return Entry(name, oid, size, lfs)


def root_key(entries: Iterable[Entry]) -> str:
    """
    Return the key of a root directory: sha256 over all that is told of its entries.

    The Hub's API does not tell the root's oid, and it cannot be computed without file modes.
    """
    digest = hashlib.sha256()
    for page in paginate(entries):
        for entry in page.entries:
            lfs = f"{entry.lfs.sha256}:{entry.lfs.pointer_size}" if entry.lfs else "-"
            digest.update(f"{entry.is_dir:d} {entry.oid} {entry.size} {lfs} ".encode())
            digest.update(_sort_key(entry.path) + b"\0")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    A whole recursive listing, split into directories.

    `root` is the root's key; `directories` maps tree key → entries (bare names).
    """

    root: str
    directories: dict[str, list[Entry]]
    file_count: int
    total_size: int


def manifest_from_listing(listing: Iterable[Entry]) -> Manifest:
    """
    Return the manifest of a full recursive listing (full paths, directories included).

    Raises InvalidManifest when a file's directory is not listed, a path comes twice, or one oid is
    given to directories of different content (which would replace each other, or never end).
    """
    entries = list(listing)
    oids = {entry.path: entry.oid for entry in entries if entry.is_dir}
    if len({entry.path for entry in entries}) != len(entries):
        raise InvalidManifest("a path is listed twice")
    by_directory: dict[str, list[Entry]] = {"": [], **{path: [] for path in oids}}
    for entry in entries:
        parent, _, name = entry.path.rpartition("/")
        if parent not in by_directory:
            raise InvalidManifest(f"directory {parent!r} is missing from the listing")
        by_directory[parent].append(replace(entry, path=name))
    root = root_key(by_directory[""])
    directories: dict[str, list[Entry]] = {}
    for path, children in by_directory.items():
        children.sort(key=lambda entry: _sort_key(entry.path))
        if directories.setdefault(oids.get(path, root), children) != children:
            raise InvalidManifest(f"directory {path!r} has the oid of another one")
    files = [entry for entry in entries if not entry.is_dir]
    total = sum(entry.size for entry in files)
    if total > _LARGEST:
        raise InvalidManifest(f"impossible size: {total}")
    return Manifest(root, directories, len(files), total)
