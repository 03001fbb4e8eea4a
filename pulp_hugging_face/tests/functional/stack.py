"""A standalone stack, started by the very command a user types."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlsplit

from .rest import Rest

PASSWORD = "correct horse battery staple"
START_SECONDS = 180.0
STOP_SECONDS = 90.0
# Everything a developer's shell may hold that would change what is tested.
FOREIGN = ("HF_", "PULP", "DJANGO", "DATABASE_URL", "HUGGING")
# Shorter than in production, so that tests need not wait.
QUICK = {
    "PULP_HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS": "2",
    "PULP_HUGGING_FACE_REFUSAL_TTL": "1",
    "PULP_HUGGING_FACE_GRANT_TTL": "1",
    "PULP_HUGGING_FACE_REVALIDATE_SECONDS": "2",
    # Checking a password takes a quarter of a second otherwise, at every REST request.
    "PULP_PASSWORD_HASHERS": '@json ["django.contrib.auth.hashers.MD5PasswordHasher"]',
}

# Where tests run their reverse proxies: its word about the client's side is taken.
TRUSTED_PROXY = "127.0.0.3"


class Stack:
    """`pulp-hf up` on a data folder. After `stop`, `start` takes the same ports again."""

    def __init__(
        self, data: Path, upstream: str, *options: str, environ: Mapping[str, str] = {}
    ) -> None:
        self.data = data
        self.upstream = upstream
        self.options = options
        self.environ = dict(environ)
        self.ready: dict[str, str] = {}
        self.log = data.with_suffix(".screen.log")
        self._process: subprocess.Popen[str] | None = None

    # Life.

    def start(self) -> None:
        """Start and wait until everything is ready."""
        command = [
            *program(),
            "up",
            "--json",
            *("--data", str(self.data), "--upstream", self.upstream),
            *("--port", str(self._port("content_url")), "--api-port", str(self._port("api_url"))),
            *self.options,
        ]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            cwd=self.data.parent,
            # Tests that run in the background of a shell ignore Ctrl-C, and would hand that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.ready = self._read_until_ready(self._process)

    def _read_until_ready(self, process: "subprocess.Popen[str]") -> dict[str, str]:
        """Keep all it says in a file, for ever, and return the JSON object among it."""
        found: Queue[str] = Queue()
        threading.Thread(target=self._pump, args=(process, found), daemon=True).start()
        try:
            line = found.get(timeout=START_SECONDS)
        except Empty:
            process.terminate()
            line = ""
        if not line:
            code = process.wait(STOP_SECONDS)
            raise RuntimeError(f"pulp-hf up: exit code {code}\n{self.log.read_text()[-4000:]}")
        return json.loads(line)

    def _pump(self, process: "subprocess.Popen[str]", found: "Queue[str]") -> None:
        assert process.stdout is not None
        with process.stdout, self.log.open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if line.startswith("{"):
                    found.put(line)
        found.put("")

    def _port(self, which: str) -> int:
        return urlsplit(self.ready[which]).port or 0 if self.ready else 0

    def environment(self) -> dict[str, str]:
        """Return the environment without what belongs to the developer."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        fixed = {
            "PULP_HF_ADMIN_PASSWORD": PASSWORD,
            "PULP_HF_TRUSTED_PROXIES": TRUSTED_PROXY,
            "PULP_HF_WORKERS": "2",
        }
        return {**kept, **QUICK, **fixed, **self.environ}

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Ask it to stop; returns the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_SECONDS)
        finally:
            process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `pulp-hf` command on the same data folder."""
        return subprocess.run(
            [*program(), *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.data.parent,
            timeout=STOP_SECONDS,
        )

    # Inside.

    @property
    def state(self) -> dict[str, Any]:
        """Return what `pulp-hf` wrote down of itself and its children."""
        return json.loads((self.data / "state.json").read_text())

    def child(self, name: str) -> int:
        """Return a child's process id."""
        return int(self.state["children"][name]["pid"])

    def manager(self, code: str) -> str:
        """Run Python inside the server's Django, beside the running stack."""
        result = subprocess.run(
            [sys.executable, "-m", "django", "shell", "--no-imports", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **self.environment(),
                "PULP_SETTINGS": str(self.data / "settings.py"),
                "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
            },
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    def logs(self) -> str:
        """Return everything the stack wrote to its logs and its screen."""
        files = [self.log, *sorted((self.data / "logs").rglob("*"))]
        return "\n".join(path.read_text(errors="replace") for path in files if path.is_file())

    def media_bytes(self) -> int:
        """Return the bytes in the storage."""
        return sum(p.stat().st_size for p in (self.data / "media").rglob("*") if p.is_file())

    # Addresses.

    @property
    def endpoint(self) -> str:
        """Return the HF_ENDPOINT of the default distribution."""
        return self.ready["endpoint"]

    @property
    def origin(self) -> str:
        """Return the origin of the content app."""
        return self.ready["content_url"]

    @cached_property
    def rest(self) -> Rest:
        """Return a REST client with the administrator's password."""
        return Rest(self.ready["api_url"], ("admin", PASSWORD))


def program() -> list[str]:
    """Return how to run `pulp-hf` of this very environment."""
    script = Path(sys.executable).parent / "pulp-hf"
    if script.exists():
        return [str(script)]
    return [sys.executable, "-m", "pulp_hugging_face.standalone.cli"]
