"""Buckets and headers of the Hub's rate limits (hub-protocol §2.1)."""

import pytest

from pulp_hugging_face.hub.limits import (
    Limit,
    bucket_of,
    exhausted_header,
    parse_limits,
    retry_after,
)

POLICY = '"fixed window";"api";q=500;w=300'


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        ("/api/models/org/repo/revision/main", "api"),
        ("api/datasets?search=x/resolve/y", "api"),
        ("/org/repo/resolve/main/a/b.txt", "resolvers"),
        ("/gpt2/resolve/main/config.json", "resolvers"),
        ("/datasets/org/repo/resolve/main/x", "resolvers"),
        ("/spaces/org/repo/raw/main/app.py", "resolvers"),
        ("//org//repo/resolve/refs%2Fpr%2F1/x", "resolvers"),
        ("/api/resolve-cache/models/org/repo/0123/x", None),
        ("/org/repo", "pages"),
        ("/", "pages"),
        ("", "pages"),
        ("/resolve/x", "pages"),
    ],
)
def test_a_path_counts_in_a_bucket(path: str, bucket: str | None) -> None:
    assert bucket_of(path) == bucket


def test_limit_and_policy_are_read() -> None:
    headers = {"RateLimit": '"api";r=499;t=123', "RateLimit-Policy": POLICY}
    assert parse_limits(headers) == [Limit("api", 499, 123, 500, 300)]


@pytest.mark.parametrize("policy", ["", "500;w=300", '"fixed window";"pages";q=1;w=1', '"api";q=x'])
def test_a_limit_without_its_policy_is_one_all_the_same(policy: str) -> None:
    headers = {"RateLimit": '"api"; r=0; t=55', "RateLimit-Policy": policy}
    assert parse_limits(headers) == [Limit("api", 0, 55)]


def test_several_limits_are_read() -> None:
    headers = {"RateLimit": '"api";r=1;t=2, "resolvers";r=3;t=4', "RateLimit-Policy": POLICY}
    assert parse_limits(headers) == [Limit("api", 1, 2, 500, 300), Limit("resolvers", 3, 4)]


@pytest.mark.parametrize("text", ["", "api;r=1;t=2", '"api";r=-1;t=2', '"api";t=2', '"";r=1;t=2'])
def test_nonsense_is_no_limit(text: str) -> None:
    assert parse_limits({"RateLimit": text}) == []


def test_a_window_of_years_is_taken_for_an_hour() -> None:
    headers = {"RateLimit": '"api";r=0;t=999999999'}
    assert parse_limits(headers)[0].seconds == 3600


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0", 0), ("-1", None), ("1.5", None), ("٣", None)]
)
def test_retry_after_is_read_in_seconds(text: str, seconds: int | None) -> None:
    assert retry_after({"Retry-After": text}) == seconds
    assert retry_after({}) is None


def test_what_clients_are_told_is_what_we_read() -> None:
    assert parse_limits({"RateLimit": exhausted_header("resolvers", 9)}) == [
        Limit("resolvers", 0, 9)
    ]
