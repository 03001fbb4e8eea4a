"""
What clients cannot do by themselves, whatever a server answers, with evidence.

`evidence` is a test of `tests/functional` (`file.py::test`), where one shows it, else the place in
the client's source.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientLimit:
    """Who cannot do what, why, and what users do instead."""

    client: str
    what: str
    why: str
    instead: str
    evidence: str


LIMITS = (
    ClientLimit(
        "huggingface_hub 0.31 and later",
        "Files above 50 GB",
        "It raises `ValueError: The file is too large …` before it asks, unless Xet brings the "
        "file, which is not offered here.",
        "`curl` or `aria2c`, or this file with `HF_ENDPOINT` unset.",
        "`http_get` and `MAX_HTTP_DOWNLOAD_SIZE` in huggingface_hub",
    ),
    ClientLimit(
        "huggingface_hub 0.36 and before",
        "Going on after a connection broke",
        "The error reaches the user.",
        "Run it again: it takes up where it broke.",
        "test_matrix_transfers.py::test_0_36_takes_up_when_it_is_run_again",
    ),
    ClientLimit(
        "huggingface_hub 0.28.0",
        "An endpoint with a path",
        "It loses the path. 0.28.1 does not.",
        "Another version.",
        "issue 2808 of huggingface_hub",
    ),
    ClientLimit(
        "every Python client",
        "A change of `HF_ENDPOINT` after the import",
        "The variable is read once.",
        "Set it before Python starts.",
        "`constants.py` in huggingface_hub",
    ),
    ClientLimit(
        "every Python client",
        "`HF_HUB_OFFLINE=1` together with a cache",
        "It forbids every request, also to your own server.",
        "Leave it unset.",
        "`OfflineModeIsEnabled` in huggingface_hub",
    ),
    ClientLimit(
        "HfFileSystem 1.16 and later, datasets 5",
        "Ids without a namespace (`gpt2`, `squad`)",
        "They refuse them before or after they asked.",
        "The full id: `openai-community/gpt2`, `rajpurkar/squad`.",
        "test_matrix_libraries.py::test_legacy_ids_are_beyond_datasets_5_and_the_file_system",
    ),
    ClientLimit(
        "datasets",
        "File addresses with a slash at the end of `HF_ENDPOINT`",
        "It cuts the endpoint off by its length.",
        "No slash at the end.",
        "test_matrix_network.py::test_datasets_with_a_slash_behind_the_endpoint",
    ),
    ClientLimit(
        "`hf datasets parquet`, `list_dataset_parquet_files` (2.x)",
        "Any endpoint but huggingface.co",
        "It raises `ValueError`.",
        "`$HF_ENDPOINT/api/datasets/{repo}/parquet`, or "
        "`list_repo_tree(…, revision=\"refs/convert/parquet\")`.",
        "test_client_pages.py::test_what_the_page_calls_a_limit_is_one",
    ),
    ClientLimit(
        "`InferenceClient`",
        "Inference through `HF_ENDPOINT`",
        "From 0.29 on it calls router.huggingface.co, written into it.",
        "Give it a `base_url`. This is a cache of files.",
        "`inference/_providers` in huggingface_hub",
    ),
    ClientLimit(
        "`hf buckets cp` and `sync`, `download_bucket_files`, `get_bucket_file_metadata` (2.x)",
        "Files of buckets",
        "They fetch them by Xet only, which is not offered here, and fail before they ask "
        "(`TypeError`, `ValueError`).",
        "`HfFileSystem().get(\"buckets/…\", …)`, or `curl $HF_ENDPOINT/buckets/…/resolve/…`.",
        "test_buckets.py::test_downloads_of_the_client_itself_need_xet",
    ),
    ClientLimit(
        "`hf auth login` without a token (2.x)",
        "The login in a browser",
        "It is a page of the Hub's own.",
        "`hf auth login --token …` or `HF_TOKEN`.",
        "`/oauth/device` in the table above",
    ),
    ClientLimit(
        "@huggingface/hub",
        "Files with `#` or `?` in their names",
        "It does not encode paths.",
        "`fetch` with an encoded address.",
        "test_matrix_javascript.py::test_names_with_a_hash_are_beyond_this_client",
    ),
    ClientLimit(
        "@huggingface/hub",
        "Empty files",
        "It asks every file for its first byte. The Hub refuses that (416) as this server does.",
        "Nothing is missing: there are no bytes.",
        "test_matrix_javascript.py::test_empty_files_are_beyond_this_client",
    ),
    ClientLimit(
        "llama.cpp",
        "Repositories with more than 1,000 files",
        "It reads the first page of the listing only.",
        "Download the file with `hf` or `curl` and give its path.",
        "`common/hf-cache.cpp` in llama.cpp",
    ),
)  # fmt: skip
