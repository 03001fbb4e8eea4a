"""A distribution as requests see it: plain values, loaded once and shared by all requests."""

from dataclasses import dataclass, field
from uuid import UUID

from django.core.files.storage import Storage

from pulp_hugging_face.upstream.config import RemoteConfig


@dataclass(frozen=True)
class RemoteView:
    """A distribution's remote. `policy`, `token_mode` and `metadata_ttl` as on the model."""

    pk: UUID
    config: RemoteConfig
    policy: str
    token_mode: str
    metadata_ttl: int

    @property
    def keeps(self) -> bool:
        """Tell whether what is fetched is kept."""
        return self.policy != "streamed"

    @property
    def prefetches(self) -> bool:
        """Tell whether the first touch of a commit fetches all its files."""
        return self.policy == "immediate"


@dataclass(frozen=True)
class View:
    """
    A distribution.

    `path` is the part of the URL path that leads to it, without a trailing slash; `version` is set
    when the distribution is pinned to a repository version; `storage` is where the domain keeps its
    artifacts.
    """

    pk: UUID
    domain_pk: UUID
    domain: str
    base_path: str
    path: str
    guard: UUID | None
    repository: UUID | None
    version: UUID | None
    remote: RemoteView | None
    storage: Storage = field(compare=False, repr=False)


@dataclass(frozen=True)
class Caller:
    """Who asks: their Hub token if they sent one as a bearer token."""

    token: str | None = None
