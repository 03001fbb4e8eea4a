"""Host patterns: which hosts redirects may lead to (architecture §7)."""

import re
from fnmatch import fnmatchcase

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", re.IGNORECASE)


def is_host_pattern(text: str) -> bool:
    """
    Tell whether a text is a host name, an IPv4 address or `*.` and a domain.

    No scheme, port or path, and no star elsewhere: `*` alone would permit any host.
    """
    return len(text) <= 253 and _PATTERN.fullmatch(text) is not None


def host_matches(host: str, pattern: str) -> bool:
    """Tell whether a pattern permits a host, in any case of letters."""
    return fnmatchcase(host.lower(), pattern.lower())
