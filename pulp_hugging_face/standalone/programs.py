"""Pulp's own programs: how each is started."""

import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from .children import Child, Spec
from .instance import Instance
from .settings import environment

# A client's transfer may go on so long when we are told to stop.
GRACEFUL_SECONDS = 5
# Clients keep connections in a pool; one that is closed while they send on it is an error that
# most calls do not retry (hub-protocol §6). gunicorn's own 2 s make that likely.
KEEP_ALIVE_SECONDS = 75


def servers(instance: Instance) -> list[Child]:
    """Return content app, REST API and task worker."""
    return [Child(_content(instance)), Child(_api(instance)), Child(_worker(instance))]


def manager(instance: Instance, command: str) -> Child:
    """Return a management command; its output is read afterwards, so it never goes elsewhere."""
    spec = _spec(instance, "setup", "pulpcore-manager", [command])
    return Child(replace(spec, to_screen=False))


def _content(instance: Instance) -> Spec:
    arguments = [
        *("--workers", str(instance.options.workers)),
        *("--keep-alive", str(KEEP_ALIVE_SECONDS)),
    ]
    return _gunicorn(instance, "content app", "pulpcore-content", "content", arguments)


def _api(instance: Instance) -> Spec:
    return _gunicorn(instance, "REST API", "pulpcore-api", "api", ["--workers", "1"])


def _gunicorn(
    instance: Instance, name: str, script: str, which: str, arguments: Sequence[str]
) -> Spec:
    descriptor = instance.sockets[which].fileno()
    level = instance.options.log_level
    arguments = [
        *("--bind", f"fd://{descriptor}"),
        *("--graceful-timeout", str(GRACEFUL_SECONDS)),
        *("--name-template", _name_template(instance)),
        *("--log-level", "info" if level == "debug" else level),
        *(("--access-logfile", "-") if level == "debug" else ()),
        "--no-control-socket",
        *arguments,
    ]
    return _spec(instance, name, script, arguments, pass_fds=[descriptor], log=which)


def _worker(instance: Instance) -> Spec:
    arguments = ["--name-template", _name_template(instance)]
    # SIGTERM would wait for a running task, however long it takes.
    return _spec(instance, "task worker", "pulpcore-worker", arguments, signal.SIGINT, log="worker")


def _name_template(instance: Instance) -> str:
    return f"{{pid}}.{instance.mark}@{{hostname}}"


def _spec(
    instance: Instance,
    name: str,
    script: str,
    arguments: Sequence[str],
    stop_signal: signal.Signals = signal.SIGTERM,
    *,
    pass_fds: Sequence[int] = (),
    log: str = "",
) -> Spec:
    return Spec(
        name=name,
        argv=[*_command(script), *arguments],
        log=instance.data.logs / f"{log or name}.log",
        cwd=instance.data.tmp,
        env=_environment(instance),
        to_screen=instance.logs_to_screen,
        stop_signal=stop_signal,
        grace=GRACEFUL_SECONDS + 5.0,
        pass_fds=pass_fds,
    )


def _environment(instance: Instance) -> Mapping[str, str]:
    return environment(instance.data, instance.environ)


def _command(script: str) -> list[str]:
    """
    Return how to run a console script of pulpcore with this very interpreter.

    By its file, so that it can be recognised in a list of processes; where scripts are not beside
    the interpreter (user installs), by its entry point.
    """
    file = Path(sys.executable).parent / script
    if file.exists():
        return [sys.executable, str(file)]
    found = next(iter(entry_points(group="console_scripts", name=script)))
    run = (
        f"import sys; sys.argv[0] = {script!r};"
        f" from {found.module} import {found.attr} as run; sys.exit(run())"
    )
    # -P keeps the working folder out of the import path.
    return [sys.executable, "-P", "-c", run]
