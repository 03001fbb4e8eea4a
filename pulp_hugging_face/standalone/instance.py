"""One run of `pulp-hf up`: what it was asked for, what it holds, what others may know of it."""

import ipaddress
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import database, ports
from .datadir import DataDir
from .errors import PortUnavailable
from .options import Options
from .processes import ProcessId
from .signals import Signals
from .supervisor import Supervisor

ENDPOINT_PATH = "/pulp/content/huggingface"
API_PATH = "/pulp/api/v3/"


@dataclass
class Instance:
    """
    A running (or starting) instance.

    `mark` is a part of the names of its processes in Pulp's own list: those of a crashed run count
    as online for half a minute there, and in a container they may have had the same pids.
    """

    options: Options
    environ: Mapping[str, str] = field(repr=False)
    signals: Signals
    data: DataDir
    note: Callable[[str], None] = lambda line: None
    logs_to_screen: bool = False
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(3))
    ready: bool = False
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.signals, self.write_state, self.note)

    def reserve_ports(self) -> None:
        """Bind both addresses; raises PortUnavailable."""
        options = self.options
        if options.port and options.port == options.api_port:
            raise PortUnavailable("--api-port", options.bind, options.port, "--port takes it")
        self.sockets["content"] = ports.reserve(options.bind, options.port, "--port")
        self.sockets["api"] = ports.reserve(options.bind, options.api_port, "--api-port")

    @property
    def content_url(self) -> str:
        """Return where this machine reaches the content app."""
        return ports.origin(self.options.bind, ports.number(self.sockets["content"]))

    @property
    def api_origin(self) -> str:
        """Return where this machine reaches the REST API."""
        return ports.origin(self.options.bind, ports.number(self.sockets["api"]))

    @property
    def content_origin(self) -> str:
        """Return the origin clients see."""
        return self.options.content_origin or self.content_url

    @property
    def configured_origin(self) -> str | None:
        """
        Return the origin for Pulp's settings, None where only each request knows it.

        A server on every interface has as many names as there are ways to it: its links then
        begin with the one the client used.
        """
        on_all = ipaddress.ip_address(_numeric(self.options.bind)).is_unspecified
        return self.options.content_origin or (None if on_all else self.content_url)

    @property
    def endpoint(self) -> str:
        """Return the value for HF_ENDPOINT."""
        return self.content_origin + ENDPOINT_PATH

    @property
    def api_url(self) -> str:
        """Return the root of the REST API."""
        return self.api_origin + API_PATH

    def write_state(self) -> None:
        """Tell other commands, and the next start should this one crash, what runs."""
        own = ProcessId.of(os.getpid())
        children = {child.name: child.id for child in self.supervisor.children}
        self.data.write_json(
            self.data.state,
            {
                "supervisor": own.to_json() if own else None,
                "ready": self.ready,
                "endpoint": self.endpoint,
                "root_distribution": self.options.root_distribution or None,
                "api_url": self.api_url,
                "content_url": self.content_url,
                "port": ports.number(self.sockets["content"]),
                "api_port": ports.number(self.sockets["api"]),
                "bind": self.options.bind,
                "children": {name: id_.to_json() for name, id_ in children.items() if id_},
                "versions": database.versions(),
            },
        )

    def forget_state(self) -> None:
        """Remove the state at an orderly end, and let go of the ports."""
        self.data.state.unlink(missing_ok=True)
        for sock in self.sockets.values():
            sock.close()


def _numeric(address: str) -> str:
    return "127.0.0.1" if address == "localhost" else address
