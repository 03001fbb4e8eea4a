"""Segments, runs and appetite, by example and by the hundred."""

from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.blobs.segments import (
    AHEAD,
    LONGEST_RUN,
    MIB,
    PARALLEL_ABOVE,
    WINDOW,
    Appetite,
    Layout,
    absent_run,
)

LAYOUTS = st.builds(Layout, st.integers(0, 10_000), st.integers(1, 700))
HUGE = 60 * 1024 * MIB


@given(LAYOUTS)
def test_segments_cover_the_file_without_gaps(layout: Layout) -> None:
    borders = [layout.first_byte(index) for index in range(layout.count + 1)]
    assert borders[0] == 0 and borders[-1] == layout.size
    lengths = [layout.length(index) for index in range(layout.count)]
    assert sum(lengths) == layout.size
    assert all(length == layout.segment for length in lengths[:-1])
    assert all(0 < length <= layout.segment for length in lengths)


@given(LAYOUTS, st.data())
def test_a_span_is_the_least_that_covers_its_bytes(layout: Layout, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, layout.size))
    stop = data.draw(st.integers(start, layout.size))
    first, last = layout.span(start, stop)
    touched = {layout.index(offset) for offset in range(start, stop)}
    assert set(range(first, last)) == touched


@given(st.integers(0, 2**60))
def test_a_journal_stays_small_whatever_the_file(size: int) -> None:
    layout = Layout.of(size)
    assert layout.count <= 1024 * 1024
    assert layout.segment == MIB or size > 2**40


@given(st.integers(0, 2**45))
def test_small_files_are_one_request_and_large_ones_some_dozens(size: int) -> None:
    layout = Layout.of(size)
    if size <= PARALLEL_ABOVE:
        assert layout.run >= layout.count
    else:
        assert 0 < layout.run * layout.segment <= LONGEST_RUN
        if size <= 32 * LONGEST_RUN:
            assert -(-layout.count // layout.run) <= 34


@given(st.binary(max_size=60), st.data())
def test_a_run_is_the_first_that_is_absent_and_not_taken(marks: bytes, data: st.DataObject) -> None:
    marks = bytes(mark % 2 for mark in marks)
    count = len(marks)
    ends = st.tuples(st.integers(0, count), st.integers(0, count)).map(sorted).map(tuple)
    taken = data.draw(st.lists(ends, max_size=4))
    first, last = data.draw(ends)
    free = [
        index
        for index in range(first, last)
        if not marks[index] and not any(left <= index < right for left, right in taken)
    ]
    run = absent_run(marks, taken, first, last)
    if run is None:
        assert free == []
    else:
        assert list(range(*run)) == free[: run[1] - run[0]]
        assert run[1] not in free


def test_which_ranges_mean_the_whole() -> None:
    cases = [
        ((0, HUGE), HUGE, True),
        ((0, 1), HUGE, False),
        ((HUGE - 1, HUGE), HUGE, False),
        ((1, HUGE), HUGE, True),
        ((AHEAD + 1, AHEAD + MIB), HUGE, False),
        ((HUGE // 2 + 2, HUGE), HUGE, False),
        ((HUGE // 2 - 2, HUGE), HUGE, True),
        ((0, AHEAD + 1), HUGE, True),
        ((0, 1), 2 * AHEAD, True),
        ((0, 0), 0, True),
    ]
    for part, size, whole in cases:
        assert Appetite(Layout.of(size)).wants_whole(*part) is whole, (part, size)


def test_ranges_that_add_up_to_more_than_half_mean_the_whole() -> None:
    size = 100 * MIB
    appetite = Appetite(Layout.of(size))
    asked = [appetite.wants_whole(n * 5 * MIB, (n + 1) * 5 * MIB) for n in range(11)]
    assert asked == [False] * 10 + [True]


def test_asking_for_the_same_again_is_not_more() -> None:
    appetite = Appetite(Layout.of(HUGE))
    assert not any(appetite.wants_whole(HUGE - 5 * MIB, HUGE) for _ in range(20_000))


def test_ranges_in_a_row_are_read_ahead_further_and_further() -> None:
    appetite, position = Appetite(Layout.of(HUGE)), 0
    reached = []
    for _ in range(12):
        reached.append(appetite.read_ahead(position, position + MIB) - position - MIB)
        position += MIB
    assert reached[:4] == [0, MIB, 2 * MIB, 4 * MIB] and reached[-1] == WINDOW
    assert appetite.read_ahead(HUGE // 2, HUGE // 2 + MIB) == HUGE // 2 + MIB


@given(st.lists(st.tuples(st.integers(0, HUGE), st.integers(0, 70 * MIB)), max_size=30))
def test_what_is_read_ahead_stays_in_the_file_and_the_window(
    ranges: list[tuple[int, int]],
) -> None:
    appetite = Appetite(Layout.of(HUGE))
    for start, length in ranges:
        stop = min(start + length, HUGE)
        assert stop <= appetite.read_ahead(start, stop) <= min(HUGE, stop + WINDOW)
