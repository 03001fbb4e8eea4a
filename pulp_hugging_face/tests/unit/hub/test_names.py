"""Names as clients and upstreams write them."""

import huggingface_hub
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.names import (
    InvalidName,
    RepoId,
    RepoType,
    check_path,
    decode_path,
    decode_segment,
    file_relative_path,
    is_sha,
    normalize_revision,
    quote_path,
    quote_revision,
)

from .strategies import paths, repo_ids, revisions

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "text",
    [
        "gpt2",
        "org/repo",
        "a",
        "a/b",
        "Foo-BAR_foo.bar123",
        "org/under_score",
        "1/2",
        "x" * 96,
        "microsoft/DialoGPT-medium",
        "meta-llama/Llama-3.1-8B",
    ],
)
def test_ids_of_the_hub_are_accepted(text: str) -> None:
    assert RepoId.parse(RepoType.MODEL, text).id == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "a//b",
        "a--b",
        "a..b",
        ".",
        "..",
        "../x",
        "org/..",
        "-a",
        "a-",
        ".a",
        "a.",
        "org/repo.git",
        "repo.git",
        "a b",
        "a\tb",
        "a\x00b",
        "a\nb",
        "a%2Fb",
        "x" * 97,
        "org/repo\n",
        "gpt2\n",
        "\ngpt2",
        "org/repo\r",
        "org/répo",
        "орг/repo",
        "org/日本",
        "a?b",
        "a#b",
        "a:b",
        "a@b",
        "a\\b",
        "a;b",
    ],
)
def test_ids_no_hub_has_are_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        RepoId.parse(RepoType.MODEL, text)


@given(repo_ids)
def test_generated_ids_are_accepted(text: str) -> None:
    assert RepoId.parse(RepoType.DATASET, text).id == text


@given(st.text(max_size=100))
def test_an_accepted_id_is_plain_ascii_that_needs_no_quoting(text: str) -> None:
    try:
        repo = RepoId.parse(RepoType.MODEL, text)
    except InvalidName:
        return
    assert quote_path(repo.id) == repo.id and ".." not in repo.id


@pytest.mark.parametrize(
    ("kind", "path", "api_path"),
    [
        (RepoType.MODEL, "org/x", "api/models/org/x"),
        (RepoType.DATASET, "datasets/org/x", "api/datasets/org/x"),
        (RepoType.SPACE, "spaces/org/x", "api/spaces/org/x"),
    ],
)
def test_a_repository_in_file_and_api_urls(kind: RepoType, path: str, api_path: str) -> None:
    repo = RepoId(kind, "org/x")
    assert (repo.path, repo.api_path, str(repo)) == (path, api_path, path)
    assert RepoType.from_plural(api_path.split("/")[1]) is kind


@pytest.mark.parametrize("word", ["model", "buckets", "Models", "", "api"])
def test_other_words_are_no_type(word: str) -> None:
    assert RepoType.from_plural(word) is None


@pytest.mark.parametrize(
    ("revision", "sha"),
    [
        (SHA, True),
        (SHA.upper(), False),
        (SHA[:39], False),
        (SHA + "0", False),
        (SHA + "\n", False),
        (SHA[:7], False),
        ("g" * 40, False),
        ("main", False),
        ("", False),
    ],
)
def test_only_a_full_lower_case_commit_id_is_one(revision: str, sha: bool) -> None:
    assert is_sha(revision) is sha


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("HEAD", "main"),
        ("main", "main"),
        ("refs/heads/main", "main"),
        ("refs/heads/feat/x", "feat/x"),
        ("refs/tags/v1.0", "refs/tags/v1.0"),
        ("refs/pr/1", "refs/pr/1"),
        ("refs/convert/parquet", "refs/convert/parquet"),
        ("~parquet", "refs/convert/parquet"),
        (SHA, SHA),
        ("v1.0-rc+1", "v1.0-rc+1"),
        ("branch with space", "branch with space"),
        ("ветка", "ветка"),
    ],
)
def test_a_revision_has_one_name(given_name: str, name: str) -> None:
    assert normalize_revision(given_name) == name
    assert normalize_revision(name) == name


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "..",
        "a..b",
        "../../etc",
        "/a",
        "a/",
        "-a",
        "a\x00b",
        "a\nb",
        "a\x7f",
        "x.lock",
        "refs/heads/",
        "~",
        "r" * 501,
        "main\r\nX: y",
    ],
)
def test_revisions_git_cannot_hold_are_refused(revision: str) -> None:
    with pytest.raises(InvalidName):
        normalize_revision(revision)


@given(revisions)
def test_a_quoted_revision_is_one_segment_and_decodes_to_itself(revision: str) -> None:
    quoted = quote_revision(revision)
    assert "/" not in quoted and quoted.isascii()
    assert decode_segment(quoted) == revision


@given(paths)
def test_a_quoted_path_decodes_to_itself(path: str) -> None:
    quoted = quote_path(path)
    assert quoted.isascii() and not set(quoted) & set(" \r\n?#\"'<>")
    assert decode_path(quoted.split("/")) == path


@given(repo_ids, paths)
def test_quoting_is_that_of_the_python_client(repo_id: str, path: str) -> None:
    theirs = huggingface_hub.hf_hub_url(
        repo_id, path, revision="refs/pr/1", endpoint="http://hub.test"
    )
    ours = f"{repo_id}/resolve/{quote_revision('refs/pr/1')}/{quote_path(path)}"
    assert theirs == f"http://hub.test/{ours}"


def test_an_encoded_slash_separates_in_a_path() -> None:
    """Python clients write `tree/main/data%2Fen` (§1.1)."""
    assert decode_path(["data%2Fen", "x"]) == "data/en/x"
    assert decode_path(["%252F.txt"]) == "%2F.txt"


@pytest.mark.parametrize(
    "raw",
    [
        ".",
        "..",
        "%2e%2e",
        "%2E%2E%2Fetc",
        "a/../b",
        "a%2F..%2Fb",
        "a/./b",
        "%00",
        "a%00b",
        "a%2F",
        "%2Fa",
        "a%2F%2Fb",
        "%FF",
        "%C3",
        "%ED%A0%80",
        "a/%80",
    ],
)
def test_paths_no_tree_can_hold_are_refused(raw: str) -> None:
    with pytest.raises(InvalidName):
        decode_path(raw.split("/"))


def test_text_that_utf8_cannot_write_is_no_path() -> None:
    """JSON can carry lone surrogates; git trees, headers and PostgreSQL cannot."""
    with pytest.raises(InvalidName):
        check_path("a/\ud800")


@pytest.mark.parametrize("path", ["", "...", "..a", "a..", " ", "a b", "%", "\\..\\x", "\x01", "é"])
def test_odd_but_possible_paths_are_accepted(path: str) -> None:
    check_path(path)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40))
def test_decoding_any_raw_path_gives_a_possible_path_or_is_refused(raw: str) -> None:
    try:
        path = decode_path([part for part in raw.split("/") if part])
    except InvalidName:
        return
    assert "\0" not in path and not {"..", "."} & set(path.split("/"))


def test_the_artifact_path_is_that_of_the_resolve_url() -> None:
    repo = RepoId(RepoType.DATASET, "org/ds")
    relative = file_relative_path(repo, SHA, "sub dir/é #1.txt")
    assert relative == f"datasets/org/ds/resolve/{SHA}/sub dir/é #1.txt"
    assert quote_path(relative) == f"datasets/org/ds/resolve/{SHA}/sub%20dir/%C3%A9%20%231.txt"
