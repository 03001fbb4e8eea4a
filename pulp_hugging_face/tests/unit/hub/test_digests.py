"""Digests against hashlib and git itself."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.digests import BlobId, Digester


def git_key(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def digest(blob: BlobId, chunks: list[bytes]) -> Digester:
    digester = Digester(blob)
    for chunk in chunks:
        digester.update(chunk)
    return digester


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_both_digests_are_right_however_the_content_is_cut(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    sha256 = hashlib.sha256(content).hexdigest()
    for key in (git_key(content), sha256):
        digester = digest(BlobId(key, len(content)), chunks)
        assert digester.matches()
        assert digester.sha256 == sha256
        assert digester.actual_key == key


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("content", [b"", b"hello\n", b"\r\n\0\xff" * 1000])
def test_a_regular_file_has_the_oid_that_git_gives_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(path)]
    oid = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert digest(BlobId(oid, len(content)), [content]).matches()


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_changed_byte_does_not_match(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    for key in (git_key(content), hashlib.sha256(content).hexdigest()):
        assert not digest(BlobId(key, len(content)), [bytes(changed)]).matches()


def test_the_right_digest_of_another_size_does_not_match() -> None:
    key = hashlib.sha256(b"abc").hexdigest()
    assert not digest(BlobId(key, 4), [b"abc"]).matches()
    assert not digest(BlobId(key, 2), [b"abc"]).matches()


def test_views_of_memory_are_taken_too() -> None:
    key = hashlib.sha256(b"bcd").hexdigest()
    assert digest(BlobId(key, 3), [memoryview(b"abcde")[1:4]]).matches()  # type: ignore[list-item]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        "a" * 39,
        "a" * 41,
        "a" * 63,
        "a" * 65,
        "A" * 40,
        "g" * 64,
        "a" * 40 + "\n",
        "../" + "a" * 37,
        "a" * 39 + "/",
    ],
)
def test_a_key_that_is_no_digest_is_refused(key: str) -> None:
    """Keys are file names."""
    with pytest.raises(ValueError, match="not a digest"):
        BlobId(key, 1)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        BlobId("a" * 40, -1)


def test_the_kind_of_digest_shows_in_the_key() -> None:
    assert BlobId("a" * 64, 1).is_sha256 and not BlobId("a" * 40, 1).is_sha256
