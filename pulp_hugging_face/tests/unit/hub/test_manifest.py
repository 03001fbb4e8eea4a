"""Directories, their stored pages, and listings that are not what they should be."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub import manifest as module
from pulp_hugging_face.hub.manifest import (
    PAGE_ENTRIES,
    Entry,
    InvalidManifest,
    Lfs,
    TreePage,
    entry_from_json,
    manifest_from_listing,
    pack,
    paginate,
    root_key,
    unpack,
)
from pulp_hugging_face.hub.payloads import tree_item

from .strategies import digests, directories, file_entries, names, paths, shas

OID = "a" * 40
SHA256 = "b" * 64


def file(path: str, oid: str = OID, size: int = 1) -> Entry:
    return Entry(path, oid, size)


def folder(path: str, oid: str = "c" * 40) -> Entry:
    return Entry(path, oid, is_dir=True)


@given(directories)
def test_a_packed_page_unpacks_to_itself(entries: list[Entry]) -> None:
    page = TreePage.of(entries)
    again = unpack(pack(page))
    assert again == page
    assert set(again.entries) == set(entries)


@given(directories)
def test_packing_does_not_depend_on_the_order(entries: list[Entry]) -> None:
    assert pack(TreePage.of(entries)) == pack(TreePage.of(reversed(entries)))
    assert root_key(entries) == root_key(list(reversed(entries)))


@given(directories, names)
def test_every_name_of_a_page_is_found_and_no_other(entries: list[Entry], other: str) -> None:
    page = TreePage.of(entries)
    for entry in entries:
        assert page.find(entry.path) == entry
    if other not in {entry.path for entry in entries}:
        assert page.find(other) is None


def test_pages_are_in_byte_order_not_in_that_of_python_strings() -> None:
    """UTF-16 would sort an emoji before U+FF21; PostgreSQL's collation C and git do not."""
    entries = [file(name) for name in ["😀", "\uff21", "é", "a", "B", "a.b", "a/".strip("/") + "-"]]
    (page,) = paginate(entries)
    assert list(page.names) == sorted(entry.path.encode() for entry in entries)


def test_a_long_directory_is_cut_into_pages_that_join_without_gap() -> None:
    wanted = [f"file-{n:05}.txt" for n in range(2 * PAGE_ENTRIES + 1)]
    pages = paginate(file(name) for name in reversed(wanted))
    assert [len(page.entries) for page in pages] == [PAGE_ENTRIES, PAGE_ENTRIES, 1]
    assert [entry.path for page in pages for entry in page.entries] == wanted
    for page in pages:
        assert unpack(pack(page)) == page
        for entry in (page.entries[0], page.entries[-1]):
            assert page.find(entry.path) == entry
    assert pages[0].find(pages[1].entries[0].path) is None


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (PAGE_ENTRIES, 1)])
def test_up_to_a_page_is_one_page(count: int, pages: int) -> None:
    assert len(paginate(file(str(n)) for n in range(count))) == pages


@given(directories, st.data())
def test_the_root_key_changes_with_every_change(entries: list[Entry], data: st.DataObject) -> None:
    taken = {entry.path for entry in entries}
    added = data.draw(file_entries().filter(lambda entry: entry.path not in taken))
    assert root_key([*entries, added]) != root_key(entries)
    assert len(root_key(entries)) == 64


def test_the_root_key_is_the_same_in_every_process() -> None:
    entries = [folder("a"), Entry("w.bin", OID, 5, Lfs(SHA256, 5, 126)), file("é")]
    assert root_key(entries) == "813858aa730a6b1450fd67587d567ed3cfe66c364c3b60ecd902978e1c0d66e1"


@given(file_entries(paths))
def test_an_entry_survives_its_own_json(entry: Entry) -> None:
    item = json.loads(json.dumps(tree_item(entry)))
    assert entry_from_json(item) == entry


def test_a_directory_survives_its_own_json() -> None:
    assert entry_from_json(tree_item(folder("a/b"))) == folder("a/b")


def lfs_item(**changes: Any) -> dict[str, Any]:
    lfs = {"oid": SHA256, "size": 5, "pointerSize": 126, **changes}
    lfs = {key: value for key, value in lfs.items() if value is not None}
    return {"type": "file", "path": "w.bin", "oid": OID, "size": 5, "lfs": lfs, "xetHash": "f" * 64}


@pytest.mark.parametrize(
    "item",
    [
        lfs_item(),
        lfs_item(oid=f"sha256:{SHA256}"),
        lfs_item(oid=None, sha256=SHA256),
        lfs_item(pointerSize=None),
    ],
)
def test_all_forms_of_lfs_are_read(item: dict[str, Any]) -> None:
    entry = entry_from_json(item)
    assert entry.lfs is not None
    assert (entry.blob.key, entry.blob.size) == (SHA256, 5)
    assert entry.lfs.pointer_size == 126


def test_the_size_of_the_pointer_is_computed_as_git_lfs_writes_it() -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize 12345\n"
    entry = entry_from_json(lfs_item(size=12345, pointerSize=None))
    assert entry.lfs is not None and entry.lfs.pointer_size == len(pointer)


def regular(**changes: Any) -> dict[str, Any]:
    item = {"type": "file", "path": "a", "oid": OID, "size": 1, **changes}
    return {key: value for key, value in item.items() if value is not ...}


@pytest.mark.parametrize("key", ["type", "path", "oid", "size"])
def test_an_entry_without_what_it_needs_is_invalid(key: str) -> None:
    with pytest.raises(InvalidManifest):
        entry_from_json(regular(**{key: ...}))


