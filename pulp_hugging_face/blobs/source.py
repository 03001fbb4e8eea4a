"""Where a blob's bytes come from."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from pulp_hugging_face.hub.names import RepoId, quote_path
from pulp_hugging_face.upstream.client import BlobStream, HubClient


class Source(Protocol):
    """Something that opens a range of one file of known size."""

    def open(self, start: int, stop: int) -> AbstractAsyncContextManager[BlobStream]:
        """Open bytes `start` to `stop`; a server may answer from 0. Raises HubError."""
        ...

    def patient(self) -> "Source":
        """Return the same for who waits longer for an upstream that is silent."""
        ...

    def room(self) -> float:
        """Return how many more transfers may begin at once; below zero, how many wait."""
        ...


@dataclass(frozen=True)
class HubFile:
    """A file of a commit on a Hub."""

    client: HubClient
    repo: RepoId
    sha: str
    path: str
    size: int
    is_patient: bool = False

    def open(self, start: int, stop: int) -> AbstractAsyncContextManager[BlobStream]:
        """Open bytes `start` to `stop`, by a fresh (signed) address each time."""
        return self.client.open_blob(
            *(self.repo, self.sha, self.path, self.size, start, stop), patient=self.is_patient
        )

    def patient(self) -> "HubFile":
        """Return the same file for who waits longer."""
        return replace(self, is_patient=True)

    def room(self) -> float:
        """Return what the remote's `download_concurrency` leaves, infinite without one."""
        return self.client.room

    def __str__(self) -> str:
        # Quoted: a file name may hold line breaks, and this is for log lines.
        return f"{self.repo}/{quote_path(self.path)}@{self.sha[:8]}"
