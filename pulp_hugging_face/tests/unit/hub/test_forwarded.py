"""What proxies tell is believed only where it is well formed, and only from whom it may come."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.forwarded import (
    InvalidProxy,
    Told,
    TrustedProxies,
    clean_host,
    clean_path,
    parse_forwarded,
    told,
)

PROXIES = TrustedProxies.parse(["10.0.0.0/8", "2001:db8::/32"])


def tell(*lines: tuple[str, str]) -> Told:
    def values(name: str) -> Sequence[str]:
        return [value for key, value in lines if key.lower() == name.lower()]

    return told(values, PROXIES)


# Whom to believe.


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.0.0.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:10.0.0.1", True),  # an IPv4 peer of a listener on [::]
        ("2001:db8::1%eth0", True),
        ("localhost", False),
        ("", False),
    ],
)
def test_peers_are_compared_as_addresses(address: str, trusted: bool) -> None:
    assert PROXIES.trusts(address) is trusted


def test_nobody_is_trusted_by_default() -> None:
    assert not TrustedProxies.parse([])
    assert not TrustedProxies().trusts("127.0.0.1")


def test_unix_is_a_word_of_its_own() -> None:
    proxies = TrustedProxies.parse(["unix"])
    assert proxies and proxies.unix and proxies.networks == ()


@pytest.mark.parametrize(
    "entry", ["", "*", "localhost", "10.0.0.1/8", "10.0", 127, None, "10.0.0.0/33"]
)
def test_an_entry_that_is_none_is_an_error_that_names_it(entry: object) -> None:
    with pytest.raises(InvalidProxy, match="is not"):
        TrustedProxies.parse(["127.0.0.1", entry])


# X-Forwarded-*.


@pytest.mark.parametrize(
    ("lines", "proto", "host"),
    [
        ([("Proto", "https"), ("Host", "hub.test")], "https", "hub.test"),
        ([("Proto", "HTTPS"), ("Host", "hub.test:8443")], "https", "hub.test:8443"),
        ([("Host", "hub.test"), ("Port", "8443")], None, "hub.test:8443"),
        ([("Host", "hub.test:1"), ("Port", "8443")], None, "hub.test:1"),
        ([("Host", "[2001:db8::1]"), ("Port", "8443")], None, "[2001:db8::1]:8443"),
        # Proxies report the port of their own plain listener although TLS ended before them.
        ([("Proto", "https"), ("Host", "hub.test"), ("Port", "80")], "https", "hub.test"),
        ([("Proto", "https"), ("Host", "hub.test"), ("Port", "443")], "https", "hub.test"),
        ([("Host", "hub.test"), ("Port", "99999")], None, "hub.test"),
        ([("Host", "hub.test"), ("Port", "8443/evil")], None, "hub.test"),
        ([("Port", "8443")], None, None),
        # A client's own value is on the left, in the same line or in one before.
        ([("Host", "evil.test, hub.test")], None, "hub.test"),
        ([("Host", "evil.test"), ("Host", "hub.test")], None, "hub.test"),
        ([("Proto", "gopher, https")], "https", None),
        ([("Proto", "https,")], None, None),
        ([("Proto", "ftp"), ("Host", "hub.test")], None, "hub.test"),
    ],
)
def test_the_last_value_counts(
    lines: list[tuple[str, str]], proto: str | None, host: str | None
) -> None:
    assert tell(*((f"X-Forwarded-{n}", v) for n, v in lines)) == Told(proto, host)


@pytest.mark.parametrize(
    ("prefix", "told_prefix"),
    [
        ("/hub", "/hub"),
        ("/hub/", "/hub"),
        ("/a/b.c/d-e", "/a/b.c/d-e"),
        ("/evil, /hub", "/hub"),
        ("/", ""),
        ("", ""),
        ("hub", ""),
        ("//evil.test", ""),
        ("/a//b", ""),
        ("/a/../b", ""),
        ("/a/./b", ""),
        ("/..", ""),
        ("/%2e%2e", ""),
        ("/a%2Fb", ""),
        ("/a\\b", ""),
        ("/a?b", ""),
        ("/a#b", ""),
        ("/a>;rel=evil", ""),
        ("/a b", ""),
        ("/a\r\nX-Evil: 1", ""),
        ("https://evil.test/a", ""),
        ("/é", ""),
        ("/" + "a" * 600, ""),
    ],
)
def test_a_prefix_is_a_clean_path_or_nothing(prefix: str, told_prefix: str) -> None:
    assert tell(("X-Forwarded-Prefix", prefix)).prefix == told_prefix


@pytest.mark.parametrize(
    ("value", "endpoint"), [("/", ""), ("/hf", "/hf"), ("//x", None), ("", None), ("hf", None)]
)
def test_the_endpoint_may_be_the_root(value: str, endpoint: str | None) -> None:
    assert tell(("X-Forwarded-Endpoint", value)).endpoint == endpoint


# Hosts.


@pytest.mark.parametrize(
    "host",
    ["hub.test", "hub.test:8443", "my_cache:24816", "localhost", "127.0.0.1:1", "[::1]", "[::1]:80",
     "UPPER.test", "xn--bcher-kva.example", "trailing.dot.", "a" * 63 + ".test"],
)  # fmt: skip
def test_hosts_are_taken_as_they_are(host: str) -> None:
    assert clean_host(host) == host


@pytest.mark.parametrize(
    "host",
    ["", " hub.test", "hub.test ", "hub.test/", "hub.test/evil", "user@hub.test", "hub.test:",
     "hub.test:0", "hub.test:65536", "hub.test:8a", "hub.test:-1", "hub..test", ".hub.test",
     "-hub.test", "hub-.test", "hub.test#x", "hub.test?x", "hub.test\\x", "hub.test\r\nX: y",
     "hub.test\n", "<evil>", '"evil"', "evil>;", "hüb.test", "[::1", "::1", "[::g]", "[1.2.3.4]",
     "[::1]x", "[::1%25eth0]", "a b", "a,b", "a;b", "a" * 64 + ".test", "a." * 200,
     "hub.test:８０"],
)  # fmt: skip
def test_what_is_no_host_is_nothing(host: str) -> None:
    assert clean_host(host) is None
    assert tell(("X-Forwarded-Host", host)).host != host or not host


@given(st.text())
def test_whatever_is_taken_can_stand_in_a_link(text: str) -> None:
    for clean in (clean_host(text), clean_path(text)):
        assert clean is None or not set(clean) & set(' <>"\\,;\r\n\t?#')


# Forwarded.


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("for=192.0.2.1", [{"for": "192.0.2.1"}]),
        ("For=a;HOST=hub.test; proto=https", [{"for": "a", "host": "hub.test", "proto": "https"}]),
        ('for="[2001:db8::1]:4711"', [{"for": "[2001:db8::1]:4711"}]),
        (r'host="a\"b"', [{"host": 'a"b'}]),
        ("for=a, for=b;host=c ,for=d", [{"for": "a"}, {"for": "b", "host": "c"}, {"for": "d"}]),
        ("host=hub.test:8443", [{"host": "hub.test:8443"}]),  # not quoted, as some write it
        ("", []),
        ("for", []),
        ("for=", []),
        ("for=a;", []),
        ("for=a,", []),
        ("for=a b", []),
        ("for=a;for=b", []),
        ('host="open', []),
        ('for=a, host="x"y', []),
        ("=x", []),
    ],
)
def test_the_grammar_of_forwarded(text: str, elements: list[dict[str, str]]) -> None:
    assert parse_forwarded(text) == elements


@given(st.text(alphabet='abfor=;, "\\[]:', max_size=60))
def test_any_text_is_parsed_to_an_end(text: str) -> None:
    assert all(element for element in parse_forwarded(text))


@pytest.mark.parametrize(
    ("text", "proto", "host"),
    [
        ("for=192.0.2.1;proto=https;host=hub.test", "https", "hub.test"),
        # What the client itself sent stands left of what the proxy wrote.
        ("for=1.1.1.1;host=evil.test, for=192.0.2.1;host=hub.test", None, "hub.test"),
        ("for=10.9.9.9;host=evil.test, for=192.0.2.1;host=hub.test", None, "hub.test"),
        # Through two trusted proxies: the inner one names the outer as its peer.
        ("for=192.0.2.1;host=hub.test, for=10.0.0.2;host=inner.test", None, "hub.test"),
        ('for=192.0.2.1;host=hub.test, for="[2001:db8::2]:1";host=inner', None, "hub.test"),
        ('for=192.0.2.1;host=hub.test, for="10.0.0.2:4711";host=inner', None, "hub.test"),
        ("for=evil;host=evil.test, for=192.0.2.1;host=a.test, for=10.0.0.2", None, "a.test"),
        # A hidden peer is not known to be a proxy of ours.
        ("for=192.0.2.1;host=hub.test, for=_hidden;host=inner.test", None, "inner.test"),
        ("for=192.0.2.1;host=hub.test, for=unknown;host=inner.test", None, "inner.test"),
        ("host=evil.test, proto=https", "https", None),
        ("for=10.0.0.2;host=hub.test", None, "hub.test"),
        ('for=192.0.2.1;host="hub.test/evil"', None, None),
        ("for=192.0.2.1;host=hub.test;host=evil.test", None, None),
    ],
)
def test_the_element_of_the_outermost_trusted_proxy_counts(
    text: str, proto: str | None, host: str | None
) -> None:
    assert tell(("Forwarded", text)) == Told(proto, host)


def test_lines_of_forwarded_are_one_list() -> None:
    lines = [("Forwarded", "for=1.1.1.1;host=evil.test"), ("Forwarded", "for=2.2.2.2;host=a.test")]
    assert tell(*lines).host == "a.test"


def test_both_kinds_may_say_the_same() -> None:
    lines = [
        ("Forwarded", "for=1.1.1.1;host=hub.test;proto=https"),
        ("X-Forwarded-Host", "hub.test"),
        ("X-Forwarded-Proto", "https"),
    ]
    assert tell(*lines) == Told("https", "hub.test")


@pytest.mark.parametrize("kind", ["Forwarded", "X-Forwarded-Host"])
def test_a_kind_that_the_proxy_does_not_know_is_the_clients_and_not_believed(kind: str) -> None:
    if kind == "Forwarded":
        lines = [("Forwarded", "host=evil.test"), ("X-Forwarded-Proto", "https")]
    else:
        lines = [("Forwarded", "for=1.1.1.1;host=hub.test"), ("X-Forwarded-Host", "evil.test")]
    assert tell(*lines) == Told()
