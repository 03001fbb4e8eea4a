"""
Where the time goes: py-spy looks at a content worker while something is asked for.

    python -m benchmarks.profile [--of get|head|info|stream|cold] [--seconds 10]

It prints the functions that most samples were in, themselves and with what they call, as tables
for the page of the documentation; `--output FILE` keeps the raw stacks (flamegraph.pl reads them).
"""

import argparse
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pulp_hugging_face.tests.functional.clients.venvs import ClientKind, ensure
from pulp_hugging_face.tests.hub import Generated

from . import preflight
from .load import CONCURRENCY, Job, LoadError, generate
from .rows import hot
from .rows.base import Bench
from .run import Plan, temporary_folder
from .servers import Ours, Unavailable
from .sizes import QUICK
from .upstream import Upstream

PY_SPY = ClientKind("py-spy", ("py-spy>=0.4",))
SHOWN = 30
# Enough for some seconds.
COLD_FILES, COLD_SIZE = 6, 1 << 30
# A thread of a pool that waits for work looks busy from outside: it holds a lock.
POOL, WORKING = "_worker (futures/thread.py)", "run (futures/thread.py)"
LOOP = "BaseEventLoop._run_once (asyncio/base_events.py)"
ALL = ("get", "head", "info", "stream", "cold")


@dataclass(frozen=True)
class Profile:
    """Samples per function: at the top of the stack, and anywhere in it."""

    samples: int
    own: Counter[str]
    total: Counter[str]


def parse_stacks(text: str) -> Profile:
    """Read collapsed stacks: functions from outside to inside, and how often they were seen."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    samples = 0
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if not count.isdigit():
            continue
        functions = [_short(function) for function in stack.split(";")]
        if POOL in functions and not any(name.endswith(WORKING) for name in functions):
            continue
        samples += int(count)
        own[functions[-1]] += int(count)
        for function in set(functions):
            total[function] += int(count)
    return Profile(samples, own, total)


def _short(function: str) -> str:
    """Return `name (package/module.py)`: lines of one function belong together."""
    name, _, place = function.rpartition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    return f"{name} ({'/'.join(Path(path).parts[-2:])})"


def inside(total: Counter[str]) -> Counter[str]:
    """Leave out what is around every step of the event loop: that is in every stack."""
    around = total[LOOP] or max(total.values(), default=0) + 1
    return Counter({name: count for name, count in total.items() if count < around})


def table(title: str, counts: Counter[str], samples: int) -> str:
    """Return the first functions of a count, in per cent of all samples."""
    lines = [f"| {title} | % |", "| --- | ---: |"]
    # What is in nearly all of them is the way into the program.
    shown = [(name, count) for name, count in counts.most_common() if count < 0.95 * samples]
    for function, count in shown[:SHOWN]:
        lines.append(f"| `{function}` | {100 * count / samples:.1f} |")
    return "\n".join(lines)


@contextmanager
def _load(jobs: Sequence[Job]) -> Iterator[None]:
    """Let the load run meanwhile; what went wrong with it is raised afterwards."""
    errors: list[LoadError] = []

    def work() -> None:
        try:
            for job in jobs:
                generate(job)
        except LoadError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


def record(pid: int, seconds: float, output: Path) -> str:
    """Return the stacks of a process over some seconds."""
    program = ensure(PY_SPY) / "bin" / "py-spy"
    command = [
        *(str(program), "record", "--pid", str(pid), "--duration", str(round(seconds))),
        *("--rate", "400", "--format", "raw", "--native", "--output", str(output)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode:
        raise Unavailable(f"py-spy failed: {done.stderr.strip()[-500:]}")
    return output.read_text(encoding="utf-8")


def profile(what: str, seconds: float, output: Path | None) -> Profile:
    """Start a stack and an upstream, and look at one of its workers under load."""
    plan = Plan("quick", (), ("ours",))
    with temporary_folder(plan) as folder, Upstream() as upstream:
        server = Ours(folder / "ours", upstream, workers=1 if what == "cold" else 2)
        try:
            server.start()
            bench = Bench(QUICK, folder, upstream, {"ours": server})
            jobs = _cold_jobs(bench) if what == "cold" else [_held_job(what, bench, seconds)]
            with _load(jobs):
                stacks = record(
                    server.content_workers()[0], seconds, output or folder / "stacks.txt"
                )
        finally:
            server.stop()
    return parse_stacks(stacks)


def _held_job(what: str, bench: Bench, seconds: float) -> Job:
    """Return the load of something that is held, and hold it."""
    hot.declare(bench, QUICK)
    server = bench.servers["ours"]
    url = server.file(hot.REPO, hot.LARGE if what == "stream" else hot.SMALL)
    if what == "info":
        url = f"{server.url}/api/models/{hot.REPO}"
    preflight.ask(url)
    return Job(url, "HEAD" if what == "head" else "GET", CONCURRENCY, None, seconds + 3)


def _cold_jobs(bench: Bench) -> list[Job]:
    """Return files for the first time, one after the other."""
    repos = [f"bench/profile-{number}" for number in range(COLD_FILES)]
    for number, repo_id in enumerate(repos):
        bench.place(repo_id, {hot.LARGE: Generated(COLD_SIZE, seed=20_000 + number)})
    urls = [bench.servers["ours"].file(repo_id, hot.LARGE) for repo_id in repos]
    return [Job(url, size=COLD_SIZE) for url in urls]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--of", choices=ALL, default="get")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    try:
        found = profile(options.of, options.seconds, options.output)
    except (Unavailable, LoadError, preflight.Refused, OSError) as error:
        print(f"benchmarks.profile: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{found.samples} samples of a worker\n")
    print(table("Function itself", found.own, found.samples) + "\n")
    print(table("Function with what it calls", inside(found.total), found.samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
