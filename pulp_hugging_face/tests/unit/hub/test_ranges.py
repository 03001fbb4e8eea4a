"""Ranges and conditions as RFC 9110 has them (§13, §14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import RangeNotSatisfiable
from pulp_hugging_face.hub.headers import error_headers
from pulp_hugging_face.hub.ranges import ByteRange, etag_in, parse_range, range_applies

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=0-", 0, 100),
        ("bytes=99-", 99, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=0-999999999", 0, 100),
        ("bytes=90-100", 90, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-100", 0, 100),
        ("bytes=-101", 0, 100),
        ("bytes=00005-0009", 5, 10),
        ("Bytes = 1 - 2", 1, 3),
        ("bytes=5-" + "9" * 5000, 5, 100),
        ("bytes=-" + "9" * 5000, 0, 100),
        ("bytes=" + "0" * 5000 + "-1", 0, 2),
    ],
)
def test_a_range_is_clamped_to_the_file(header: str, start: int, stop: int) -> None:
    assert parse_range(header, 100) == ByteRange(start, stop, 100)


@pytest.mark.parametrize("header", ["bytes=1-", "bytes = 99 -"])
def test_an_open_range_behind_the_first_byte_resumes(header: str) -> None:
    asked = parse_range(header, 100)
    assert asked is not None and asked.resumes


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=1-99", "bytes=1-200", "bytes=-99"])
def test_other_ranges_do_not_resume(header: str) -> None:
    asked = parse_range(header, 100)
    assert asked is not None and not asked.resumes


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,5-6",
        "items=0-1",
        "bytes=--1",
        "bytes=1--2",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes 0-1",
        "0-1",
        "bytes=1.0-2",
        "bytes=٣-٤",
        "bytes=0-1\r\nX: y",
    ],
)
def test_what_is_no_single_range_is_ignored(header: str | None) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=100-", 100),
        ("bytes=100-200", 100),
        ("bytes=-0", 100),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=0-0", 0),
        ("bytes=" + "9" * 5000 + "-", 100),
    ],
)
def test_a_range_behind_the_end_is_refused_with_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(header, size)
    assert refused.value.status == 416
    assert error_headers(refused.value)["Content-Range"] == f"bytes */{size}"


numbers = st.integers(0, 30)


@given(st.one_of(st.none(), numbers), st.one_of(st.none(), numbers), st.integers(0, 20))
def test_ranges_select_what_a_naive_model_selects(
    first: int | None, last: int | None, size: int
) -> None:
    content = bytes(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if (first is None and last is None) or (None not in (first, last) and last < first):  # type: ignore[operator]
        assert parse_range(header, size) is None
        return
    if first is None:
        wanted = content[-last:] if last else b""  # type: ignore[operator]
    else:
        wanted = content[first : None if last is None else last + 1]
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiable:
        assert wanted == b""
        return
    assert part is not None and content[part.start : part.stop] == wanted
    assert part.length == len(wanted) > 0
    assert part.is_whole == (wanted == content)
    assert part.content_range == f"bytes {part.start}-{part.stop - 1}/{size}"


@given(st.text(max_size=30), st.integers(0, 100))
def test_any_text_is_ignored_clamped_or_refused(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        try:
            part = parse_range(header, size)
        except RangeNotSatisfiable:
            continue
        assert part is None or 0 <= part.start < part.stop <= size


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (None, False),
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"abc"', True),
        ('"x","abc" ,"y"', True),
        ("*", True),
        ('"abd"', False),
        ("abc", False),
        ('"ABC"', False),
    ],
)
def test_if_none_match_compares_weakly(header: str | None, matches: bool) -> None:
    assert etag_in(header, ETAG) is matches


@pytest.mark.parametrize(
    ("header", "applies"),
    [
        (None, True),
        ('"abc"', True),
        (' "abc" ', True),
        ('W/"abc"', False),
        ('"other"', False),
        ("Mon, 01 Jan 2024 00:00:00 GMT", False),
    ],
)
def test_if_range_needs_our_strong_etag(header: str | None, applies: bool) -> None:
    assert range_applies(header, ETAG) is applies
