"""The Hub's rate limits: fixed windows per bucket and caller (hub-protocol.md §2.1)."""

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from .errors import HubError
from .wire import Ask


@dataclass(frozen=True)
class Quota:
    """Requests in each window, and how many those without a token have (None: as many)."""

    requests: int
    window: int = 300
    anonymous: int | None = None


@dataclass
class RateLimits:
    """Off until a quota is set; then its headers are on every answer, refusals included.

    The caller is a token that the Hub knows, or else an address: a token that is wrong does not
    help, and all who ask from one address without a token share what it has.
    """

    quotas: dict[str, Quota] = field(default_factory=dict)
    _used: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def set(self, quotas: Mapping[str, Quota]) -> None:
        self.quotas = dict(quotas)
        self._used.clear()

    def headers(self, ask: Ask, kind: str, tokens: Container[str]) -> tuple[dict[str, str], bool]:
        """The headers of this answer, and whether the quota is used up."""
        bucket = bucket_of(ask, kind)
        quota = self.quotas.get(bucket or "")
        if bucket is None or quota is None:
            return {}, False
        token = (ask.authorization or "").removeprefix("Bearer ").strip()
        caller, most = token, quota.requests
        if token not in tokens:
            caller = ask.peer
            most = most if quota.anonymous is None else quota.anonymous
        used, seconds = self._count(bucket, caller, quota.window)
        headers = {
            "RateLimit": f'"{bucket}";r={max(most - used, 0)};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={most};w={quota.window}',
        }
        return headers, used > most

    def _count(self, bucket: str, caller: str, window: int) -> tuple[int, int]:
        """Requests of this window, this one included, and the seconds until the next."""
        now = time.monotonic()
        started, used = self._used.get((bucket, caller), (now, 0))
        if now - started >= window:
            started, used = now, 0
        self._used[bucket, caller] = (started, used + 1)
        return used + 1, max(int(started + window - now), 0)


def bucket_of(ask: Ask, kind: str) -> str | None:
    """`resolve-cache` is served from the edge and not counted, as far as can be seen."""
    if ask.origin != "hub" or kind.startswith("resolve_cache"):
        return None
    if kind.startswith(("resolve_", "raw_", "bucket_get", "bucket_head")):
        return "resolvers"
    return "api" if ask.raw_path.startswith("/api/") else "pages"


def too_many(ask: Ask, headers: Mapping[str, str]) -> HubError:
    """429, with the seconds to wait for those who do not read `RateLimit` (§2.1)."""
    seconds = int(headers["RateLimit"].rpartition("=")[2]) + 1
    message = f"We had to rate limit your IP ({ask.peer}). Retry after {seconds} seconds."
    return HubError(429, message, None, {"Retry-After": str(seconds)})
