"""A client machine: a client version with an empty cache and a clean environment."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .venvs import ClientKind, ensure

STEPS = Path(__file__).with_name("steps.py")
SECONDS = 240.0


class ClientError(Exception):
    """What the client library raised: `name` is its class, `bases` those it derives from."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        self.name: str = outcome["error"]
        self.bases: list[str] = outcome["bases"]
        self.status: int | None = outcome["status"]
        self.server_message: str = outcome["server_message"] or ""
        self.seconds: float = outcome["seconds"]
        super().__init__(f"{self.name}: {outcome['message']}")


@dataclass
class Machine:
    """
    Runs steps (functions of `steps.py`) and commands in the client's venv.

    Each machine has its own HOME, so its own cache; what a step raised is a ClientError here.
    """

    kind: ClientKind
    home: Path
    endpoint: str
    token: str | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def hub_cache(self) -> Path:
        """Return the folder of the client's cache."""
        return self.home / "hf" / "hub"

    def environment(self) -> dict[str, str]:
        """Return what a user would have set, and nothing of this process."""
        bin_folder = ensure(self.kind) / "bin"
        return {
            "PATH": f"{bin_folder}:{os.defpath}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.endpoint,
            # Looks for new versions on the internet, which is no matter of ours.
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **({"HF_TOKEN": self.token} if self.token else {}),
            **self.extra,
        }

    def outcomes(self, *steps: tuple[str, dict[str, Any]]) -> "list[Any | ClientError]":
        """Run steps one after another in one process; failures are values."""
        result = self._run([self._python(), str(STEPS)], json.dumps(steps))
        assert result.returncode == 0, f"the client died:\n{result.stderr[-4000:]}"
        found = json.loads(result.stdout.splitlines()[-1])
        return [ClientError(item) if "error" in item else item["value"] for item in found]

    def do(self, step: str, **arguments: Any) -> Any:
        """Run one step; raises ClientError."""
        (outcome,) = self.outcomes((step, arguments))
        if isinstance(outcome, ClientError):
            raise outcome
        return outcome

    def command(self, *command: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command of the venv, such as `hf download …`."""
        program = ensure(self.kind) / "bin" / command[0]
        return self._run([str(program), *command[1:]], seconds=seconds)

    def _python(self) -> str:
        return str(ensure(self.kind) / "bin" / "python")

    def _run(
        self, command: list[str], text: str = "", seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            command,
            input=text,
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
