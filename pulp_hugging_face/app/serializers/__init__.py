"""REST serializers."""

from .content import CommitFileSerializer, CommitSerializer, RefSerializer
from .plugin import (
    HuggingFaceDistributionSerializer,
    HuggingFaceRemoteSerializer,
    HuggingFaceRepositorySerializer,
)
from .usage import UsageSerializer

__all__ = [
    "CommitFileSerializer",
    "CommitSerializer",
    "HuggingFaceDistributionSerializer",
    "HuggingFaceRemoteSerializer",
    "HuggingFaceRepositorySerializer",
    "RefSerializer",
    "UsageSerializer",
]
