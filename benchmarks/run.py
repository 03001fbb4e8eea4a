"""One run: servers up, every row with every server in turn, servers down."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pulp_hugging_face.tests.hub import ControlError

from . import machine
from .load import LoadError, generator_for
from .nginx import NginxCache, NginxStatic
from .olah import Olah
from .preflight import Refused
from .results import Column, Result
from .rows import Row
from .rows.base import Bench
from .servers import Ours, Server, Unavailable
from .sizes import GIB, MODES
from .upstream import Upstream

Say = Callable[[str], None]
TITLES: Mapping[str, str] = {
    server.name: server.title for server in (Ours, NginxStatic, NginxCache, Olah)
}


class CannotRun(Exception):
    """The run cannot begin; the text says why."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and with what."""

    mode: str
    rows: Sequence[Row]
    servers: Sequence[str]
    workers: int = 2
    folder: Path | None = None


@contextmanager
def temporary_folder(plan: Plan) -> Iterator[Path]:
    """Make a folder for all that is written, gone afterwards."""
    wanted = MODES[plan.mode].disk
    folder = Path(tempfile.mkdtemp(prefix="pulp-hf-bench-", dir=plan.folder))
    try:
        free = shutil.disk_usage(folder).free
        if free < wanted:
            raise CannotRun(
                f"{wanted / GIB:.0f} GiB are needed on the disk and {free / GIB:.0f} GiB are free; "
                "choose another one with --folder, or --quick"
            )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(plan: Plan, say: Say, keep: Callable[[Result], None]) -> Result:
    """Measure everything that is planned; `keep` gets what there is after each row."""
    result = Result(
        machine=machine.describe(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        mode=plan.mode,
        sizes={**asdict(MODES[plan.mode]), "workers": plan.workers},
        generators={method: generator_for(method) for method in ("GET", "HEAD")},
        columns={name: Column(TITLES[name]) for name in plan.servers},
    )
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(plan))
            upstream = stack.enter_context(Upstream())
            servers = _start_all(plan, folder, upstream, stack, result, say)
            bench = Bench(MODES[plan.mode], folder, upstream, servers)
            for row in plan.rows:
                measure(row, bench, result, plan.servers, say)
                keep(result)
        finally:
            # A second Ctrl-C must not leave anything behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            say("stopping the servers")
    return result


def _start_all(
    plan: Plan, folder: Path, upstream: Upstream, stack: ExitStack, result: Result, say: Say
) -> dict[str, Server]:
    makers: dict[str, Callable[[], Server]] = {
        "ours": lambda: Ours(folder / "ours", upstream, plan.workers),
        "nginx-static": lambda: NginxStatic(folder / "static", plan.workers),
        "nginx-cache": lambda: NginxCache(folder / "cache", plan.workers, upstream),
        "olah": lambda: Olah(folder / "olah", plan.workers, upstream),
    }
    running = {}
    for name in plan.servers:
        say(f"starting {TITLES[name]}")
        server = makers[name]()
        stack.callback(server.stop)
        try:
            server.start()
            result.columns[name] = Column(server.title, server.version())
            running[name] = server
        except Unavailable as error:
            say(f"  not measured: {error}")
            _excuse(result, plan.rows, name, str(error))
    return running


def _excuse(result: Result, rows: Sequence[Row], server: str, reason: str) -> None:
    for row in rows:
        for metric in row.metrics:
            if server in row.servers:
                result.cell(metric.name, server).reason = reason


def measure(row: Row, bench: Bench, result: Result, order: Sequence[str], say: Say) -> None:
    """Measure a row: repetition by repetition, in each all servers, another one first."""
    say(f"{row.name}: preparing")
    fit = [name for name in order if name in row.servers and name in bench.servers]
    try:
        row.prepare(bench)
    except (ControlError, OSError) as error:
        say(f"  the upstream cannot be prepared: {error}")
        for name in fit:
            _excuse(result, [row], name, f"failed: the upstream cannot be prepared: {error}")
        return
    fit = [name for name in fit if _passes(row, bench, name, result, say)]
    for repetition in range(row.repetitions(bench.sizes)):
        turn = repetition % len(fit) if fit else 0
        for name in [*fit[turn:], *fit[:turn]]:
            if not _sample(row, bench, name, repetition, result, say):
                fit.remove(name)


def _passes(row: Row, bench: Bench, name: str, result: Result, say: Say) -> bool:
    try:
        row.check(bench, bench.servers[name])
    except Refused as error:
        say(f"  {name}: preflight failed, not measured: {error}")
        _excuse(result, [row], name, f"preflight: {error}")
        return False
    return True


def _sample(row: Row, bench: Bench, name: str, repetition: int, result: Result, say: Say) -> bool:
    server = bench.servers[name]
    try:
        found = row.sample(bench, server, repetition)
    except (LoadError, Refused, ControlError, OSError) as error:
        say(f"  {name}: failed: {error}")
        _excuse(result, [row], name, f"failed: {error}")
        return False
    for metric, value in found.items():
        cell = result.cell(metric, name)
        cell.samples.append(value)
        cell.note = row.note(bench, server)
    say(f"  {name}: " + ", ".join(f"{metric} {value:.4g}" for metric, value in found.items()))
    return True
