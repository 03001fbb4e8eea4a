"""What the user sees."""

import contextlib
import json
import os
import shutil
import sys
from datetime import datetime
from typing import TextIO

from .database import Remote
from .instance import Instance
from .options import REDACTED


class Screen:
    """Progress in single lines, then one screen (or one JSON object)."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        # What is said once it runs may be read much later, in a log.
        self._dated = False

    def progress(self, line: str) -> None:
        """Say what is being done, or that a process had to be started again."""
        now = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z} " if self._dated else ""
        self._write(now + line, sys.stderr if self.as_json else sys.stdout)

    def ready(
        self, instance: Instance, remote: Remote | None, password: str | None, seconds: float
    ) -> None:
        """Say that it runs and how to use it."""
        if self.as_json:
            self._write(json.dumps(ready_json(instance)), sys.stdout)
        else:
            self._write(ready_text(instance, remote, password, seconds), sys.stdout)
        self._dated = True

    def _write(self, text: str, out: TextIO) -> None:
        # Whoever read the screen may be gone; the service is not worth less for it.
        with contextlib.suppress(BrokenPipeError):
            print(text, file=out, flush=True)


def ready_json(instance: Instance) -> dict[str, object]:
    """Return what tests and scripts need."""
    return {
        "endpoint": instance.endpoint,
        "api_url": instance.api_url,
        "content_url": instance.content_url,
        "data": str(instance.data.root),
        "admin_password_file": str(instance.data.admin_password),
    }


def ready_text(
    instance: Instance, remote: Remote | None, password: str | None, seconds: float
) -> str:
    """Return the screen of a running instance."""
    data = instance.data.root
    rows = [
        ("REST API", instance.api_url),
        ("", f"user admin, {_password(instance, password)}"),
        ("Upstream", _upstream(remote)),
        ("Data", str(data)),
        ("Logs", str(instance.data.logs)),
        ("Stop", f"Ctrl-C, or: {command()} down --data {data}"),
    ]
    table = "\n".join(f"  {name:<9}  {value}" for name, value in rows)
    return (
        f"\nPulp is ready ({seconds:.0f} s). Point Hugging Face clients to it:\n\n"
        f"  export HF_ENDPOINT={instance.endpoint}\n\n{table}\n"
    )


def command() -> str:
    """Return how this program can be called from here: `make up` puts it on nobody's PATH."""
    called = sys.argv[0]
    name = os.path.basename(called)
    if name != "pulp-hf":
        return "pulp-hf"
    found = shutil.which(name)
    same = found is not None and os.path.realpath(found) == os.path.realpath(called)
    return name if same else called


def _password(instance: Instance, password: str | None) -> str:
    if password is not None:
        return f"password {password} (shown once; kept in {instance.data.admin_password})"
    if instance.data.admin_password.exists():
        return f"password in {instance.data.admin_password}"
    return "password as it was set"


def _upstream(remote: Remote | None) -> str:
    if remote is None:
        return "none: the remote huggingface was removed"
    return f"{remote.url} ({remote.policy}{_token(remote)})"


def _token(remote: Remote) -> str:
    """Say whose rights everybody has: that must not be a surprise."""
    if not remote.has_token:
        return ""
    if remote.token_mode == "client":
        return f", token {REDACTED}, clients use their own"
    return f", token {REDACTED} used for everybody who can reach this server"
