"""Rate limits: three buckets, counted by token or address (hub-protocol.md §2.1)."""

import re

import pytest
import requests

from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN

from .asking import get

LIMIT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


def left(answer):
    bucket, remaining, seconds = LIMIT.fullmatch(answer.headers["RateLimit"]).groups()
    assert int(seconds) <= 300
    return bucket, int(remaining)


def test_no_quota_no_headers(hub):
    assert "RateLimit" not in get(f"{hub.url}/api/models/org/repo").headers


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        ("api/models/org/repo", "api"),
        ("api/models/org/nope", "api"),
        ("api/models?expand=nope", "api"),
        ("api/whoami-v2", "api"),
        ("api/datasets/org/tables/parquet/default/train/0.parquet", "api"),
        ("api/buckets/org/store", "api"),
        ("org/repo/resolve/main/config.json", "resolvers"),
        ("org/repo/resolve/main/model.safetensors", "resolvers"),
        ("org/repo/resolve/main/nope", "resolvers"),
        ("datasets/org/ds/raw/main/README.md", "resolvers"),
        ("kernels/kernels-org/activation/resolve/main/README.md", "resolvers"),
        ("buckets/org/store/resolve/notes.txt", "resolvers"),
        ("papers/2401.00001.md", "pages"),
        ("org/repo", "pages"),
    ],
)
def test_headers_are_on_every_answer_of_a_bucket(hub, path, bucket):
    hub.rate_limits(api=(100, 300), resolvers=(100, 300), pages=(100, 300))
    answer = get(f"{hub.url}/{path}", follow=False)
    assert left(answer) == (bucket, 99)
    assert answer.headers["RateLimit-Policy"] == f'"fixed window";"{bucket}";q=100;w=300'


def test_a_304_counts_too(hub):
    hub.rate_limits(api=(10, 300))
    url = f"{hub.url}/api/models/org/repo"
    etag = get(url).headers["ETag"]
    again = get(url, If_None_Match=etag)
    assert again.status_code == 304 and left(again) == ("api", 8)


def test_429_says_when_to_come_back(hub):
    hub.rate_limits(api=(1, 300))
    url = f"{hub.url}/api/models/org/repo"
    assert get(url).status_code == 200
    answer = get(url)
    assert answer.status_code == 429 and left(answer) == ("api", 0)
    assert 299 <= int(answer.headers["Retry-After"]) <= 301
    assert answer.headers["RateLimit-Policy"] == '"fixed window";"api";q=1;w=300'
    assert answer.json()["error"] == answer.headers["X-Error-Message"]
    assert "X-Request-Id" in answer.headers
    assert hub.counters().statuses == {"200": 1, "429": 1}


def test_the_storage_origin_and_the_edge_count_nothing(hub):
    hub.rate_limits(api=(0, 300), resolvers=(100, 300), pages=(0, 300))
    large = get(f"{hub.url}/org/repo/resolve/main/model.safetensors")
    small = get(f"{hub.url}/org/repo/resolve/main/config.json")
    assert large.status_code == small.status_code == 200
    assert "RateLimit" not in large.headers and "RateLimit" not in small.headers
    assert hub.counters().of("cdn_get", "resolve_cache") == 2


def test_every_token_has_a_quota_of_its_own_and_a_wrong_one_none(hub):
    hub.rate_limits(api=(5, 300, 2))
    url = f"{hub.url}/api/models/org/repo"
    assert left(get(url, token=OWNER_TOKEN)) == ("api", 4)
    assert left(get(url, token=NOBODY_TOKEN)) == ("api", 4)
    assert left(get(url)) == ("api", 1)
    assert left(get(url, token=INVALID_TOKEN)) == ("api", 0)
    assert get(url).status_code == get(url, token=INVALID_TOKEN).status_code == 429
    assert get(url).headers["RateLimit-Policy"] == '"fixed window";"api";q=2;w=300'
    assert left(get(url, token=OWNER_TOKEN)) == ("api", 3)


def test_addresses_are_counted_apart(hub):
    hub.rate_limits(api=(1, 300))
    url = f"{hub.url}/api/models/org/repo"
    with requests.Session() as other:
        other.mount("http://", From("127.0.0.3"))
        assert [get(url).status_code, get(url).status_code] == [200, 429]
        assert [other.get(url).status_code, other.get(url).status_code] == [200, 429]


class From(requests.adapters.HTTPAdapter):
    """Connections from an address of our choice."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **keywords):
        keywords["source_address"] = (self.address, 0)
        super().init_poolmanager(*arguments, **keywords)
