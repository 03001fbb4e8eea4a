"""The content app's workers, each asked by name: a connection belongs to one of them."""

import time
from collections import defaultdict

from . import wire
from .caches import Cache
from .inspect_stack import content_workers, worker_of
from .kinds import Kind, Place

TRIES = 300
# Servers close connections that nobody uses after a while.
USABLE = 1.0


class Workers:
    """Asks workers of a cache's stack; connections that reached another one are kept for it."""

    def __init__(self, cache: Cache) -> None:
        self.pids = sorted(content_workers(cache))
        assert len(self.pids) == 2
        self._url = cache.url
        self._spare: dict[int, list[tuple[float, wire.Connection]]] = defaultdict(list)

    def ask(self, pid: int, kind: Kind, place: Place) -> wire.Reply:
        """Ask a worker over a connection of its own."""
        connection = self._connection(pid)
        try:
            return kind.ask(connection, place.at(self._url))
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is left over."""
        for connections in self._spare.values():
            for _, connection in connections:
                connection.close()

    def _connection(self, pid: int) -> wire.Connection:
        for _ in range(TRIES):
            while self._spare[pid]:
                opened, connection = self._spare[pid].pop()
                if time.monotonic() - opened < USABLE:
                    return connection
                connection.close()
            connection = wire.Connection(self._url)
            connection.open()
            self._spare[self._accepted_by(connection)].append((time.monotonic(), connection))
        raise LookupError(f"worker {pid} took none of {TRIES} connections")

    def _accepted_by(self, connection: wire.Connection) -> int:
        """Return who holds a new connection, once it has been accepted."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return worker_of(self.pids, connection.local_port)
            except LookupError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)
