"""Storage buckets (hub-protocol.md §1.1; huggingface_hub 2.4 `_buckets`)."""

from urllib.parse import quote, urlsplit

import pytest
import requests

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN

from .asking import errors, get, head, ids, pages

LARGE = "checkpoints/step 1/model.safetensors"


def test_a_bucket_and_the_buckets_of_a_namespace(hub):
    base = f"{hub.url}/api/buckets"
    files = hub.manifest("org/store", type="bucket")
    data = get(f"{base}/org/store").json()
    assert (data["id"], data["private"], data["totalFiles"]) == ("org/store", False, len(files))
    assert data["size"] == sum(info.size for info in files.values())
    assert data["createdAt"] == "2024-01-01T00:00:00.000Z"
    assert ids(f"{base}/org?search=STO") == ["org/store"]
    assert ids(f"{base}/org?search=nope") == []
    assert hub.counters().kinds == {"api_bucket": 1, "api_bucket_list": 2}


def test_private_buckets_are_for_those_who_may_read_them(hub):
    base = f"{hub.url}/api/buckets"
    assert ids(f"{base}/owner") == [] and errors(get(f"{base}/me"))[0] == 401
    assert ids(f"{base}/me", token=OWNER_TOKEN) == ["owner/vault"]
    assert errors(get(f"{base}/owner/vault", token=NOBODY_TOKEN))[:2] == (404, "RepoNotFound")
    url = f"{hub.url}/buckets/owner/vault/resolve/secret.bin"
    assert errors(get(url))[0] == 401
    assert get(url, token=OWNER_TOKEN).status_code == 200


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("tree", ["checkpoints/", "empty.txt", "logs/", "logs_old/", "notes.txt"]),
        ("tree/logs", ["logs/a b#1.txt", "logs/deep/", "logs_old/"]),
        ("tree/logs%2F", ["logs/a b#1.txt", "logs/deep/"]),
        ("tree/logs/deep?recursive=false", ["logs/deep/c.txt"]),
        ("tree/logs?recursive=true", ["logs/a b#1.txt", "logs/deep/c.txt", "logs_old/b.txt"]),
        ("tree/nope", []),
    ],
)
def test_a_prefix_is_matched_letter_by_letter(hub, where, expected):
    found = get(f"{hub.url}/api/buckets/org/store/{where}").json()
    names = [each["path"] + "/" * (each["type"] == "directory") for each in found]
    assert names == expected
    assert all(len(each["xetHash"]) == 64 for each in found if each["type"] == "file")


def test_listings_come_in_pages(hub):
    hub.settings(page_size=4)
    found = pages(f"{hub.url}/api/buckets/org/store/tree?recursive=true")
    assert [len(page) for page in found] == [4, 2]


def test_paths_info_gives_files_and_omits_the_rest(hub):
    url = f"{hub.url}/api/buckets/org/store/paths-info"
    found = requests.post(url, json={"paths": [LARGE, "logs", "nope"]}).json()
    truth = hub.file("org/store", LARGE, type="bucket")
    assert [(each["path"], each["size"], each["xetHash"]) for each in found] == [
        (LARGE, truth.size, truth.xet_hash)
    ]
    assert errors(requests.post(url, data="no json"))[0] == 400


@pytest.mark.parametrize("safe", ["/", ""])
def test_a_large_file_redirects_to_the_cdn_whatever_the_quoting(hub, safe):
    truth = hub.file("org/store", LARGE, type="bucket")
    url = f"{hub.url}/buckets/org/store/resolve/{quote(LARGE, safe=safe)}"
    answer = head(url)
    assert (answer.status_code, answer.headers["X-Linked-Size"]) == (302, str(truth.size))
    assert answer.headers["X-Xet-Hash"] == truth.xet_hash
    assert f"{hub.url}/api/buckets/org/store/xet-read-token>" in answer.headers["Link"]
    assert "X-Repo-Commit" not in answer.headers and "X-Linked-ETag" not in answer.headers
    assert urlsplit(answer.headers["Location"]).hostname == "127.0.0.2"
    part = get(url, Range="bytes=1000000-1000009")
    assert part.status_code == 206
    assert part.content == hub.bytes_of("org/store", LARGE, type="bucket", start=10**6, length=10)
    assert hub.counters().kinds == {"bucket_head": 1, "bucket_get": 1, "cdn_get": 1}


@pytest.mark.parametrize("path", ["notes.txt", "empty.txt", "logs/a b#1.txt"])
def test_a_small_file_is_answered_directly(hub, path):
    answer = get(f"{hub.url}/buckets/org/store/resolve/{quote(path)}", follow=False)
    assert answer.status_code == 200
    assert answer.content == hub.bytes_of("org/store", path, type="bucket")
    truth = hub.file("org/store", path, type="bucket")
    assert answer.headers["X-Xet-Hash"] == truth.xet_hash
    assert answer.headers["ETag"] == f'"{truth.xet_hash}"'


def test_what_is_not_in_a_bucket_is_404(hub):
    base = f"{hub.url}/buckets/org/store/resolve"
    assert errors(get(f"{base}/nope.txt"))[:2] == (404, "EntryNotFound")
    assert errors(get(f"{base}/logs"))[:2] == (404, "EntryNotFound")
    nowhere = get(f"{hub.url}/buckets/org/nope/resolve/x", token=OWNER_TOKEN)
    assert errors(nowhere)[:2] == (404, "RepoNotFound")


def test_files_of_a_bucket_change_without_revisions(hub):
    hub.load("standard")
    hub.add_commit("org/store", {"notes.txt": "changed\n", "new.txt": "new\n"}, type="bucket")
    url = f"{hub.url}/buckets/org/store/resolve"
    assert get(f"{url}/notes.txt").text == "changed\n" and get(f"{url}/new.txt").text == "new\n"
    hub.load("standard")
    assert errors(get(f"{url}/new.txt"))[0] == 404
