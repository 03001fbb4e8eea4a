"""REST endpoints."""

from .content import CommitViewSet, RefViewSet
from .plugin import (
    HuggingFaceDistributionViewSet,
    HuggingFaceRemoteViewSet,
    HuggingFaceRepositoryVersionViewSet,
    HuggingFaceRepositoryViewSet,
)

__all__ = [
    "CommitViewSet",
    "HuggingFaceDistributionViewSet",
    "HuggingFaceRemoteViewSet",
    "HuggingFaceRepositoryVersionViewSet",
    "HuggingFaceRepositoryViewSet",
    "RefViewSet",
]
