"""A distribution as requests see it: plain values, loaded once and shared by all requests."""

import hashlib
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.core.files.storage import Storage

from pulp_hugging_face.app.models import HuggingFaceRemote
from pulp_hugging_face.upstream.config import RemoteConfig

# Seconds that even the last step of a late answer may take.
_LAST_MOMENT = 0.3


@dataclass(frozen=True)
class RemoteView:
    """A distribution's remote. `policy`, `token_mode` and `metadata_ttl` as on the model."""

    pk: UUID
    config: RemoteConfig
    policy: str
    token_mode: str
    metadata_ttl: int

    def describes(self, row: HuggingFaceRemote) -> bool:
        """Tell whether a remote still has the address, token and mode of this view."""
        asked = (self.config.url, self.config.token, self.token_mode)
        return (row.url, row.hf_token, row.effective_token_mode) == asked

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
    artifacts, `redirects` whether clients are sent there if it is an object storage.
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
    redirects: bool = False


@dataclass(frozen=True)
class Found:
    """
    The distribution that a request is for.

    `path` is the raw URL path of the endpoint on this server, "" for the root; `written` is how the
    request writes it, which may differ in encoding and double slashes.
    """

    view: View
    path: str
    written: str


@dataclass(frozen=True)
class Caller:
    """
    Who asks: their Hub token if they sent one as a bearer token.

    `deadline` (monotonic) is when they give up waiting for an answer to begin, if they do.
    """

    token: str | None = field(default=None, repr=False)
    deadline: float | None = field(default=None, compare=False, repr=False)

    def patience(self, at_most: float) -> float:
        """Return the seconds that one step of the answer may still take."""
        if self.deadline is None:
            return at_most
        return max(_LAST_MOMENT, min(at_most, self.deadline - time.monotonic()))

    @property
    def token_hash(self) -> str:
        """Return the SHA-256 of the token, in hex: what may be stored and compared."""
        return hashlib.sha256((self.token or "").encode()).hexdigest()


# A question of our own: with no token, and all the time it takes.
NOBODY = Caller()
