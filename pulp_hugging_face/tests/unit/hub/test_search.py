"""Lists of what is held: the Hub's parameters (§2.3)."""

import pytest

from pulp_hugging_face.hub.errors import BadRequest
from pulp_hugging_face.hub.search import Query, page, search, shown

BERT = {
    "_id": "1", "id": "org/bert", "downloads": 9, "likes": 2, "tags": ["pytorch", "en"],
    "pipeline_tag": "fill-mask", "lastModified": "2024-02-01T00:00:00.000Z", "private": False,
    "cardData": {"license": "mit"}, "gated": False,
}  # fmt: skip
GPT = {
    "_id": "2", "id": "openai/gpt", "downloads": 5, "likes": 7, "tags": ["pytorch", "fr"],
    "library_name": "transformers", "lastModified": "2024-01-01T00:00:00.000Z", "gated": "auto",
}  # fmt: skip
BARE = {"_id": "3", "id": "solo", "tags": []}
ALL = [GPT, BERT, BARE]


def ids(**parameters: str | list[str]) -> list[str]:
    pairs = [
        (name, value)
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return [str(info["id"]) for info in search(ALL, Query(pairs))]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["openai/gpt", "org/bert", "solo"]),
        ({"search": "BERT"}, ["org/bert"]),
        ({"search": "org er"}, ["org/bert"]),
        ({"search": "nope"}, []),
        ({"author": "Org"}, ["org/bert"]),
        ({"filter": "pytorch"}, ["openai/gpt", "org/bert"]),
        ({"filter": ["pytorch", "en"]}, ["org/bert"]),
        ({"filter": "pytorch,fr"}, ["openai/gpt"]),
        ({"filter": "transformers"}, ["openai/gpt"]),
        ({"pipeline_tag": "fill-mask"}, ["org/bert"]),
        ({"gated": "true"}, ["openai/gpt"]),
        ({"gated": "False"}, ["org/bert", "solo"]),
        ({"sort": "downloads"}, ["org/bert", "openai/gpt", "solo"]),
        ({"sort": "likes", "direction": "-1"}, ["openai/gpt", "org/bert", "solo"]),
        ({"sort": "likes", "direction": "1"}, ["solo", "org/bert", "openai/gpt"]),
        ({"sort": "last_modified"}, ["org/bert", "openai/gpt", "solo"]),
        ({"unknown": "x"}, ["openai/gpt", "org/bert", "solo"]),
    ],
)
def test_what_is_found(parameters: dict[str, str | list[str]], found: list[str]) -> None:
    assert ids(**parameters) == found


def test_a_sort_that_is_none_is_refused() -> None:
    with pytest.raises(BadRequest):
        ids(sort="nonsense")


def test_keys_shown() -> None:
    short = shown(BERT, Query([]))
    assert "lastModified" not in short and "cardData" not in short and short["likes"] == 2
    full = shown(BERT, Query([("full", "True"), ("cardData", "true")]))
    assert full["lastModified"] and full["cardData"] == {"license": "mit"}
    expanded = shown(BERT, Query([("expand[]", "likes"), ("expand", "nope")]))
    assert expanded == {"_id": "1", "id": "org/bert", "likes": 2}


def test_pages_join() -> None:
    found = search(ALL, Query([]))
    first, last = page(found, None, 2)
    rest, end = page(found, last, 2)
    assert [*first, *rest] == found and end is None
    assert page(found, "deleted/meanwhile", 2) == ([], None)
