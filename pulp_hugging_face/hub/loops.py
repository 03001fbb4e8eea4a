"""
Requests that come through the same server more than once: CDN-Loop (RFC 8586).

The upstream of one distribution may be another distribution of the same server, which is fine, or
by a slip of the pen the distribution itself, which never ends.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

CDN_LOOP = "CDN-Loop"
# A request that came so often through this server is not let through again.
MOST_PASSAGES = 4
# One item of the list: a name (a host with a port, or a token), and parameters.
_ITEM = re.compile(r"[\w!#$%&'*+.^`|~:\[\]-]{1,255}(?:[ \t]*;[ -+\--~]{0,255})?", re.ASCII)
_MOST_ITEMS = 32


@dataclass(frozen=True, slots=True)
class Passage:
    """Through which caches a request came (items of CDN-Loop), and `name`, which is ours."""

    name: str = ""
    before: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, values: Iterable[str]) -> "Passage":
        """Read the values of the header; what is no item of it is left out."""
        items = (item.strip() for value in values for item in value.split(","))
        return cls(name, tuple(item for item in items if _ITEM.fullmatch(item))[-_MOST_ITEMS:])

    @property
    def times(self) -> int:
        """Return how often the request was here before."""
        return sum(item.partition(";")[0].strip() == self.name for item in self.before)

    @property
    def onward(self) -> str:
        """Return the header's value for what is asked because of this request."""
        return ", ".join((*self.before, *((self.name,) if self.name else ())))
