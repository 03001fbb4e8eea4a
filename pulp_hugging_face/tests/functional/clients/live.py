"""A client process that lives on between its steps."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .machine import ClientError, Machine
from .venvs import ensure

LIVE_STEPS = Path(__file__).with_name("live_steps.py")


@dataclass
class LiveMachine(Machine):
    """A machine whose steps are all done by one process, begun with the first."""

    _process: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def do(self, step: str, **arguments: Any) -> Any:
        """Do one step; raises ClientError."""
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([step, arguments]) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"the client died:\n{self._said.read_text()[-4000:]}"
        outcome = json.loads(line)
        if "error" in outcome:
            raise ClientError(outcome)
        return outcome["value"]

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def _said(self) -> Path:
        return self.home / "stderr.log"

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            self.home.mkdir(parents=True, exist_ok=True)
            with self._said.open("w") as said:
                self._process = subprocess.Popen(
                    [str(ensure(self.kind) / "bin" / "python"), str(LIVE_STEPS)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    env=self.environment(),
                    cwd=self.home,
                )
        return self._process
