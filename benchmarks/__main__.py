"""`python -m benchmarks`: measure, print the table, write the raw numbers."""

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pulp_hugging_face.tests.hub import ControlError

from .report import missed, screen
from .rows import ROWS
from .run import TITLES, CannotRun, Plan, run

RESULTS = Path(__file__).parent / "results"


def names(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return what reads a list of names, in the order in which they are known."""

    def read(text: str) -> list[str]:
        wanted = [name.strip() for name in text.split(",") if name.strip()]
        strange = [name for name in wanted if name not in known]
        if strange or not wanted:
            message = f"{', '.join(strange) or 'nothing'} given, known are {', '.join(known)}"
            raise argparse.ArgumentTypeError(message)
        return [name for name in known if name in wanted]

    return read


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure this server beside nginx and Olah, all on this machine.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rows: " + ", ".join(ROWS) + "\nservers: " + ", ".join(TITLES),
    )
    parser.add_argument("--rows", type=names(ROWS), default=list(ROWS), metavar="NAME,…")
    parser.add_argument("--servers", type=names(TITLES), default=list(TITLES), metavar="NAME,…")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it all work?")
    parser.add_argument("--workers", type=int, default=2, help="of each server (default 2)")
    parser.add_argument("--folder", type=Path, help="where data is kept meanwhile")
    parser.add_argument("--output", type=Path, help="JSON file (default: in benchmarks/results)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    mode = "quick" if options.quick else "full"
    rows = [ROWS[name] for name in options.rows]
    plan = Plan(mode, rows, options.servers, options.workers, options.folder)
    output = options.output or RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{mode}.json"
    try:
        result = run(plan, say, lambda result: result.write(output))
    except (CannotRun, ControlError, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        kept = f"; whole rows are in {output}" if output.exists() else ""
        say(f"interrupted, everything that was started is stopped{kept}")
        return 130
    print(screen(result))
    say(f"raw numbers: {output}")
    for title in missed(result):
        say(f"error: not reached: {title}")
    return 1 if missed(result) else 0


def say(text: str) -> None:
    """Tell how far it is, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
