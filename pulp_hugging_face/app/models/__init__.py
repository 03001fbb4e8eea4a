"""Database models. They import nothing of the plugin but `hub` (architecture §2)."""

from .blob import Blob, Tree
from .content import Commit, Ref
from .known import KnownAnswer, KnownGrant, KnownRef, KnownRepo, Tally
from .plugin import HuggingFaceDistribution, HuggingFaceRemote, HuggingFaceRepository

__all__ = [
    "Blob",
    "Commit",
    "HuggingFaceDistribution",
    "HuggingFaceRemote",
    "HuggingFaceRepository",
    "KnownAnswer",
    "KnownGrant",
    "KnownRef",
    "KnownRepo",
    "Ref",
    "Tally",
    "Tree",
]
