"""The arithmetic of a result: percentiles, summaries of repetitions, ratios, and their words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie, interpolated between two."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low, high = math.floor(position), math.ceil(position)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


@dataclass(frozen=True)
class Summary:
    """What is told of several repetitions."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Summary":
        return cls(percentile(samples, 50), min(samples), max(samples))


def ratio(value: float | None, other: float | None) -> float | None:
    """Return value ÷ other, None where one of them is missing or there is nothing to divide by."""
    if value is None or not other:
        return None
    return value / other


def number(value: float) -> str:
    """Return three significant digits, or all of a larger number before the point."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    rounded = round(value, 2 - size)
    return f"{rounded:,.{max(0, 2 - size)}f}" if abs(rounded) < 100 else f"{value:,.0f}"
