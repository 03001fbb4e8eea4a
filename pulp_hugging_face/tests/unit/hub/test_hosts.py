"""Which hosts a pattern permits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.hosts import host_matches, is_host_pattern


@pytest.mark.parametrize(
    "text",
    ["example.org", "*.example.org", "localhost", "127.0.0.2", "a-b.c", "*.hf.co", "X.Example.ORG"],
)
def test_hosts_and_domains_are_patterns(text: str) -> None:
    assert is_host_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "*.*",
        "**.a",
        "a.*",
        "a*.b",
        "*a.b",
        "http://a",
        "a/b",
        "a:80",
        "a b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a_b",
        "é.org",
        "a\n",
        "[::1]",
        "?.a",
        "[ab].org",
        "x" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_nothing_else_is_a_pattern(text: str) -> None:
    assert not is_host_pattern(text)


@pytest.mark.parametrize(
    ("host", "pattern", "matches"),
    [
        ("cdn.hf.co", "*.hf.co", True),
        ("a.b.hf.co", "*.hf.co", True),
        ("CDN.HF.CO", "*.hf.co", True),
        ("cdn.hf.co", "*.HF.co", True),
        ("hf.co", "*.hf.co", False),
        ("evilhf.co", "*.hf.co", False),
        ("hf.co.evil.org", "*.hf.co", False),
        ("cdn.hf.co.", "*.hf.co", False),
        ("hf.co", "hf.co", True),
        ("x.hf.co", "hf.co", False),
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.22", "127.0.0.2", False),
    ],
)
def test_a_pattern_permits_its_host_or_what_is_below_its_domain(
    host: str, pattern: str, matches: bool
) -> None:
    assert host_matches(host, pattern) is matches


@given(st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True))
def test_a_permitted_host_ends_in_the_domain(host: str) -> None:
    assert host_matches(host, "*.example.org") == host.endswith(".example.org")
