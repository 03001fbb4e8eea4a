"""Digests the Hub vouches for: git blob sha1 of regular files, sha256 of LFS files."""

import hashlib
import re
from dataclasses import dataclass

_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BlobId:
    """
    What identifies a file's bytes: the Hub's digest and the size in bytes.

    `key` is the git blob oid (40 hex digits) of a regular file or the sha256 (64) of an LFS file.
    Raises ValueError for anything else, so that a key is always safe as a file name.
    """

    key: str
    size: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.key):
            raise ValueError(f"not a digest: {self.key!r}")
        if self.size < 0:
            raise ValueError(f"negative size: {self.size}")

    @property
    def is_sha256(self) -> bool:
        """Tell whether the key is the sha256 of the content (LFS)."""
        return len(self.key) == 64


class Digester:
    """
    Hash content as it arrives: sha256 always (Pulp's artifact), git sha1 when the key is one.

    Git hashes a blob as "blob <size>\\0" + content.
    """

    def __init__(self, blob: BlobId) -> None:
        self.blob = blob
        self.count = 0
        self._sha256 = hashlib.sha256()
        self._git = None if blob.is_sha256 else hashlib.sha1(f"blob {blob.size}\0".encode())

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the content."""
        self.count += len(data)
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        """Return the sha256 of what was taken, in hex."""
        return self._sha256.hexdigest()

    @property
    def actual_key(self) -> str:
        """Return the digest of what was taken, of the kind the blob's key is."""
        return self.sha256 if self._git is None else self._git.hexdigest()

    def matches(self) -> bool:
        """Tell whether exactly the blob's bytes were taken."""
        return self.count == self.blob.size and self.actual_key == self.blob.key
