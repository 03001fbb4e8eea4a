"""A client machine: a client version with an empty cache and a clean environment."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .record import RECORDER, Request, requests_of
from .tools import program
from .venvs import ClientKind, ensure, ensure_javascript

STEPS = Path(__file__).with_name("steps.py")
JAVASCRIPT_STEPS = Path(__file__).with_name("steps.mjs")
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


@dataclass(frozen=True)
class Step:
    """What became of a step: its value or a ClientError, and the requests it sent."""

    outcome: "Any | ClientError"
    requests: list[Request]

    @property
    def value(self) -> Any:
        if isinstance(self.outcome, ClientError):
            raise self.outcome
        return self.outcome

    @property
    def error(self) -> ClientError:
        assert isinstance(self.outcome, ClientError), f"no error but {self.outcome!r}"
        return self.outcome


@dataclass(frozen=True)
class Tour:
    """A client process that did many steps, each under a name."""

    steps: Mapping[str, Step]
    hosts: frozenset[str]

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def value(self, name: str) -> Any:
        return self.steps[name].value

    def error(self, name: str) -> ClientError:
        return self.steps[name].error

    @property
    def requests(self) -> list[Request]:
        """Return all requests, in order."""
        return [request for step in self.steps.values() for request in step.requests]


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
            "PYTHONPATH": str(RECORDER),
            "CLIENT_RECORD": str(self._record),
            **({"HF_TOKEN": self.token} if self.token else {}),
            **self.extra,
        }

    @property
    def _record(self) -> Path:
        return self.home / "record.jsonl"

    def outcomes(self, *steps: tuple[str, dict[str, Any]]) -> "list[Any | ClientError]":
        """Run steps one after another in one process; failures are values."""
        return [step.outcome for step in self._play(steps)[0]]

    def tour(self, steps: Mapping[str, tuple[str, dict[str, Any]]]) -> Tour:
        """Run named steps one after another in one process, and tell what each of them sent."""
        found, hosts = self._play(tuple(steps.values()))
        return Tour(dict(zip(steps, found, strict=True)), frozenset(hosts))

    def _play(self, steps: tuple[tuple[str, dict[str, Any]], ...]) -> tuple[list[Step], list[str]]:
        result = self._run(self._interpreter(), json.dumps(steps))
        assert result.returncode == 0, f"the client died:\n{result.stderr[-4000:]}"
        said = json.loads(result.stdout.splitlines()[-1])
        return [self._step(data) for data in said["steps"]], said["hosts"]

    def _step(self, data: dict[str, Any]) -> Step:
        outcome = ClientError(data) if "error" in data else data["value"]
        return Step(outcome, requests_of(data["requests"], self.endpoint))

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

    def sent(self) -> list[Request]:
        """Return what all processes of this machine sent until now, commands included."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        data = [request for line in lines for request in json.loads(line)["requests"]]
        return requests_of(data, self.endpoint)

    def _interpreter(self) -> list[str]:
        """Return the command that reads steps."""
        return [str(ensure(self.kind) / "bin" / "python"), str(STEPS)]

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


@dataclass
class JavascriptMachine(Machine):
    """A machine with Node.js and @huggingface/hub; skips the test where there is no Node.js."""

    def environment(self) -> dict[str, str]:
        token = {"HF_TOKEN": self.token} if self.token else {}
        return {"PATH": os.defpath, "HOME": str(self.home), "HF_ENDPOINT": self.endpoint, **token}

    def _interpreter(self) -> list[str]:
        """Modules are looked for beside the program, so it is copied to where they are linked."""
        node, _ = program("node"), program("npm")
        self.home.mkdir(parents=True, exist_ok=True)
        self.link_modules(self.home)
        shutil.copy(JAVASCRIPT_STEPS, self.home)
        return [node, str(self.home / JAVASCRIPT_STEPS.name)]

    @staticmethod
    def link_modules(folder: Path) -> None:
        """Let programs in a folder import the client."""
        modules = folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(ensure_javascript() / "node_modules")
