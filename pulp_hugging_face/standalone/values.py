"""Parsers of option values. Each takes what was typed and raises Unfit, saying what it wanted."""

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from pulp_hugging_face.hub.forwarded import InvalidProxy, TrustedProxies
from pulp_hugging_face.hub.hosts import is_host_pattern

POLICIES = ("on_demand", "immediate", "streamed")
TOKEN_MODES = ("shared", "client")
LOG_LEVELS = ("debug", "info", "warning", "error")


class Unfit(ValueError):
    """A value that does not fit; `expected` completes the sentence "… is not …"."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def folder(raw: str) -> Path:
    """Return an absolute path; `~` is the home folder."""
    if not raw or "\0" in raw:
        raise Unfit("a folder")
    return Path(raw).expanduser().absolute()


def port(raw: str) -> int:
    """Return a TCP port, 0 for any free one."""
    number = _number(raw, "a port number from 0 to 65535")
    if number > 65535:
        raise Unfit("a port number from 0 to 65535")
    return number


def positive(raw: str) -> int:
    """Return a number from 1."""
    number = _number(raw, "a number from 1 to 1000")
    if not 1 <= number <= 1000:
        raise Unfit("a number from 1 to 1000")
    return number


def seconds(raw: str) -> int:
    """Return a whole number of seconds, as large as the database's integer."""
    expected = "a whole number of seconds, 0 or more"
    number = _number(raw, expected)
    if number > 2**31 - 1:
        raise Unfit(expected)
    return number


def _number(raw: str, expected: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", raw.strip(), re.ASCII):
        raise Unfit(expected)
    return int(raw)


def address(raw: str) -> str:
    """Return an IP address or `localhost` to listen on."""
    if raw == "localhost":
        return raw
    try:
        return str(ipaddress.ip_address(raw.strip("[]")))
    except ValueError:
        raise Unfit("an IP address to listen on") from None


def http_url(raw: str) -> str:
    """Return an http(s) URL without credentials, query and trailing slash."""
    expected = "an http:// or https:// address"
    try:
        parts = urlsplit(raw.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise Unfit(expected) from None
    if not valid or parts.query or parts.fragment or re.search(r"\s", raw.strip()):
        raise Unfit(expected)
    if parts.username is not None or parts.password is not None:
        raise Unfit("an address without user and password (a token goes into HF_TOKEN)")
    return raw.strip().rstrip("/")


upstream = http_url


def origin(raw: str) -> str:
    """Return scheme, host and port only: Pulp adds the path itself."""
    url = http_url(raw)
    if urlsplit(url).path:
        raise Unfit("an origin (http://host or http://host:port, without a path)")
    return url


def trusted_proxy(raw: str) -> str:
    """Return an IP address or network, or the word unix."""
    try:
        TrustedProxies.parse([raw])
    except InvalidProxy:
        raise Unfit("an IP address, a network like 10.0.0.0/8, or unix") from None
    return raw.strip()


def root_distribution(raw: str) -> str:
    """Return the base path of a distribution, "" for none."""
    name = raw.strip().strip("/")
    if re.search(r"[\s\x00-\x1f?#]", name):
        raise Unfit("the base path of a distribution, or none")
    return "" if name.lower() == "none" else name


def token(raw: str) -> str:
    """Return a token that fits into a header."""
    stripped = raw.strip()
    if not stripped or not re.fullmatch(r"[\x21-\x7e]+", stripped):
        raise Unfit("a token (printable ASCII without spaces)")
    return stripped


def password(raw: str) -> str:
    """Return a password of at least one character."""
    if not raw or "\0" in raw:
        raise Unfit("a password of at least one character")
    return raw


def host_pattern(raw: str) -> str:
    """Return a host name or `*.domain`, in lower case."""
    stripped = raw.strip().lower()
    if not is_host_pattern(stripped):
        raise Unfit("a host name or *.domain (no scheme, port or path)")
    return stripped


def policy(raw: str) -> str:
    """Return a download policy."""
    return _one_of(raw, POLICIES)


def token_mode(raw: str) -> str:
    """Return a token mode."""
    return _one_of(raw, TOKEN_MODES)


def log_level(raw: str) -> str:
    """Return a log level."""
    return _one_of(raw.lower(), LOG_LEVELS)


def _one_of(raw: str, allowed: tuple[str, ...]) -> str:
    if raw.strip() not in allowed:
        raise Unfit("one of " + ", ".join(allowed))
    return raw.strip()


def database_url(raw: str) -> str:
    """Return the URL of a PostgreSQL database."""
    expected = "an address like postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(raw.strip())
        _ = parts.port
    except ValueError:
        raise Unfit(expected) from None
    if parts.scheme not in ("postgres", "postgresql") or len(parts.path) < 2:
        raise Unfit(expected)
    return raw.strip()
