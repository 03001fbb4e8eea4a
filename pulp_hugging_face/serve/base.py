"""
The base of a request: origin and path of the endpoint as its client sees them.

The one place that knows it. In this order: what a trusted proxy tells (`hub/forwarded.py`), else
CONTENT_ORIGIN, else the request's own scheme and Host. A wrong host in `Link` or in a `url` is an
exception in the client, not cosmetics (hub-protocol §2.5, §6); and a host that a stranger chose
would lead clients, with their tokens, to the stranger.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from aiohttp import hdrs, web
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pulp_hugging_face.hub.forwarded import InvalidProxy, Told, TrustedProxies, clean_host, told

_KEY = "hugging_face_base"
# What stays as it is in a path (and query) that is encoded already; the rest, which no client
# should send, would break out of a `Link`.
_RAW = "%/:@!$&'()*+,;=~?[]"


@dataclass(frozen=True, slots=True)
class Mount:
    """
    Where an endpoint is on this server, without a trailing slash; "" is the root.

    `path` is its URL path, percent-encoded; `written` is how the request at hand writes it, which
    may differ in encoding and in double slashes.
    """

    path: str
    written: str

    @classmethod
    def at(cls, path: str) -> "Mount":
        """Return a mount at a decoded path, written as most clients write it."""
        return cls(quote(path), quote(path))


@dataclass(frozen=True, slots=True)
class Base:
    """Origin and path of the endpoint as the client sees them; `path` without trailing slash."""

    origin: str
    path: str

    def url(self, below: str = "") -> str:
        """Return the absolute URL of a raw path below the endpoint: for `Link` and for JSON."""
        return self.origin + self.location(below)

    def location(self, below: str = "") -> str:
        """
        Return the absolute path of a raw path below the endpoint: for `Location`.

        Never with a host, which breaks clients up to 1.29 (rule 4), and never beginning with two
        slashes, which would make its first segment one.
        """
        return self.path + ("/" + quote(below.lstrip("/"), safe=_RAW) if below else "")


def attach(request: web.Request, mount: Mount) -> None:
    """Find out the base of a request, once, for all who answer it."""
    request[_KEY] = (_base(request, mount), mount)


def base_of(request: web.Request) -> Base:
    """Return the base of a request that `attach` has seen."""
    base: Base = request[_KEY][0]
    return base


def below(request: web.Request) -> str:
    """Return the raw path of a request below its endpoint, "" or beginning with a slash."""
    mount: Mount = request[_KEY][1]
    return request.rel_url.raw_path[len(mount.written) :]


def trusted_proxies() -> TrustedProxies:
    """Return HUGGING_FACE_TRUSTED_PROXIES, parsed. Raises ImproperlyConfigured."""
    value = settings.HUGGING_FACE_TRUSTED_PROXIES
    if isinstance(value, str):  # as an environment variable may give it
        value = value.replace(",", " ").split()
    if not isinstance(value, (list, tuple)):
        raise ImproperlyConfigured(f"HUGGING_FACE_TRUSTED_PROXIES: {value!r} is not a list")
    return _parsed(tuple(value))


@lru_cache(maxsize=8)
def _parsed(entries: tuple[object, ...]) -> TrustedProxies:
    try:
        return TrustedProxies.parse(entries)
    except InvalidProxy as error:
        raise ImproperlyConfigured(f"HUGGING_FACE_TRUSTED_PROXIES: {error}") from error


def _base(request: web.Request, mount: Mount) -> Base:
    word = _word_of_peer(request)
    path = word.prefix + mount.path if word.endpoint is None else word.endpoint
    return Base(_origin(request, word), path)


def _word_of_peer(request: web.Request) -> Told:
    """Return what the headers tell if the peer may be believed."""
    proxies = trusted_proxies()
    if not proxies or not _is_trusted(request, proxies):
        return Told()
    return told(lambda name: request.headers.getall(name, []), proxies)


def _is_trusted(request: web.Request, proxies: TrustedProxies) -> bool:
    peer = _socket_info(request, "peername")
    if isinstance(peer, tuple):
        return proxies.trusts(str(peer[0]))
    # Unix sockets have a name or, mostly, an empty one; a connection that is gone has None.
    return proxies.unix and isinstance(peer, (str, bytes))


def _socket_info(request: web.Request, name: str) -> object:
    return request.transport.get_extra_info(name) if request.transport is not None else None


def _origin(request: web.Request, word: Told) -> str:
    proto = word.proto or request.scheme
    if word.host:
        return f"{proto}://{word.host}"
    # A proxy that tells the protocol but no host may have replaced Host by a name of its own.
    configured = getattr(settings, "CONTENT_ORIGIN", None)
    if configured:
        return str(configured).rstrip("/")
    return f"{proto}://{clean_host(request.headers.get(hdrs.HOST)) or _own_host(request)}"


def _own_host(request: web.Request) -> str:
    """Return the address that was called: where a Host is missing, or none that exists."""
    name = _socket_info(request, "sockname")
    if not isinstance(name, tuple):
        return "localhost"
    host = str(name[0]).partition("%")[0]
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"
