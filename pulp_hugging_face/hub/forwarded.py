"""
What reverse proxies tell of the client's side: RFC 7239 `Forwarded` and the `X-Forwarded-*` family.

Whoever can send these headers decides which host our links name, so they count only from peers
that the administrator trusts, and only where they are well formed: anything odd counts as not told.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

UNIX = "unix"
# Not told by any standard header: the path of the endpoint where a proxy maps it to another one.
ENDPOINT_HEADER = "X-Forwarded-Endpoint"

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(
    rf"(?P<name>{_LABEL}(?:\.{_LABEL})*\.?|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~+=:@-]+)*")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf'[ \t]*({_TOKEN})=("(?:[^"\\]|\\.)*"|[^\s",;]+)[ \t]*')
_NODE = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::\w+)?|(?P<v4>[0-9.]+)(?::\w+)?", re.ASCII)
# Ports that proxies report of their own listener although TLS ended elsewhere.
_DEFAULT_PORTS = ("80", "443")

# The values of all header lines of a name.
Lines = Callable[[str], Sequence[str]]


class InvalidProxy(ValueError):
    """An entry of a list of trusted proxies that is neither address, network nor "unix"."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers whose word about the client is taken."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, entries: Iterable[object]) -> "TrustedProxies":
        """Return the peers that a list names. Raises InvalidProxy."""
        words = [_word(entry) for entry in entries]
        networks = tuple(_network(word) for word in words if word != UNIX)
        return cls(networks, UNIX in words)

    def trusts(self, address: str) -> bool:
        """Tell whether an IP address is one of them."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:  # a listener on [::]
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix


def _word(entry: object) -> str:
    # ip_network would take a number for an address, 127 for 0.0.0.127.
    if not isinstance(entry, str):
        raise InvalidProxy(f"{entry!r} is not a text")
    return entry.strip()


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError as error:
        reason = "it has host bits set" if "host bits" in str(error) else "unknown form"
        raise InvalidProxy(
            f"{word!r} is not an IP address, a network or {UNIX!r} ({reason})"
        ) from error


@dataclass(frozen=True, slots=True)
class Told:
    """
    What a trusted proxy told; None or "" where it did not.

    `host` with the port where it has one. `prefix` stands before the path that reached us, while
    `endpoint` is the whole path of the endpoint, "/" included for "at the root".
    """

    proto: str | None = None
    host: str | None = None
    prefix: str = ""
    endpoint: str | None = None


def told(lines: Lines, proxies: TrustedProxies) -> Told:
    """
    Return what the headers of a trusted peer say.

    `Forwarded` and `X-Forwarded-*` must not contradict each other: a proxy that writes only one
    kind lets the client's own lines of the other kind through, so then neither is believed.
    """
    standard, usual = _standard(lines, proxies), _usual(lines)
    known = [origin for origin in (standard, usual) if origin != (None, None)]
    proto, host = known[0] if known and known[0] == known[-1] else (None, None)
    endpoint = clean_path(_last(lines, ENDPOINT_HEADER))
    return Told(proto, host, clean_path(_last(lines, "X-Forwarded-Prefix")) or "", endpoint)


def clean_host(text: str | None) -> str | None:
    """Return `host[:port]` if it is one and nothing else, else None."""
    match = _HOST.fullmatch(text) if text and len(text) < 262 else None
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        return None
    if match["v6"] and not _is_v6(match["v6"]):
        return None
    return text


def clean_path(text: str | None) -> str | None:
    """Return an absolute path without its trailing slash ("" for "/"), None for anything else."""
    if not text or not text.startswith("/") or len(text) > 512:
        return None
    path = text.removesuffix("/")
    odd = any(part in (".", "..") for part in path.split("/"))
    return None if odd or not _PATH.fullmatch(path) else path


def _is_v6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _last(lines: Lines, name: str) -> str | None:
    """
    Return the last item of a list header: what the nearest proxy, our trusted peer, wrote.

    Items to its left may come from anybody: which proxy of a row appends and which hands on
    cannot be seen in these headers (in `Forwarded` it can).
    """
    found = lines(name)
    return found[-1].rpartition(",")[2].strip() if found else None


def _usual(lines: Lines) -> tuple[str | None, str | None]:
    """Return protocol and host of `X-Forwarded-Proto`, `-Host` and `-Port`."""
    host = clean_host(_last(lines, "X-Forwarded-Host"))
    port = _last(lines, "X-Forwarded-Port")
    if host and port and port not in _DEFAULT_PORTS and not _has_port(host):
        host = clean_host(f"{host}:{port}") or host
    return _proto(_last(lines, "X-Forwarded-Proto")), host


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _proto(text: str | None) -> str | None:
    lower = (text or "").lower()
    return lower if lower in ("http", "https") else None


def _standard(lines: Lines, proxies: TrustedProxies) -> tuple[str | None, str | None]:
    """
    Return protocol and host of the `Forwarded` element that describes the client's own request.

    Each proxy appends one element which names its peer (`for`). From the right, as long as that
    peer is a trusted proxy, the element before it was written by a trusted proxy too.
    """
    elements = parse_forwarded(",".join(lines("Forwarded")))
    believed: Mapping[str, str] = {}
    for element in reversed(elements):
        believed = element
        node = _NODE.fullmatch(element.get("for", ""))
        if node is None or not proxies.trusts(node["v6"] or node["v4"]):
            break
    return _proto(believed.get("proto")), clean_host(believed.get("host"))


def parse_forwarded(text: str) -> list[Mapping[str, str]]:
    """Return the elements of a `Forwarded` header (RFC 7239 §4), none if it is malformed."""
    elements: list[Mapping[str, str]] = []
    pairs: dict[str, str] = {}
    at = 0
    while match := _PAIR.match(text, at):
        name, value = match[1].lower(), _unquoted(match[2])
        if name in pairs:
            return []
        pairs[name] = value
        at = match.end()
        mark = text[at : at + 1]
        if mark != ";":
            elements.append(pairs)
            pairs = {}
        if not mark:
            return elements
        if mark not in (";", ","):
            return []
        at += 1
    return []


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
