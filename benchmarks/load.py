"""Ask for load and get numbers: `wrk` or our own generator, each in a process of its own."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONCURRENCY = 16
SLACK = 30.0


class LoadError(Exception):
    """A server did not answer as it has to while it was measured."""


@dataclass(frozen=True)
class Job:
    """
    What to send: `clients` connections, each asks `times` over.

    With `seconds` they ask until the time is over, otherwise all have to be through within
    `patience` seconds. `size` is what every client has to receive in all (None: not looked at).
    """

    url: str
    method: str = "GET"
    clients: int = 1
    times: int | None = 1
    seconds: float | None = None
    patience: float = 120.0
    size: int | None = None
    statuses: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What came of a job; `first_byte` is that of the first client to see one."""

    seconds: float
    answers: int
    bytes: list[int]
    first_byte: float
    latencies: list[float]
    errors: list[str]
    failed: int

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def megabytes_a_second(self) -> float:
        return sum(self.bytes) / self.seconds / 1e6


def generate(job: Job) -> Load:
    """Run a job in our own generator; LoadError if any of its clients failed."""
    patience = job.seconds or job.patience
    command = [sys.executable, "-m", "benchmarks.generator"]
    said = _run(command, patience, json.dumps(asdict(job)))
    load = Load(**json.loads(said))
    if load.failed:
        raise LoadError(f"{load.failed} of {job.clients} clients: {'; '.join(load.errors)}")
    if job.size is not None and set(load.bytes) != {job.size}:
        raise LoadError(f"{job.size} bytes expected, {sorted(set(load.bytes))[:5]} received")
    if not load.answers:
        raise LoadError(f"no answer within {patience:.0f} s")
    return load


def requests_a_second(url: str, method: str, seconds: float) -> float:
    """Measure how often one URL is answered, over 16 connections."""
    if generator_for(method) == "wrk":
        return _wrk(url, seconds)
    return generate(Job(url, method, CONCURRENCY, None, seconds)).rate


def generator_for(method: str) -> str:
    """Return what measures requests: wrk waits for the body of an answer to HEAD, in vain."""
    return "wrk" if method == "GET" and shutil.which("wrk") else "own"


def _wrk(url: str, seconds: float) -> float:
    whole = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{CONCURRENCY}", f"-d{whole}s", "--timeout", "30s", url]
    return rate_of_wrk(_run(command, whole))


def rate_of_wrk(text: str) -> float:
    """Read what wrk prints; answers that are errors do not count."""
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if bad:
        raise LoadError(f"{bad[1]} answers were errors")
    found = re.search(r"^Requests/sec: +([\d.]+)", text, re.MULTILINE)
    if not found or not float(found[1]):
        raise LoadError("no answer was complete in time")
    return float(found[1])


def _run(command: list[str], seconds: float, text: str = "") -> str:
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds + SLACK,
            cwd=PROJECT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the load generator did not end within {error.timeout:.0f} s") from error
    if done.returncode:
        raise LoadError(f"the load generator failed: {done.stderr.strip()[-500:]}")
    return done.stdout
