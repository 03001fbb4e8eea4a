"""Golden header dictionaries (§1.3), and nothing that a name could smuggle in."""

import re
from email.message import Message
from urllib.parse import unquote

import pytest
from aiohttp.multipart import parse_content_disposition
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.errors import (
    EntryNotFound,
    HubError,
    RangeNotSatisfiable,
    RepoNotFound,
    UpstreamBusy,
)
from pulp_hugging_face.hub.headers import (
    CORS,
    LARGEST_BY_HTTP,
    content_disposition,
    error_headers,
    etag_of,
    file_headers,
)
from pulp_hugging_face.hub.manifest import Entry, Lfs

from .strategies import names

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OID = "ce013625030ba8dba906f756967f9e9ca394464a"
SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

COMMON = {
    "Accept-Ranges": "bytes",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,X-HF-Warning,"
        "ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag"
    ),
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "X-Repo-Commit": COMMIT,
}


def test_headers_of_a_regular_file() -> None:
    assert file_headers(Entry("a/config.json", OID, 6), COMMIT) == {
        **COMMON,
        "Content-Disposition": "inline; filename*=UTF-8''config.json; filename=\"config.json\";",
        "Content-Type": "text/plain; charset=utf-8",
        "ETag": f'"{OID}"',
    }


def test_headers_of_an_lfs_file() -> None:
    entry = Entry("model.safetensors", OID, 6, Lfs(SHA256, 6, 126))
    assert file_headers(entry, COMMIT) == {
        **COMMON,
        "Content-Disposition": (
            "inline; filename*=UTF-8''model.safetensors; filename=\"model.safetensors\";"
        ),
        "Content-Type": "application/octet-stream",
        "ETag": f'"{SHA256}"',
        "X-Linked-ETag": f'"{SHA256}"',
        "X-Linked-Size": "6",
    }


def test_files_that_clients_refuse_by_http_are_announced() -> None:
    """Clients from 2.0 on print the warning with the headers, before they refuse (§1.3, §1.5)."""
    size = LARGEST_BY_HTTP + 1
    headers = file_headers(Entry("w", OID, size, Lfs(SHA256, size, 126)), COMMIT)
    topic, _, text = headers["X-HF-Warning"].partition("; ")
    assert topic == "large-file" and "50 GB" in text
    size = LARGEST_BY_HTTP
    assert "X-HF-Warning" not in file_headers(Entry("w", OID, size, Lfs(SHA256, size, 126)), COMMIT)


def test_no_xet_hint_and_no_location_is_ever_sent() -> None:
    headers = file_headers(Entry("w", OID, 6, Lfs(SHA256, 6, 126)), COMMIT)
    assert not [name for name in headers if "xet" in name.lower()]
    assert not {"Link", "Location"} & set(headers)


def test_the_etag_is_strong_and_that_of_the_content() -> None:
    assert etag_of(Entry("x", OID, 6)) == f'"{OID}"'
    assert etag_of(Entry("x", OID, 6, Lfs(SHA256, 6, 126))) == f'"{SHA256}"'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b.txt", "inline; filename*=UTF-8''a%20b.txt; filename=\"a b.txt\";"),
        ("é.txt", "inline; filename*=UTF-8''%C3%A9.txt; filename=\"_.txt\";"),
        ('q".txt', "inline; filename*=UTF-8''q%22.txt; filename=\"q_.txt\";"),
        ("b\\.txt", "inline; filename*=UTF-8''b%5C.txt; filename=\"b_.txt\";"),
        ("a\r\nX: y", "inline; filename*=UTF-8''a%0D%0AX%3A%20y; filename=\"a__X: y\";"),
        ("日本", "inline; filename*=UTF-8''%E6%97%A5%E6%9C%AC; filename=\"__\";"),
        ("100%.txt", "inline; filename*=UTF-8''100%25.txt; filename=\"100%.txt\";"),
    ],
)
def test_odd_names_in_content_disposition(name: str, value: str) -> None:
    assert content_disposition(name) == value


@given(names)
def test_the_disposition_names_the_file_for_clients_and_parsers(name: str) -> None:
    value = content_disposition(name)
    assert value.isascii() and value.isprintable()
    # huggingface_hub's progress bar label (§1.3).
    label = re.search(r'filename="(?P<filename>.*?)";', value)
    assert label is not None and len(label["filename"]) == len(name)
    encoded = re.search(r"filename\*=UTF-8''([^;]*);", value)
    assert encoded is not None and unquote(encoded[1]) == name
    message = Message()
    message["Content-Disposition"] = value
    assert message.get_content_disposition() == "inline"


def test_the_disposition_is_read_by_a_parser_of_headers() -> None:
    kind, parameters = parse_content_disposition("inline; filename*=UTF-8''%C3%A9.txt")
    assert (kind, parameters["filename*"]) == ("inline", "é.txt")


def test_headers_of_a_missing_file_name_the_commit() -> None:
    error = EntryNotFound('"x" does not exist', commit=COMMIT)
    assert error_headers(error) == {
        **CORS,
        "X-Error-Code": "EntryNotFound",
        "X-Error-Message": '"x" does not exist',
        "X-Repo-Commit": COMMIT,
    }


def test_who_is_not_known_is_told_how_to_say_it() -> None:
    """RFC 9110, 15.5.2; and a 403 is final."""
    for status, scheme in ((401, "Bearer"), (403, ""), (404, "")):
        headers = error_headers(RepoNotFound("Who are you?", status=status))
        assert headers.get("WWW-Authenticate", "").partition(" ")[0] == scheme


def test_headers_of_a_busy_upstream_say_when_to_come_back() -> None:
    headers = error_headers(UpstreamBusy("Slow down.", retry_after=0))
    assert headers["Retry-After"] == "0"
    assert "Retry-After" not in error_headers(UpstreamBusy("Slow down."))


def test_headers_of_an_impossible_range_give_the_size() -> None:
    assert error_headers(RangeNotSatisfiable(7))["Content-Range"] == "bytes */7"


def test_an_error_without_a_code_has_no_code_header() -> None:
    assert "X-Error-Code" not in error_headers(HubError("Internal error."))


@given(st.text(max_size=200))
def test_no_message_can_add_a_header(text: str) -> None:
    value = error_headers(RepoNotFound(text))["X-Error-Message"]
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
    value.encode("latin-1")
