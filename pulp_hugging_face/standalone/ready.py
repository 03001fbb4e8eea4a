"""Ready means: asked like a client asks, every part answers."""

import time

from .errors import NotReady
from .http import get, get_json
from .instance import API_PATH, Instance

HEALTH_PATH = "/health"


def wait(instance: Instance, seconds: float) -> None:
    """Wait until the service answers; raises NotReady, and whatever ends the waiting."""
    deadline = time.monotonic() + seconds
    while (missing := lacking(instance)) is not None:
        if time.monotonic() > deadline:
            raise NotReady(seconds, missing, instance.data.logs)
        instance.supervisor.wait(0.1)


def lacking(instance: Instance) -> str | None:
    """Return what does not work yet, in words; None when all does."""
    for child in instance.supervisor.children:
        if not child.running():
            return f"{child.name} is down"
    status, answer = get_json(instance.api_origin, f"{API_PATH}status/")
    if status != 200:
        return f"the REST API answers {status or 'nothing'}"
    for kind, expected in (("workers", 1), ("api_apps", 1), ("content_apps", None)):
        online = sum(instance.mark in app["name"] for app in answer.get(f"online_{kind}", ()))
        if online < (expected or instance.options.workers):
            return f"of {kind} {online} are online"
    status, _ = get(instance.content_url, HEALTH_PATH)
    return None if status == 200 else f"GET {HEALTH_PATH} answers {status or 'nothing'}"
