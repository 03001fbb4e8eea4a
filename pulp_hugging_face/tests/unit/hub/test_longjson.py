"""JSON in parts is the same JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub import longjson

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 1]), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_what_is_read_is_what_was_written(data: Any, indent: int | None, encoding: str) -> None:
    body = json.dumps(data, indent=indent).encode(encoding)
    assert longjson.loads(body) == data


@given(st.text(alphabet='[]{},:1"a \n', max_size=12))
def test_what_json_refuses_is_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            longjson.loads(text.encode())
    else:
        assert longjson.loads(text.encode()) == expected


@pytest.mark.parametrize("options", [{}, {"ensure_ascii": False, "separators": (",", ":")}])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 1234])
def test_long_arrays_are_written_as_short_ones(options: dict[str, Any], count: int) -> None:
    items = [{"path": f"é/{n}", "more": [n, None, {}]} for n in range(count)]
    for data in (items, {"id": "x", "siblings": items, "tags": ["a"], "none": None}, [items]):
        assert longjson.dumps(data, **options) == json.dumps(data, **options)
