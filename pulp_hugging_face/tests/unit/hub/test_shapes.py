"""JSON of strangers is no answer of the Hub."""

from typing import Any

import pytest

from pulp_hugging_face.hub.shapes import can_answer

SHA, OTHER = "a" * 40, "b" * 40
COMMIT = {"id": SHA, "title": "x", "message": "", "authors": [], "date": "2024-01-01T00:00:00.000Z"}
ENTRY = {"type": "file", "path": "a.txt", "oid": SHA, "size": 1}
REFS = {"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": SHA}],
        "converts": [], "tags": []}  # fmt: skip

ANSWERS: list[tuple[str, Any]] = [
    ("api/models?author=org", []),
    ("api/datasets", [{"id": "org/ds"}, {"id": "org/other", "private": False}]),
    ("api/models/org/x", {"id": "org/x"}),
    (f"api/models/org/x/revision/{SHA}?expand=likes", {"_id": "1", "id": "org/x", "likes": 3}),
    (f"api/models/org/x/revision/{SHA}", {"id": "org/x", "sha": SHA}),
    ("api/models/org/x/commits/main", [COMMIT]),
    (f"api/models/org/x/commits/{SHA}?limit=1", [COMMIT]),
    (f"api/models/org/x/commits/{OTHER}?p=1", [COMMIT]),
    (f"api/models/org/x/commits/{OTHER}?p=9", []),
    ("api/spaces/org/x/refs?include_prs=1", REFS),
    (f"api/models/org/x/tree/{SHA}?expand=true", [{**ENTRY, "lastCommit": COMMIT}]),
    (f"api/models/org/x/tree/{SHA}/empty", []),
    (f"api/models/org/x/paths-info/{SHA}", [ENTRY]),
    ("api/whoami-v2", {"name": "owner"}),
    ("api/anything/else", "whatever"),
    ("api/models/org/x/discussions", {}),
]


@pytest.mark.parametrize(("target", "data"), ANSWERS)
def test_answers_of_the_hub_can_be(target: str, data: Any) -> None:
    assert can_answer(target, data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"error": "Please log in"},
        [None],
        ["a"],
        [{}],
        "ok",
        None,
        [{"path": "a"}],
        [{"path": "a", "type": "file", "oid": 5}],
    ],
)
@pytest.mark.parametrize("target", [target for target, _ in ANSWERS[:14]])
def test_other_json_is_no_answer(target: str, data: Any) -> None:
    assert not can_answer(target, data)


@pytest.mark.parametrize(("target", "data"), [
    (f"api/models/org/x/revision/{SHA}", {"id": "org/x", "sha": OTHER}),
    (f"api/models/org/x/commits/{OTHER}", [COMMIT]),
    ("api/models/org/x/commits/main", []),
    ("api/models/org/x/refs", {**REFS, "tags": None}),
    ("api/models/org/x/refs", {"branches": REFS["branches"]}),
    (f"api/models/org/x/tree/{SHA}", [{**ENTRY, "oid": "short"}]),
    (f"api/models/org/x/tree/{SHA}", [{**ENTRY, "path": "../up"}]),
])  # fmt: skip
def test_what_contradicts_the_question_is_no_answer(target: str, data: Any) -> None:
    assert not can_answer(target, data)
