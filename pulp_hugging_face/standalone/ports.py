"""
The two addresses we listen on.

The supervisor binds them itself, before anything else is started: a port in use is told at once,
port 0 has no race, and a child that is started again finds its port kept.
"""

import errno
import socket

from .errors import PortUnavailable

_REASONS = {
    errno.EADDRINUSE: "the port is in use by another program",
    errno.EACCES: "no permission (ports below 1024 need privileges)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def reserve(host: str, port: int, flag: str) -> socket.socket:
    """Return a bound socket that does not listen yet; raises PortUnavailable."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise PortUnavailable(flag, host, port, error.strerror or str(error)) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        flag = "--bind" if error.errno == errno.EADDRNOTAVAIL else flag
        raise PortUnavailable(flag, host, port, reason) from None
    return sock


def number(sock: socket.socket) -> int:
    """Return the port a socket is bound to."""
    return int(sock.getsockname()[1])


def reachable_host(bind: str) -> str:
    """Return the address by which this machine reaches what is bound to `bind`."""
    return WILDCARDS.get(bind, bind)


def origin(bind: str, port: int) -> str:
    """Return the http origin of an address on this machine."""
    host = reachable_host(bind)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
