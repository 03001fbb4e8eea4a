"""The rows of the table, in its order."""

from collections.abc import Mapping

from .base import Metric, Row
from .cold import ColdHead, ColdLarge, Crowd, Many, Tail
from .hot import HotLarge, HotSmall, Info
from .scale import Commits, Listing, Memory
from .snapshot import Snapshot

ROWS: Mapping[str, Row] = {
    row.name: row
    for row in (
        HotSmall(),
        Info(),
        HotLarge(),
        ColdLarge(),
        Crowd(),
        Many(),
        Snapshot(),
        ColdHead(),
        Tail(),
        Commits(),
        Listing(),
        Memory(),
    )
}

METRICS: Mapping[str, Metric] = {m.name: m for row in ROWS.values() for m in row.metrics}

__all__ = ["METRICS", "ROWS", "Metric", "Row"]
