"""Deciding what the database needs at a start, and doing it."""

import json
from dataclasses import dataclass
from typing import Any

from . import database, programs
from .children import tail
from .database import Contents
from .datadir import DataDir
from .errors import SetupFailed
from .instance import Instance
from .options import DEFAULT_UPSTREAM, Options
from .postgres import run_step

COMMAND = "hugging_face_setup"


@dataclass(frozen=True)
class Plan:
    """
    What is to be done before the service can be used.

    `migrate`: nothing can run before. `objects`: something is missing or was given explicitly,
    which can be put right while the servers start.
    """

    migrate: bool
    objects: bool

    @classmethod
    def make(cls, contents: Contents, unchanged: bool, options: Options) -> "Plan":
        """Compare what is there with what is installed and asked for."""
        asked = bool(options.remote_fields()) or options.admin_password is not None
        complete = contents.admin and contents.defaults
        return cls(not (contents.migrated and unchanged), asked or not complete)


def plan(instance: Instance, contents: Contents) -> Plan:
    """Return what this start has to do."""
    unchanged = instance.data.read_applied().get("fingerprint") == database.fingerprint()
    return Plan.make(contents, unchanged, instance.options)


def carry_out(plan: Plan, contents: Contents, instance: Instance) -> str | None:
    """Do it in one management command; returns the password if a generated one was set."""
    data, options = instance.data, instance.options
    # An admin who is there already (in a database that was named to us) keeps their password.
    keep = contents.admin and options.admin_password is None
    password = None if keep else data.ensure_admin_password(options.admin_password)
    request = {
        "migrate": plan.migrate,
        "admin_password": password,
        "remote": _fields(options.remote_fields()),
        "defaults": {"url": DEFAULT_UPSTREAM, "policy": "on_demand"},
    }
    step = programs.manager(instance, COMMAND)
    run_step(step, instance.signals, json.dumps(request).encode())
    if step.returncode != 0:
        raise SetupFailed(step.spec.log, step.tail())
    data.write_json(
        data.applied,
        {"fingerprint": database.fingerprint(), "versions": database.versions()},
    )
    was_set = _answer(data).get("admin") == "set"
    return password if was_set and options.admin_password is None else None


def _fields(remote: dict[str, Any]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in remote.items()}


def _answer(data: DataDir) -> dict[str, Any]:
    lines = tail(data.logs / "setup.log", 1)
    try:
        value = json.loads(lines[0]) if lines else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
