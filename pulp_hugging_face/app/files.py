"""The files of a commit for the REST API, read page by page from its trees."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pulp_hugging_face.hub.manifest import Entry, unpack

from .models import Blob, Commit, Tree


@dataclass(frozen=True)
class CommitFile:
    """A file of a commit and whether its bytes are held."""

    path: str
    size: int
    oid: str
    sha256: str | None
    held: bool


class CommitFiles:
    """
    A commit's files as a sequence that can be counted and sliced, as pagination needs.

    Of a commit that was listed only in part, the files listed so far.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._domain = commit.pulp_domain_id

    def count(self) -> int:
        """Return the number of files."""
        if self._commit.file_count is not None:
            return self._commit.file_count
        return sum(1 for _ in self._files(self._commit.root_tree, ""))

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, part: Any) -> list[CommitFile]:
        files = self._files(self._commit.root_tree, "")
        return self._with_holdings(list(islice(files, part.start, part.stop)))

    def _files(self, key: str, directory: str) -> Iterator[Entry]:
        pages = Tree.objects.filter(pulp_domain=self._domain, key=key).order_by("page")
        for row in pages.iterator():
            for entry in unpack(bytes(row.entries)).entries:
                full = entry.under(directory)
                if entry.is_dir:
                    yield from self._files(entry.oid, full.path)
                else:
                    yield full

    def _with_holdings(self, entries: list[Entry]) -> list[CommitFile]:
        keys = {entry.blob.key for entry in entries}
        blobs = Blob.objects.filter(pulp_domain=self._domain, key__in=keys)
        held = set(blobs.values_list("key", flat=True))
        return [
            CommitFile(
                path=entry.path,
                size=entry.size,
                oid=entry.oid,
                sha256=entry.lfs.sha256 if entry.lfs else None,
                held=entry.blob.key in held,
            )
            for entry in entries
        ]
