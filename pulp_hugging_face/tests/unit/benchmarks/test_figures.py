"""The arithmetic of results."""

import pytest

from benchmarks.figures import Summary, number, percentile, ratio


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0, 2.0], 50, 1.5),
        ([4.0, 1.0, 3.0, 2.0], 0, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 100, 4.0),
        ([0.0, 10.0], 95, 9.5),
    ],
)
def test_percentiles_are_interpolated(values, percent, expected):
    assert percentile(values, percent) == pytest.approx(expected)


def test_nothing_has_no_percentile():
    with pytest.raises(ValueError):
        percentile([], 50)


def test_a_summary_keeps_the_extremes():
    assert Summary.of([3.0, 9.0, 1.0]) == Summary(3.0, 1.0, 9.0)


def test_there_is_no_ratio_to_nothing():
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(None, 2.0) is None
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (0.9999, "1.000"),
        (4.25, "4.25"),
        (99.96, "100"),
        (103217.4, "103,217"),
        (2.0, "2.00"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text
