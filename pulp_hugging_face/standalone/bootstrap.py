"""`pulp-hf up`, step by step: from a data folder to a service that answers."""

import contextlib
import signal
import time
from collections.abc import Iterator, Mapping

from . import database, postgres, preparation, programs, ready, settings
from .children import Child
from .datadir import DataDir
from .detach import Background
from .instance import Instance
from .limits import raise_open_files
from .options import Options
from .processes import ProcessId, send, wait_gone
from .screen import Screen
from .settings import Database
from .signals import Signals, Stopped

POSTGRES_SECONDS = 300.0
START_SECONDS = 180.0
LEFTOVER_SECONDS = 15.0
POSTGRES_NAME = "PostgreSQL"
# A content process has four connections to read, four to write, and a few for pulpcore, locks and
# notifications; the REST API, task workers and administrators have the others.
CONNECTIONS_EACH = 16
OTHER_CONNECTIONS = 68
PREPARING = "Preparing the database (only once, less than a minute) ..."


def up(
    options: Options,
    environ: Mapping[str, str],
    signals: Signals,
    screen: Screen,
    background: Background | None = None,
) -> None:
    """
    Bring everything up and look after it until told to stop.

    Returns when stopped after it was ready; raises Stopped before that, and StandaloneErrors.
    """
    began = time.monotonic()
    data = DataDir(options.data)
    data.prepare()
    # Whoever reads JSON wants nothing else on standard output.
    to_screen = options.log_level == "debug" and background is None and not screen.as_json
    instance = Instance(options, environ, signals, data, screen.progress, to_screen)
    with data.locked():
        _end_leftovers(data, signals)
        with _stopped_at_end(instance, screen):
            raise_open_files()
            instance.reserve_ports()
            place, password = _start(instance, screen)
            instance.ready = True
            instance.write_state()
            remote = database.inspect(place).remote
            screen.ready(instance, remote, password, time.monotonic() - began)
            if background is not None:
                background.ready(data.logs / "pulp-hf.log")
            with contextlib.suppress(Stopped):
                instance.supervisor.run()


@contextlib.contextmanager
def _stopped_at_end(instance: Instance, screen: Screen) -> Iterator[None]:
    """Leave no process behind, however the body ends."""
    try:
        yield
    finally:
        if instance.supervisor.children:
            screen.progress("Stopping ...")
        instance.supervisor.stop()
        instance.forget_state()


def _start(instance: Instance, screen: Screen) -> tuple[Database, str | None]:
    """Start everything; returns the database, and a password that was generated just now."""
    data = instance.data
    data.ensure_secrets()
    place = _database(instance, screen)
    text = settings.render(data, place, instance.configured_origin, instance.options)
    data.write(data.settings, text, private=True)
    database.ensure(place)
    contents = database.inspect(place)
    plan = preparation.plan(instance, contents)
    password = None
    if plan.migrate:
        screen.progress("Updating the database ..." if contents.admin else PREPARING)
        password = preparation.carry_out(plan, contents, instance)
    screen.progress("Starting Pulp ...")
    for child in programs.servers(instance):
        instance.supervisor.start(child)
    if plan.objects and not plan.migrate:
        password = preparation.carry_out(plan, contents, instance)
    ready.wait(instance, START_SECONDS)
    return place, password


def _database(instance: Instance, screen: Screen) -> Database:
    """Return the database that was named, or start our own."""
    if instance.options.database_url is not None:
        return Database.from_url(instance.options.database_url)
    data = instance.data
    new = not data.has_cluster()
    screen.progress("Creating the database ..." if new else "Starting the database ...")
    cluster = postgres.prepare(data, instance.environ, instance.signals)
    connections = OTHER_CONNECTIONS + CONNECTIONS_EACH * instance.options.workers
    child = Child(cluster.server(instance.logs_to_screen, connections))
    instance.supervisor.start(child)
    postgres.wait_until_started(cluster, child, instance.signals, POSTGRES_SECONDS)
    return Database(
        host=str(cluster.socket_folder),
        port=str(postgres.PORT),
        name=postgres.DATABASE,
        user=postgres.SUPERUSER,
    )


def _end_leftovers(data: DataDir, signals: Signals) -> None:
    """
    End what a crashed supervisor left.

    On Linux the kernel told its children already, but they may need a moment. PostgreSQL is left to
    `postgres.prepare`, which knows how to end it without harm.
    """
    children = data.read_state().get("children") or {}
    read = (ProcessId.from_json(entry) for name, entry in children.items() if name != POSTGRES_NAME)
    left = [process for process in read if process is not None]
    for signum in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            send(process, signum, group=True)
        if all(wait_gone(process, LEFTOVER_SECONDS, signals.wait) for process in left):
            return
