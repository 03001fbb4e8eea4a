"""The Hub's rate limits in its own words: buckets, `RateLimit`, `RateLimit-Policy` (§2.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

BUCKETS = ("api", "resolvers", "pages")

_LEFT = re.compile(r'"([^"]{1,64})"\s*;\s*r=([0-9]{1,9})\s*;\s*t=([0-9]{1,9})')
_POLICY = re.compile(r'"([^"]{1,64})"\s*;\s*q=([0-9]{1,9})\s*;\s*w=([0-9]{1,9})')
_SECONDS = re.compile(r"[0-9]{1,9}")
# A limit that claims to last longer is taken for a mistake: asking again will tell.
_MAX_SECONDS = 3600


@dataclass(frozen=True)
class Limit:
    """
    What an answer says of a bucket: requests left, and seconds until its window ends.

    `quota` and `window` describe the whole window; 0 when the answer does not tell.
    """

    bucket: str
    left: int
    seconds: int
    quota: int = 0
    window: int = 0


def bucket_of(path: str) -> str | None:
    """
    Return the bucket that a raw path below the endpoint counts in.

    None for `resolve-cache`: it is served from the Hub's edge and not counted (§2.1).
    """
    segments = [segment for segment in path.split("?", 1)[0].split("/") if segment]
    if segments[:2] == ["api", "resolve-cache"]:
        return None
    if segments[:1] == ["api"]:
        return "api"
    # [datasets|spaces|buckets/]{namespace}/{name}/resolve/…; legacy ids have one segment (§1.1).
    marked = any(segment in ("resolve", "raw") for segment in segments[1:4])
    return "resolvers" if marked else "pages"


def parse_limits(headers: Mapping[str, str]) -> list[Limit]:
    """Return what the headers of an answer say of the limits; nothing of what is malformed."""
    policies = {
        name: (int(quota), min(int(window), _MAX_SECONDS))
        for name, quota, window in _POLICY.findall(headers.get("RateLimit-Policy", ""))
    }
    return [
        Limit(name, int(left), min(int(seconds), _MAX_SECONDS), *policies.get(name, (0, 0)))
        for name, left, seconds in _LEFT.findall(headers.get("RateLimit", ""))
    ]


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return Retry-After in seconds; its date form is not used by the Hub (§2.1)."""
    text = headers.get("Retry-After")
    return int(text) if text is not None and _SECONDS.fullmatch(text) else None


def exhausted_header(bucket: str, seconds: int) -> str:
    """Return `RateLimit` of a 429: H24 then sleeps `seconds` + 1 and asks again (§2.1)."""
    return f'"{bucket}";r=0;t={seconds}'
