"""A result: samples by metric and server, with all that is needed to read them, as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .figures import Summary
from .machine import Machine

FORMAT = 1


@dataclass
class Cell:
    """
    What a server did in one metric.

    `reason` says why there are no samples, `note` what was different from the other servers'
    (fewer files, say), so that no ratio may be taken.
    """

    samples: list[float] = field(default_factory=list)
    reason: str = ""
    note: str = ""

    @property
    def summary(self) -> Summary | None:
        return Summary.of(self.samples) if self.samples and not self.reason else None


@dataclass(frozen=True)
class Column:
    """A server as the table names it."""

    title: str
    version: str = ""


@dataclass
class Result:
    """One run."""

    machine: Machine
    date: str
    mode: str
    sizes: dict[str, Any]
    generators: dict[str, str]
    columns: dict[str, Column]
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    def cell(self, metric: str, server: str) -> Cell:
        return self.cells.setdefault(metric, {}).setdefault(server, Cell())

    def median(self, metric: str, server: str) -> float | None:
        """Return the number of the table, None where there is none."""
        cell = self.cells.get(metric, {}).get(server, Cell())
        return cell.summary.median if cell.summary else None

    def comparable(self, metric: str, server: str, other: str) -> bool:
        """Tell whether both did the same work."""
        cells = self.cells.get(metric, {})
        return cells.get(server, Cell()).note == cells.get(other, Cell()).note

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = {"format": FORMAT, **asdict(self)}
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Result":
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format", None) != FORMAT:
            raise ValueError(f"{path.name} is not a result of this version of the benchmark")
        data["machine"] = Machine.from_json(data["machine"])
        data["columns"] = {name: Column(**column) for name, column in data["columns"].items()}
        data["cells"] = {
            metric: {server: Cell(**cell) for server, cell in cells.items()}
            for metric, cells in data["cells"].items()
        }
        return cls(**data)
