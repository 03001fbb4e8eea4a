"""The Hub's rate limits: fixed windows per bucket and caller (hub-protocol.md §2.1)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from .wire import Answer, Ask, text_answer


@dataclass(frozen=True)
class Quota:
    requests: int
    window: int = 300


@dataclass
class RateLimits:
    """Off until a quota is set. The caller is the token, or everybody without one."""

    quotas: dict[str, Quota] = field(default_factory=dict)
    _used: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def set(self, quotas: Mapping[str, Quota]) -> None:
        self.quotas = dict(quotas)
        self._used.clear()

    def headers(self, ask: Ask, kind: str) -> tuple[dict[str, str], bool]:
        """The headers of this answer, and whether the quota is used up."""
        bucket = bucket_of(ask, kind)
        quota = self.quotas.get(bucket or "")
        if bucket is None or quota is None:
            return {}, False
        left, seconds = self._count(bucket, ask.authorization or "", quota)
        headers = {
            "RateLimit": f'"{bucket}";r={max(left, 0)};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota.requests};w={quota.window}',
        }
        return headers, left < 0

    def _count(self, bucket: str, caller: str, quota: Quota) -> tuple[int, int]:
        now = time.monotonic()
        started, used = self._used.get((bucket, caller), (now, 0))
        if now - started >= quota.window:
            started, used = now, 0
        self._used[bucket, caller] = (started, used + 1)
        return quota.requests - used - 1, max(int(started + quota.window - now), 0)


def bucket_of(ask: Ask, kind: str) -> str | None:
    """`resolve-cache` is served from the edge and not counted, as far as can be seen."""
    if ask.origin != "hub" or kind.startswith("resolve_cache"):
        return None
    if kind.startswith(("resolve_", "raw_")):
        return "resolvers"
    return "api" if ask.raw_path.startswith("/api/") else "pages"


def too_many(headers: Mapping[str, str]) -> Answer:
    return text_answer("Too Many Requests", headers, 429)