@pytest.mark.parametrize(
    "item",
    [regular(path=path) for path in ("", "/", "..", "a/../b", "/etc/passwd", "a//b", "a\0b", "./a")]
    + [regular(path=path) for path in ("\ud800", "a/\udcff.txt", None, ["a"], 5, {})]
    + [regular(type="directory", path=path) for path in ("", "..", "a/", "\ud800", None)]
    + [regular(type="directory", oid=oid) for oid in ("", "x" * 40, "a" * 1000, None, OID.upper())]
    + [regular(oid=oid) for oid in ("", "a" * 39, "z" * 40, "../" + "a" * 37, None, 5)]
    + [regular(size=size) for size in (-1, None, "many", [], float("nan"), float("inf"), 2**63)]
    + [lfs_item(oid="a" * 40), lfs_item(oid="../../x"), lfs_item(size=-5), lfs_item(size=None)]
    + [lfs_item(oid=None), lfs_item(size=float("inf")), lfs_item(pointerSize=float("inf"))]
    + [lfs_item(oid=SHA256.upper()), lfs_item(size=2**63), {**lfs_item(), "lfs": "yes"}]
    + [{**lfs_item(), "lfs": [1]}, {**lfs_item(), "oid": "nonsense"}, {}],
    ids=lambda item: json.dumps(item)[:60],
)
def test_hostile_entries_are_invalid(item: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest):
        entry_from_json(item)


def test_a_listing_becomes_directories_by_their_oid() -> None:
    listing = [
        file("README.md", size=10),
        folder("a", "1" * 40),
        folder("a/b", "2" * 40),
        file("a/b/x", size=3),
        file("a/y", size=4),
    ]
    result = manifest_from_listing(listing)
    assert result.directories == {
        result.root: [file("README.md", size=10), folder("a", "1" * 40)],
        "1" * 40: [folder("b", "2" * 40), file("y", size=4)],
        "2" * 40: [file("x", size=3)],
    }
    assert (result.file_count, result.total_size) == (3, 17)
    assert result.root == root_key(result.directories[result.root])


def test_an_empty_listing_is_an_empty_root() -> None:
    result = manifest_from_listing([])
    assert result.directories == {result.root: []} and result.file_count == 0


def test_equal_directories_are_kept_once() -> None:
    listing = [folder("a"), folder("b"), file("a/x"), file("b/x")]
    assert manifest_from_listing(listing).directories["c" * 40] == [file("x")]


@pytest.mark.parametrize(
    "listing",
    [
        [file("a/x")],
        [folder("a"), file("a/b/x")],
        [file("a"), file("a/x")],
        [file("a"), file("a")],
        [folder("a"), folder("a")],
        [folder("a"), file("a")],
    ],
)
def test_a_listing_that_is_no_tree_is_invalid(listing: list[Entry]) -> None:
    with pytest.raises(InvalidManifest):
        manifest_from_listing(listing)


def test_one_oid_cannot_be_two_directories() -> None:
    """Directories are shared by their oid: the second content would replace the first."""
    listing = [folder("a"), folder("b"), file("a/x"), file("b/y")]
    with pytest.raises(InvalidManifest):
        manifest_from_listing(listing)


def test_a_directory_cannot_contain_itself() -> None:
    """Walking it would never end."""
    listing = [folder("a"), folder("a/a"), file("a/x")]
    with pytest.raises(InvalidManifest):
        manifest_from_listing(listing)


@st.composite
def listings(draw: st.DrawFn) -> list[Entry]:
    """A consistent recursive listing, in any order."""
    files = draw(st.lists(file_entries(paths), max_size=12, unique_by=lambda entry: entry.path))
    parents = {
        "/".join(parts[:depth])
        for entry in files
        for parts in [entry.path.split("/")]
        for depth in range(1, len(parts))
    }
    files = [entry for entry in files if entry.path not in parents]
    oids = draw(st.lists(shas, min_size=len(parents), max_size=len(parents), unique=True))
    folders = [folder(path, oid) for path, oid in zip(sorted(parents), oids, strict=True)]
    return draw(st.permutations([*files, *folders]))


@given(listings())
def test_every_path_of_a_listing_is_found_through_the_stored_pages(listing: list[Entry]) -> None:
    result = manifest_from_listing(listing)
    stored = {
        key: [pack(page) for page in paginate(entries)]
        for key, entries in result.directories.items()
    }
    for entry in listing:
        key, walked = result.root, ""
        for name in entry.path.split("/"):
            (page,) = stored[key]
            found = unpack(page).find(name)
            assert found is not None
            key, walked = found.oid, f"{walked}/{name}" if walked else name
        assert found.under(walked.rpartition("/")[0]) == entry


def test_a_page_is_stored_small() -> None:
    """A hundred bytes an entry would be a hundred megabytes for a million files."""
    page = TreePage.of(file(f"part-{n:05}.parquet", f"{n:040x}", n) for n in range(PAGE_ENTRIES))
    assert len(pack(page)) < 40 * PAGE_ENTRIES
    assert json.loads(zlib.decompress(pack(page)))[0] == ["part-00000.parquet", "0" * 40, 0]


@given(digests, st.integers(0, 2**60))
def test_pointer_size_is_the_length_of_the_pointer(sha256: str, size: int) -> None:
    text = module._POINTER_TEXT.format(sha256, size)
    entry = entry_from_json(lfs_item(oid=sha256, size=size, pointerSize=None))
    assert entry.lfs is not None and entry.lfs.pointer_size == len(text.encode())


def test_roots_that_differ_in_an_lfs_digest_only_have_different_keys() -> None:
    """Else who lists another digest for a known oid would change what others are served."""
    entries = [
        Entry("w", OID, 5, lfs) for lfs in (None, Lfs(SHA256, 5, 126), Lfs("d" * 64, 5, 126))
    ]
    assert len({root_key([entry]) for entry in entries}) == 3
