"""Cursors and links of a listing (§2.5)."""

import base64
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import BadRequest
from pulp_hugging_face.hub.paging import (
    EXPANDED_PAGE_SIZE,
    PAGE_SIZE,
    decode_cursor,
    encode_cursor,
    next_link,
    page_size,
)

from .strategies import paths

BASE = "http://pulp.test:24816/pulp/content/hf/api/models/org/repo/tree/main"


def encoded(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode()


@given(paths)
def test_a_cursor_comes_back_as_its_path(path: str) -> None:
    cursor = encode_cursor(path)
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", cursor)
    assert decode_cursor(cursor) == path


@pytest.mark.parametrize("cursor", [None, ""])
def test_no_cursor_is_the_beginning(cursor: str | None) -> None:
    assert decode_cursor(cursor) is None


@pytest.mark.parametrize(
    "cursor",
    ["a", "====", "not base64!", "é", "\ud800", encoded([]), encoded({}), encoded("after")]
    + [encoded({"after": value}) for value in (None, 5, [], {}, True)]
    + [encoded(5), encoded(None), "e30", base64.b64encode(b"\xff\xfe").decode(), "A" * 8000]
    + [base64.urlsafe_b64encode(b'{"after": "\\ud800"}').decode()]
    + [base64.urlsafe_b64encode(b"[" * 5000).decode()],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest):
        decode_cursor(cursor)


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_refused(cursor: str) -> None:
    try:
        path = decode_cursor(cursor)
    except BadRequest:
        return
    assert path is None or path.encode()


@pytest.mark.parametrize(
    ("limit", "expanded", "size"),
    [
        (None, False, PAGE_SIZE),
        (None, True, EXPANDED_PAGE_SIZE),
        ("", False, PAGE_SIZE),
        ("1", False, 1),
        ("1000", False, 1000),
        ("100000", False, PAGE_SIZE),
        ("100", True, EXPANDED_PAGE_SIZE),
        ("9" * 5000, False, PAGE_SIZE),
    ],
)
def test_the_limit_is_bounded(limit: str | None, expanded: bool, size: int) -> None:
    assert page_size(limit, expanded=expanded) == size


@pytest.mark.parametrize("limit", ["0", "000", "-1", "1.5", "ten", "1e3", " 1", "١"])
def test_a_limit_that_is_no_number_is_refused(limit: str) -> None:
    with pytest.raises(BadRequest):
        page_size(limit, expanded=False)


queries = st.lists(
    st.tuples(
        st.sampled_from(["recursive", "expand", "limit", "x"]),
        st.text(st.characters(blacklist_categories=["Cs"]), max_size=10),
    ),
    max_size=4,
)


@given(queries, paths)
def test_the_link_is_absolute_and_keeps_the_query(query: list[tuple[str, str]], path: str) -> None:
    cursor = encode_cursor(path)
    link = next_link(BASE, [*query, ("cursor", "old")], cursor)
    # What huggingface.js demands; requests and httpx are less strict.
    match = re.fullmatch(r'<(https?://[^>]+)>;\s+rel="next"', link)
    assert match is not None and link.isascii() and link.isprintable()
    url = urlsplit(match[1])
    assert f"{url.scheme}://{url.netloc}{url.path}" == BASE
    assert parse_qsl(url.query, keep_blank_values=True) == [*query, ("cursor", cursor)]


@given(paths)
def test_pages_of_the_hub_go_on_with_ours(path: str) -> None:
    """As they must when the Hub goes away between two pages of an expanded listing."""
    inner = json.dumps({"file_name": path, "tree_oid": "0" * 40}).encode()
    cursor = base64.b64encode(base64.b64encode(inner) + b":50").decode()
    assert decode_cursor(cursor) == path
