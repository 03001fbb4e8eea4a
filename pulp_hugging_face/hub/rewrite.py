"""
Addresses in answers of the upstream: what a client may see of them (hub-protocol §2.5, §6).

A client reaches the Hub through us, so every address on the upstream becomes one below the
endpoint the client knows; addresses of storage and CDN hosts are no business of clients.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from .hosts import host_matches

_HUB = "huggingface.co"
_URL = re.compile(r"https?://[^\s\"'<>\\\\)\]}]+", re.IGNORECASE)
# Xet identifiers (rule 8) and what leads to them.
_DROPPED = {"xetHash", "xetEnabled"}
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


@dataclass(frozen=True)
class Rewriter:
    """
    Replaces addresses of one upstream by those of one endpoint.

    `upstream` is the remote's URL, `endpoint` the client's HF_ENDPOINT, both without a trailing
    slash; `storage_hosts` are the patterns of hosts that the upstream redirects to. `null_xet`
    keeps the key of Xet identifiers, without which clients cannot read listings of buckets.
    """

    upstream: str
    endpoint: str
    storage_hosts: Sequence[str] = ()
    null_xet: bool = False

    @cached_property
    def _own(self) -> re.Pattern[str]:
        rest = re.escape(self.upstream.partition("://")[2])
        if rest == re.escape(_HUB):
            rest = rf"(?:www\.)?(?:{rest}|hf\.co)"
        return re.compile(rf"https?://{rest}(?![\w.:@-])", re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return a text with the upstream's addresses replaced."""
        if "://" not in text:
            return text
        return self._own.sub(lambda _: self.endpoint, text)

    def sentence(self, text: str) -> str:
        """Return a sentence for people, in which the upstream is "the Hub" and not an address."""
        if "://" not in text:
            return text
        text = re.sub(self._own.pattern + r"/([^\s?#]+)", r"\1 on the Hub", text, flags=re.I)
        return _URL.sub("the Hub", text)

    def data(self, value: Any) -> Any:
        """Return JSON data with addresses replaced, without Xet hints and storage addresses."""
        match value:
            case str():
                return self._value(value)
            case list():
                return [self.data(item) for item in value]
            case dict():
                kept = {k: self.data(v) for k, v in value.items() if k not in _DROPPED}
                return kept | {"xetHash": None} if self.null_xet and "xetHash" in value else kept
            case _:
                return value

    def _value(self, text: str) -> str | None:
        """Return a JSON string; None for one that is an address of the upstream's storage."""
        text = self.text(text)
        if "://" not in text or text.startswith(self.endpoint):
            return text
        return None if self._is_storage(text) else _URL.sub(self._without_storage, text)

    def _without_storage(self, match: re.Match[str]) -> str:
        return "" if self._is_storage(match[0]) else match[0]

    def _is_storage(self, text: str) -> bool:
        if not _URL.fullmatch(text):
            return False
        try:
            host = urlsplit(text).hostname or ""
        except ValueError:
            return False
        return any(host_matches(host, pattern) for pattern in self.storage_hosts)

    def link(self, header: str) -> str | None:
        """
        Return the Link header to the next page on the client's endpoint, or None without one.

        A link that leads anywhere but to the upstream is dropped: clients would follow it with
        their token (§2.5).
        """
        match = _NEXT.search(header)
        rest = self.below(match[1]) if match else None
        return f'<{self.endpoint}{rest}>; rel="next"' if rest else None

    def below(self, url: str) -> str | None:
        """Return path and query below the upstream's URL, or None for an address elsewhere."""
        if url.startswith("/") and not url.startswith("//"):
            prefix = urlsplit(self.upstream).path
            return url.removeprefix(prefix) if url.startswith(prefix + "/") else None
        match = self._own.match(url)
        rest = url[match.end() :] if match else ""
        return rest if rest.startswith("/") else None
