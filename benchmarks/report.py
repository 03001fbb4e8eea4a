"""
A result as a table: on the screen, or in the page of the documentation.

    python -m benchmarks.report benchmarks/results/….json [--page]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .figures import number, ratio
from .results import Cell, Result
from .rows import METRICS, Metric
from .rows.base import Target

PAGE = Path(__file__).resolve().parents[1] / "docs" / "user" / "reference" / "performance.md"
SHORT = {"nginx-static": "nginx files", "nginx-cache": "nginx proxy_cache", "olah": "Olah"}
RATIOS = ("nginx-static", "nginx-cache", "olah")
NOT_MEASURED = "not measured"


class NoPlace(Exception):
    """The page has no place for the results."""


def headings(result: Result) -> list[str]:
    """Return the first line of the table."""
    names = [column.title for column in result.columns.values()]
    ratios = [f"ours ÷ {SHORT[other]}" for other in RATIOS]
    return ["", "unit", *names, *ratios, "to reach", "reached"]


def lines(result: Result) -> list[list[str]]:
    """Return a line per metric that was looked at."""
    found = [metric for metric in METRICS.values() if metric.name in result.cells]
    return [_line(result, metric) for metric in found]


def _line(result: Result, metric: Metric) -> list[str]:
    cells = result.cells[metric.name]
    shown = [_shown(cells.get(server)) for server in result.columns]
    ratios = [_ratio(result, metric.name, other) for other in RATIOS]
    wanted = ", ".join(_wanted(target) for target in metric.targets)
    return [metric.title, metric.unit, *shown, *ratios, wanted, _reached(result, metric)]


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    if cell.summary is None:
        return "failed" if cell.reason.startswith(("failed", "preflight")) else NOT_MEASURED
    text = number(cell.summary.median)
    if len(cell.samples) > 1:
        text += f" ({number(cell.summary.least)}–{number(cell.summary.most)})"
    return f"{text} [{cell.note}]" if cell.note else text


def _ratio(result: Result, metric: str, other: str) -> str:
    found = _compared(result, metric, other)
    return "–" if found is None else number(found)


def _compared(result: Result, metric: str, other: str) -> float | None:
    if not result.comparable(metric, "ours", other):
        return None
    return ratio(result.median(metric, "ours"), result.median(metric, other))


def _wanted(target: Target) -> str:
    sign = "≥" if target.at_least else "≤"
    return f"{sign} {target.value:,g}" + (f"× {SHORT[target.of]}" if target.of else "")


def _reached(result: Result, metric: Metric) -> str:
    """Return yes or no; a quick run does not do what the targets are about."""
    if not metric.targets or result.mode != "full":
        return "–"
    outcomes = [_meets(result, metric.name, target) for target in metric.targets]
    if False in outcomes:
        return "no"
    return "yes" if True in outcomes and None not in outcomes else "–"


def _meets(result: Result, metric: str, target: Target) -> bool | None:
    value = result.median(metric, "ours")
    if target.of:
        value = _compared(result, metric, target.of)
    if value is None:
        return None
    return value >= target.value if target.at_least else value <= target.value


def missed(result: Result) -> list[str]:
    """Return the titles of lines whose targets must be reached, and are not."""
    asserted = [metric for metric in METRICS.values() if metric.asserted]
    return [m.title for m in asserted if m.name in result.cells and _reached(result, m) == "no"]


def reasons(result: Result) -> list[str]:
    """Return why there are no numbers where there are none, once per server and reason."""
    found: dict[str, list[str]] = {}
    for metric, cells in result.cells.items():
        for server, cell in cells.items():
            if cell.reason:
                text = f"{result.columns[server].title}: {' '.join(cell.reason.split())}"
                found.setdefault(text, []).append(METRICS[metric].title)
    return [f"{text} ({_count(titles)})" for text, titles in found.items()]


def _count(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{titles[0]}, and {len(titles) - 1} more"


def provenance(result: Result) -> list[str]:
    """Return where the numbers come from."""
    here = result.machine
    versions = {**here.versions, **{c.title: c.version for c in result.columns.values()}}
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    load = ", ".join(f"{value:.1f}" for value in here.load_at_start)
    used = ", ".join(f"{method}: {program}" for method, program in result.generators.items())
    warning = ["quick: sizes are smaller than the titles say, the numbers prove nothing"]
    return [
        *(warning if result.mode == "quick" else []),
        f"{result.date}, {result.mode} run, commit {here.commit}, "
        f"{result.sizes['workers']} workers of each server",
        f"{here.processor}, {here.cores} cores, {here.memory_gib:.0f} GiB, {here.system}, "
        f"Linux {here.kernel}, Python {here.python}; load at the start {load}",
        named,
        f"load generators of requests: {used}",
    ]


def screen(result: Result) -> str:
    """Return the table for a terminal, with what goes with it."""
    rows = [headings(result), *lines(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    rule = "-" * max(len(line) for line in table)
    return "\n".join([*provenance(result), "", table[0], rule, *table[1:], "", *reasons(result)])


def markdown(result: Result) -> str:
    """Return the table and what goes with it for the page."""
    head = headings(result)
    rule = ["---", "---", *["---:"] * (len(head) - 4), "---", "---"]
    rows = [_escaped(row) for row in (head, rule, *lines(result))]
    notes = [f"- {_safe(text)}" for text in (*provenance(result), *reasons(result))]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", *notes])


def _escaped(row: Sequence[str]) -> list[str]:
    return [_safe(text) for text in row]


def _safe(text: str) -> str:
    """What programs said must not become markup."""
    return text.replace("|", "/").replace("<", "&lt;").replace("`", "'")


def meanings() -> str:
    """Return what each line means, for the page."""
    return "\n".join(f"- **{metric.title}**: {metric.meaning}" for metric in METRICS.values())


def into_page(text: str, result: Result) -> str:
    """Return the page with the results, and with the meaning of all lines, in their places."""
    return _placed(_placed(text, "results", markdown(result)), "meanings", meanings())


def _placed(text: str, place: str, block: str) -> str:
    begin, end = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    if begin not in text or end not in text:
        raise NoPlace(f"the page has no {begin} … {end}")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}\n\n{block}\n\n{end}{rest.split(end, 1)[1]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.report", description=__doc__)
    parser.add_argument("result", type=Path, help="JSON file that a run has written")
    parser.add_argument("--page", action="store_true", help=f"write it into {PAGE.name}")
    options = parser.parse_args()
    try:
        result = Result.read(options.result)
        if options.page:
            PAGE.write_text(into_page(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
        else:
            print(screen(result))
    except (OSError, ValueError, KeyError, TypeError, NoPlace) as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
