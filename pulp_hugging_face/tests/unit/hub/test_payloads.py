"""JSON bodies in the Hub's shape (§2.4)."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from huggingface_hub.hf_api import DatasetInfo, GitRefs, ModelInfo, RepoFile, RepoFolder, SpaceInfo
from huggingface_hub.utils import parse_datetime
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import EntryNotFound
from pulp_hugging_face.hub.manifest import Entry, Lfs
from pulp_hugging_face.hub.payloads import (
    error_body,
    format_date,
    git_ref_of,
    info_object,
    parse_date,
    refs_from_names,
    refs_object,
    select_keys,
    sibling,
    stored_info,
    tree_item,
)

from .strategies import file_entries, paths

SHA = "0123456789abcdef0123456789abcdef01234567"
OID = "a" * 40
SHA256 = "b" * 64
LFS = Entry("a/w.bin", OID, 5, Lfs(SHA256, 5, 126))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 678999, UTC), "2024-01-02T03:04:05.678Z"),
        (datetime(2024, 1, 2, 3, 4, 5, 0, UTC), "2024-01-02T03:04:05.000Z"),
        (datetime(2024, 1, 1, 0, 0, 0, 1000, timezone(timedelta(hours=2))),
         "2023-12-31T22:00:00.001Z"),
    ],
)  # fmt: skip
def test_dates_have_milliseconds_and_z(moment: datetime, text: str) -> None:
    """Rule 12: `+00:00` raises in all client versions, no milliseconds in 0.23."""
    assert format_date(moment) == text


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.timezones()))
def test_every_date_is_read_by_the_client_and_by_us(moment: datetime) -> None:
    try:
        text = format_date(moment)
    except OverflowError:
        return
    truncated = moment.astimezone(UTC).replace(
        microsecond=moment.astimezone(UTC).microsecond // 1000 * 1000
    )
    assert parse_datetime(text) == truncated
    assert parse_date(text) == truncated


@pytest.mark.parametrize("text", [None, "", "yesterday", 5, {}, "2024-13-01T00:00:00.000Z", []])
def test_what_is_no_date_is_none(text: object) -> None:
    assert parse_date(text) is None


def test_what_the_cache_must_not_pass_on_is_not_stored() -> None:
    info = {"siblings": [{"rfilename": "x"}], "xetEnabled": True, "likes": 1, "config": {"a": 1}}
    assert stored_info(info) == {"likes": 1, "config": {"a": 1}}


def test_an_info_object_has_what_old_clients_fail_without() -> None:
    info = info_object({}, "org/repo", SHA)
    assert info["id"] == "org/repo" and info["sha"] == SHA
    assert {"private", "downloads", "likes", "tags"} <= set(info)


def test_what_is_known_wins_over_defaults_but_not_over_id_and_sha() -> None:
    info = info_object({"likes": 7, "id": "old/id", "sha": "b" * 40}, "org/repo", SHA)
    assert (info["likes"], info["id"], info["sha"]) == (7, "org/repo", SHA)


@pytest.mark.parametrize("kind", [ModelInfo, DatasetInfo, SpaceInfo])
def test_the_client_makes_its_own_object_of_it(kind: type) -> None:
    stored = {
        "_id": "1",
        "lastModified": "2024-01-02T03:04:05.000Z",
        "gated": "manual",
        "cardData": {"license": "mit"},
    }
    info = info_object(stored, "org/repo", SHA)
    info["siblings"] = [sibling(LFS, blobs=True), sibling(Entry("x", OID, 3), blobs=True)]
    parsed = kind(**json.loads(json.dumps(info)))
    assert parsed.id == "org/repo" and parsed.sha == SHA
    assert parsed.last_modified == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [(item.rfilename, item.size) for item in parsed.siblings] == [("a/w.bin", 5), ("x", 3)]
    assert parsed.siblings[0].lfs.sha256 == SHA256 and parsed.siblings[0].lfs.pointer_size == 126


def test_siblings_without_blobs_are_names_only() -> None:
    assert sibling(LFS, blobs=False) == {"rfilename": "a/w.bin"}


def test_expand_selects_keys_and_keeps_the_ids() -> None:
    info = {"_id": "1", "id": "org/repo", "sha": SHA, "likes": 1, "downloads": 2}
    assert select_keys(info, ["sha", "nonsense"]) == {"_id": "1", "id": "org/repo", "sha": SHA}


def test_golden_tree_items() -> None:
    assert tree_item(LFS) == {
        "type": "file",
        "oid": OID,
        "size": 5,
        "lfs": {"oid": SHA256, "size": 5, "pointerSize": 126},
        "path": "a/w.bin",
    }
    assert tree_item(Entry("x", OID, 3)) == {"type": "file", "oid": OID, "size": 3, "path": "x"}
    assert tree_item(Entry("a", OID, is_dir=True)) == {
        "type": "directory",
        "oid": OID,
        "size": 0,
        "path": "a",
    }


@given(file_entries(paths))
def test_no_listing_ever_names_xet(entry: Entry) -> None:
    assert "xetHash" not in tree_item(entry)
    assert "xetHash" not in sibling(entry, blobs=True)


@given(file_entries(paths))
def test_the_client_reads_every_tree_item(entry: Entry) -> None:
    parsed = RepoFile(**json.loads(json.dumps(tree_item(entry))))
    assert (parsed.path, parsed.size, parsed.blob_id) == (entry.path, entry.size, entry.oid)
    assert (parsed.lfs.sha256 if parsed.lfs else None) == (entry.lfs and entry.lfs.sha256)
    assert RepoFolder(**tree_item(Entry(entry.path, OID, is_dir=True))).tree_id == OID


def test_the_keys_of_refs_are_always_there() -> None:
    assert refs_object({}, pull_requests=False) == {"branches": [], "converts": [], "tags": []}
    assert refs_object({"tags": None}, pull_requests=True) == {  # type: ignore[dict-item]
        "branches": [],
        "converts": [],
        "tags": [],
        "pullRequests": [],
    }


def test_unknown_kinds_of_refs_are_left_out() -> None:
    assert "secrets" not in refs_object({"secrets": [{}]}, pull_requests=True)


def test_refs_of_a_version_are_grouped_as_the_hub_does() -> None:
    names = ["refs/tags/v1", "refs/pr/1", "refs/heads/main", "refs/heads/feat/x", "refs/x/y"]
    refs = refs_from_names([*((name, SHA) for name in names), ("refs/convert/parquet", SHA)])
    assert {key: [item["name"] for item in items] for key, items in refs.items()} == {
        "branches": ["feat/x", "main"],
        "converts": ["parquet"],
        "tags": ["v1"],
        "pullRequests": ["refs/pr/1"],
    }
    assert refs["branches"][1] == {"name": "main", "ref": "refs/heads/main", "targetCommit": SHA}
    assert GitRefs.__dataclass_fields__.keys() >= {"branches", "converts", "tags"}


REFS = {
    "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": SHA},
                 {"name": "both", "ref": "refs/heads/both", "targetCommit": SHA}],
    "tags": [{"name": "both", "ref": "refs/tags/both", "targetCommit": SHA},
             {"name": "v1", "ref": "refs/tags/v1", "targetCommit": SHA}],
    "converts": [{"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": SHA}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("revision", "ref"),
    [
        ("main", "refs/heads/main"),
        ("v1", "refs/tags/v1"),
        ("both", "refs/heads/both"),
        ("refs/pr/7", "refs/pr/7"),
        ("refs/convert/parquet", "refs/convert/parquet"),
        ("parquet", None),
        ("nope", None),
    ],
)
def test_the_full_ref_of_a_revision(revision: str, ref: str | None) -> None:
    assert git_ref_of(revision, REFS) == ref
    assert git_ref_of("main", {}) is None


def test_the_body_of_an_error_is_its_sentence() -> None:
    assert error_body(EntryNotFound("No such file.")) == {"error": "No such file."}
