"""What is measured: a server of one kind, started on free ports and stopped by process id."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from pulp_hugging_face.standalone.privileges import dies_with_parent
from pulp_hugging_face.tests.functional.stack import Stack

from . import processes
from .upstream import Upstream

HOST = "127.0.0.1"
START_SECONDS = 60.0


class Unavailable(Exception):
    """A server cannot be measured on this machine; the text says what to do about it."""


class Server(ABC):
    """One column of the table. `url` is what a client has as its HF_ENDPOINT."""

    name: str
    title: str
    # Has the files it was given and nothing else: no API, no commits, nothing to fetch.
    static = False

    url = ""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def pids(self) -> list[int]:
        """Return all processes that do the work."""

    def version(self) -> str:
        return ""

    def file(self, repo_id: str, path: str) -> str:
        """Return the URL of a file on the main branch."""
        return f"{self.url}/{repo_id}/resolve/main/{path}"

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pids())


class BenchedStack(Stack):
    """`pulp-hf up` with the defaults of production, not with those of the tests."""

    def environment(self) -> dict[str, str]:
        return {
            **bare_environment(),
            "PULP_HF_ADMIN_PASSWORD": "benchmark passes by",
            **self.environ,
        }


class Ours(Server):
    """This project, by the command that users type."""

    name, title = "ours", "pulp_hugging_face"

    def __init__(self, folder: Path, upstream: Upstream, workers: int = 2) -> None:
        folder.mkdir(parents=True)
        options = ("--workers", str(workers), "--redirect-host", "127.0.0.2")
        self.stack = BenchedStack(folder / "data", upstream.url, *options)

    def start(self) -> None:
        try:
            self.stack.start()
        except RuntimeError as error:
            raise Unavailable(str(error)) from error
        self.url = self.stack.endpoint

    def stop(self) -> None:
        self.stack.stop()

    def pids(self) -> list[int]:
        """Include PostgreSQL and the API, which work for a download too."""
        state = self.stack.state
        all_of_it = (state["supervisor"], *state["children"].values())
        roots = [int(process["pid"]) for process in all_of_it]
        return sorted({pid for root in roots for pid in processes.tree(root)})

    def content_workers(self) -> list[int]:
        """Return the processes that answer clients."""
        return processes.tree(self.stack.child("content app"))[1:]


class Program(Server):
    """A server that is one program, which may start others."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Write what it needs and return how it is run."""

    def environment(self) -> Mapping[str, str]:
        return bare_environment()

    @property
    def log(self) -> Path:
        return self.folder / "screen.log"

    def start(self) -> None:
        command = self.command()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=dict(self.environment()),
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = self.log.read_text(errors="replace")[-600:]
                raise Unavailable(f"{self.title} did not start: {said.strip()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop_tree(self._process)

    def pids(self) -> list[int]:
        assert self._process is not None
        return processes.tree(self._process.pid)


def answers(url: str) -> bool:
    """Tell whether somebody speaks HTTP there, whatever is said."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that is free now, for programs that cannot choose one."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def bare_environment() -> dict[str, str]:
    """Return the environment without what would change what is measured."""
    foreign = ("HF_", "PULP", "DJANGO", "DATABASE_URL", "HUGGING", "OLAH_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def installed(program: str, package: str) -> str:
    """Return where a program is; Unavailable says how to get it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        raise Unavailable(f"{program} is not installed; Debian: apt-get install {package}")
    return found
