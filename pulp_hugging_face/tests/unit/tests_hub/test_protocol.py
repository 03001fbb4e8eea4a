"""What the fixture answers, header by header, against hub-protocol.md."""

import hashlib
import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN, repo

from .asking import errors, get, head, pages


def test_regular_file_takes_the_resolve_cache_hop_with_metadata_on_the_200(hub):
    url = f"{hub.url}/org/repo/resolve/main/config.json"
    truth, sha = hub.file("org/repo", "config.json"), hub.sha("org/repo")
    first = head(url)
    assert first.status_code == 307
    assert first.headers["X-Repo-Commit"] == sha
    assert "X-Linked-Size" not in first.headers and "ETag" not in first.headers
    location = first.headers["Location"]
    assert location.startswith(f"/api/resolve-cache/models/org/repo/{sha}/config.json?")
    second = head(hub.url + location)
    assert second.status_code == 200
    assert second.headers["ETag"] == f'"{truth.oid}"'
    assert second.headers["X-Repo-Commit"] == sha
    assert int(second.headers["Content-Length"]) == truth.size
    assert get(url).content == hub.bytes_of("org/repo", "config.json")


@pytest.mark.parametrize(
    ("where", "token"),
    [
        ("solo/resolve/main/config.json", None),
        ("org/repo/resolve/main/empty.txt", None),
        ("org/priv/resolve/main/config.json", OWNER_TOKEN),
        ("org/gated/resolve/main/config.json", OWNER_TOKEN),
    ],
)
def test_special_files_are_served_directly(hub, where, token):
    answer = head(f"{hub.url}/{where}", token=token)
    assert answer.status_code == 200
    assert len(answer.headers["ETag"].strip('"')) == 40
    assert len(answer.headers["X-Repo-Commit"]) == 40


def test_lfs_file_redirects_with_all_metadata_on_the_302(hub):
    truth = hub.file("org/repo", "model.safetensors")
    answer = head(f"{hub.url}/org/repo/resolve/main/model.safetensors")
    assert answer.status_code == 302
    assert answer.headers["X-Linked-ETag"] == f'"{truth.sha256}"'
    assert answer.headers["X-Linked-Size"] == str(truth.size)
    assert int(answer.headers["Content-Length"]) != truth.size
    assert answer.headers["X-Xet-Hash"] == truth.xet_hash
    assert 'rel="xet-auth"' in answer.headers["Link"]
    assert 'rel="xet-reconstruction-info"' in answer.headers["Link"]
    assert urlsplit(answer.headers["Location"]).hostname == "127.0.0.2"


def signed_url(hub, name="model.safetensors", repo_id="org/repo"):
    return head(f"{hub.url}/{repo_id}/resolve/main/{name}").headers["Location"]


def test_cdn_serves_bytes_with_an_etag_of_its_own(hub):
    truth = hub.file("org/repo", "model.safetensors")
    answer = get(signed_url(hub))
    assert hashlib.sha256(answer.content).hexdigest() == truth.sha256
    assert answer.headers["ETag"].strip('"') not in (truth.sha256, truth.oid)
    assert "X-Repo-Commit" not in answer.headers
    assert "model.safetensors" in answer.headers["Content-Disposition"]


def test_cdn_refuses_authorization_with_400_and_a_wrong_signature_with_403(hub):
    url = signed_url(hub)
    assert get(url, token=OWNER_TOKEN).status_code == 400
    assert get(url.replace("Signature=", "Signature=0")).status_code == 403
    assert get(url.partition("?")[0]).status_code == 403
    assert get(url.replace("/xet-bridge-us/", "/xet-bridge-us/x/")).status_code == 403


def test_signed_urls_expire_by_time_and_on_command(hub):
    hub.settings(url_ttl=-5)
    stale = signed_url(hub)
    hub.settings(url_ttl=3600)
    fresh = signed_url(hub)
    assert int(parse_qs(urlsplit(fresh).query)["Expires"][0]) > 0
    assert (get(stale).status_code, get(fresh).status_code) == (403, 200)
    hub.expire_urls()
    assert get(fresh).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "slice_"),
    [
        ("bytes=0-0", 206, "bytes 0-0/N", slice(0, 1)),
        ("bytes=10-999999999", 206, "bytes 10-L/N", slice(10, None)),
        ("bytes=5-", 206, "bytes 5-L/N", slice(5, None)),
        ("bytes=-7", 206, "bytes T-L/N", slice(-7, None)),
        ("bytes=0-1,4-5", 200, None, slice(None)),
        ("lines=1-2", 200, None, slice(None)),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_single_ranges_are_honoured(hub, name, asked, status, content_range, slice_):
    truth = hub.bytes_of("org/repo", name)
    answer = get(f"{hub.url}/org/repo/resolve/main/{name}", Range=asked)
    assert answer.status_code == status
    assert answer.content == truth[slice_]
    if content_range:
        size = len(truth)
        for word, number in (("N", size), ("L", size - 1), ("T", size - 7)):
            content_range = content_range.replace(word, str(number))
        assert answer.headers["Content-Range"] == content_range


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_range_beyond_the_end_is_416_with_the_size(hub, name):
    size = hub.file("org/repo", name).size
    answer = get(f"{hub.url}/org/repo/resolve/main/{name}", Range=f"bytes={size}-")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_if_none_match_gives_304_on_resolve_but_not_on_raw(hub):
    etag = f'"{hub.file("org/repo", "config.json").oid}"'
    assert (
        get(f"{hub.url}/org/repo/resolve/main/config.json", If_None_Match=etag).status_code == 304
    )
    assert get(f"{hub.url}/org/repo/raw/main/config.json", If_None_Match=etag).status_code == 200


def test_raw_gives_the_pointer_of_an_lfs_file(hub):
    truth = hub.file("org/repo", "model.safetensors")
    text = get(f"{hub.url}/org/repo/raw/main/model.safetensors").text
    assert text.startswith("version https://git-lfs.github.com/spec/v1\n")
    assert f"oid sha256:{truth.sha256}\nsize {truth.size}\n" in text


def test_every_file_of_every_odd_name_can_be_fetched(hub):
    for path, info in hub.manifest("org/repo").items():
        content = get(f"{hub.url}/org/repo/resolve/main/{quote(path)}").content
        assert hashlib.sha256(content).hexdigest() == info.sha256, path


@pytest.mark.parametrize(
    "revision", ["refs%2Fpr%2F1", "refs/pr/1", "feat%2Fx", "v1", "dev", "HEAD", "SHA", "SHORT"]
)
def test_revisions_in_all_spellings(hub, revision):
    sha = hub.sha("org/repo")
    revision = revision.replace("SHA", sha).replace("SHORT", sha[:7])
    answer = head(f"{hub.url}/org/repo/resolve/{revision}/README.md")
    assert answer.status_code == 307
    assert len(answer.headers["X-Repo-Commit"]) == 40
    assert head(f"{hub.url}/api/models/org/repo/revision/{revision}").status_code == 200


def test_missing_things_by_the_table(hub):
    base, sha = f"{hub.url}/org/repo", hub.sha("org/repo")
    absent = get(f"{base}/resolve/main/nope.txt")
    assert errors(absent) == (404, "EntryNotFound", "Entry not found")
    assert absent.headers["X-Repo-Commit"] == sha
    assert errors(get(f"{base}/resolve/main/sub%20dir"))[:2] == (404, "EntryNotFound")
    assert errors(get(f"{base}/resolve/nope/config.json")) == (
        404, "RevisionNotFound", "Invalid rev id: nope",
    )  # fmt: skip
    assert errors(get(f"{hub.url}/api/models/org/repo/tree/main/nope"))[:2] == (
        404, "EntryNotFound",
    )  # fmt: skip
    answer = get(f"{hub.url}/api/models/org/repo/revision/abcdef0")
    assert errors(answer)[:2] == (404, "RevisionNotFound")
    assert answer.json() == {"error": "Invalid rev id: abcdef0"}


@pytest.mark.parametrize("path", ["api/models/org/nope", "org/nope/resolve/main/x"])
@pytest.mark.parametrize("name", ["org/nope", "org/priv"])
def test_absent_and_private_repositories_look_the_same(hub, path, name):
    url = f"{hub.url}/{path.replace('org/nope', name)}"
    assert errors(get(url)) == (401, None, "Invalid username or password.")
    assert errors(get(url, token=NOBODY_TOKEN))[:2] == (404, "RepoNotFound")
    assert errors(get(url, token=INVALID_TOKEN)) == (
        401, None, "Invalid credentials in Authorization header",
    )  # fmt: skip
    hub.settings(explicit_repo_not_found=True)
    assert errors(get(url))[:2] == (401, "RepoNotFound")


def test_gated_metadata_is_public_and_content_is_not(hub):
    base, file = f"{hub.url}/api/models/org/gated", f"{hub.url}/org/gated/resolve/main/config.json"
    assert get(base).json()["gated"] == "manual"
    assert get(f"{base}/tree/main").status_code == 200
    assert errors(get(file))[:2] == (401, "GatedRepo")
    assert errors(get(file, token=NOBODY_TOKEN))[:2] == (403, "GatedRepo")
    assert get(file, token=OWNER_TOKEN).status_code == 200
    assert errors(get(f"{base}/auth-check", token=NOBODY_TOKEN))[:2] == (403, "GatedRepo")


def test_disabled_repository(hub):
    answer = get(f"{hub.url}/org/disabled/resolve/main/config.json", token=OWNER_TOKEN)
    assert errors(answer) == (403, None, "Access to this resource is disabled.")


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/gpt2/resolve/main/config.json?download=true",
         "/openai-community/gpt2/resolve/main/config.json?download=true"),
        ("/api/models/gpt2/tree/main?recursive=true",
         "/api/models/openai-community/gpt2/tree/main?recursive=true"),
        ("/api/models/gpt2", "/api/models/openai-community/gpt2"),
        ("/old-org/renamed/resolve/main/sub%20dir/%C3%A9%20%231.txt",
         "/org/repo/resolve/main/sub%20dir/%C3%A9%20%231.txt"),
        ("/api/datasets/ds-legacy/refs", "/api/datasets/org/ds/refs"),
        ("/Org/Repo/resolve/main/config.json", "/org/repo/resolve/main/config.json"),
    ],
)  # fmt: skip
def test_old_names_redirect_path_relative_with_their_query(hub, asked, location):
    answer = head(hub.url + asked)
    assert (answer.status_code, answer.headers["Location"]) == (307, location)


def test_info_has_the_fields_of_the_hub(hub):
    data = get(f"{hub.url}/api/models/org/repo?blobs=true&securityStatus=true").json()
    assert data["id"] == data["modelId"] == "org/repo"
    assert data["sha"] == hub.sha("org/repo")
    assert data["lastModified"] == "2024-01-01T02:00:00.000Z"
    assert data["cardData"]["license"] == "mit" and "license:mit" in data["tags"]
    by_name = {sibling["rfilename"]: sibling for sibling in data["siblings"]}
    truth = hub.file("org/repo", "model.safetensors")
    assert by_name["model.safetensors"] == {
        "rfilename": "model.safetensors",
        "size": truth.size,
        "blobId": truth.oid,
        "lfs": {"sha256": truth.sha256, "size": truth.size, "pointerSize": 132},
    }
    assert data["securityRepoStatus"]["scansDone"] is True


def test_expand_gives_the_named_properties_only(hub):
    for query in ("expand=sha&expand=likes", "expand[]=sha&expand[]=likes"):
        data = get(f"{hub.url}/api/models/org/repo?{query}").json()
        assert set(data) == {"_id", "id", "sha", "likes"}


@pytest.mark.parametrize(
    ("query", "counts"),
    [("recursive=true", [1000, 237]), ("recursive=true&expand=true&limit=1000", [50] * 24 + [37]),
     ("", [13]), ("recursive=True&limit=700", [700, 537])],
)  # fmt: skip
def test_tree_pages_by_absolute_links(hub, query, counts):
    found = pages(f"{hub.url}/api/models/org/many/tree/main?{query}")
    assert [len(page) for page in found] == counts
    paths = [entry["path"] for page in found for entry in page]
    assert len(set(paths)) == len(paths)


def test_tree_below_an_encoded_directory(hub):
    url = f"{hub.url}/api/models/org/repo/tree/main/{quote('one/two', safe='')}?recursive=true"
    assert [entry["path"] for entry in get(url).json()] == [
        "one/two/three", "one/two/three/four", "one/two/three/four/five.txt",
    ]  # fmt: skip


def test_xet_is_advertised_until_it_is_switched_off(hub):
    url = f"{hub.url}/api/models/org/repo/tree/main"
    with_xet = [entry for entry in get(url).json() if "xetHash" in entry]
    assert [entry["path"] for entry in with_xet] == ["model.safetensors"]
    token = get(f"{hub.url}/api/models/org/repo/xet-read-token/main")
    assert token.headers["X-Xet-Access-Token"] == token.json()["accessToken"]
    assert hub.counters().of("xet_token") == 1
    hub.settings(xet=False)
    assert not [entry for entry in get(url).json() if "xetHash" in entry]
    answer = head(f"{hub.url}/org/repo/resolve/main/model.safetensors")
    assert "X-Xet-Hash" not in answer.headers and "Link" not in answer.headers


def test_xet_file_info_replaces_the_bytes_for_those_who_accept_it(hub):
    accept = "application/vnd.xet-fileinfo+json, */*"
    answer = get(f"{hub.url}/org/repo/resolve/main/model.safetensors", Accept=accept)
    assert answer.headers["Content-Type"] == "application/vnd.xet-fileinfo+json"
    assert answer.json()["size"] == hub.file("org/repo", "model.safetensors").size


def test_paths_info_takes_form_and_json_and_omits_the_unknown(hub):
    url = f"{hub.url}/api/models/org/repo/paths-info/main"
    names = ["config.json", "sub dir", "nope"]
    form = requests.post(url, data={"paths": names, "expand": "true"}).json()
    assert [(e["type"], e["path"]) for e in form] == [
        ("file", "config.json"), ("directory", "sub dir"),
    ]  # fmt: skip
    assert all("lastCommit" in entry for entry in form)
    plain = requests.post(url, json={"paths": names, "expand": False}).json()
    assert [entry["path"] for entry in plain] == names[:2]
    assert "lastCommit" not in plain[0]


def test_refs_commits_lists_and_the_rest(hub):
    refs = get(f"{hub.url}/api/datasets/org/ds/refs").json()
    assert set(refs) == {"tags", "branches", "converts"}
    assert refs["converts"][0]["ref"] == "refs/convert/parquet"
    history = pages(f"{hub.url}/api/models/org/history/commits/main?expand[]=formatted")
    assert [len(page) for page in history] == [50, 50, 20]
    assert history[0][0]["title"] == "Step 119" and "formatted" in history[0][0]
    first = get(f"{hub.url}/api/models/org/history/commits/main?limit=1")
    assert first.headers["X-Total-Count"] == "120"
    names = [data["id"] for page in pages(f"{hub.url}/api/models?limit=4") for data in page]
    assert "org/repo" in names and "org/priv" not in names
    owned = get(f"{hub.url}/api/models?search=PRIV", token=OWNER_TOKEN).json()
    assert [data["id"] for data in owned] == ["org/priv"]
    assert get(f"{hub.url}/api/whoami-v2", token=OWNER_TOKEN).json()["name"] == "owner"
    assert get(f"{hub.url}/api/whoami-v2").status_code == 401
    assert get(f"{hub.url}/api/agent-harnesses").json()["harnesses"] == {}
    bad = requests.post(f"{hub.url}/api/validate-yaml", json={"content": "---\na: [\n---\n"})
    assert bad.status_code == 400 and bad.json()["errors"][0]["message"]
    assert errors(get(f"{hub.url}/api/no-such-thing"))[0] == 404


def test_two_repositories_share_a_blob_under_different_urls(hub):
    one = hub.file("org/shared-a", "a.safetensors")
    two = hub.file("org/shared-b", "weights/b.safetensors")
    assert one.sha256 == two.sha256
    first = urlsplit(signed_url(hub, "a.safetensors", "org/shared-a")).path
    second = urlsplit(signed_url(hub, "weights/b.safetensors", "org/shared-b")).path
    assert first != second


def test_declared_repositories_change_as_told(hub):
    hub.declare(repo("org/live", {"a.txt": "one\n"}, type="dataset"))
    first = hub.sha("org/live", type="dataset")
    second = hub.add_commit("org/live", {"b.txt": b"two\n"}, type="dataset")
    url = f"{hub.url}/api/datasets/org/live"
    assert get(url).json()["sha"] == second != first
    hub.set_ref("org/live", "refs/tags/t", first, type="dataset")
    assert get(f"{url}/revision/t").json()["sha"] == first
    rewritten = hub.force_push("org/live", {"c.txt": "three\n"}, type="dataset")
    names = [entry["path"] for entry in get(f"{url}/tree/main").json()]
    assert names == ["a.txt", "c.txt"] and get(url).json()["sha"] == rewritten
    hub.set_ref("org/live", "old", first, type="dataset")
    hub.delete_ref("org/live", "old", type="dataset")
    assert get(f"{url}/revision/old").status_code == 404
    hub.update_repo("org/live", type="dataset", private=True)
    assert get(url).status_code == 401
    hub.update_repo("org/live", type="dataset", private=False)
    hub.rename_repo("org/live", "org/moved", type="dataset")
    assert get(url, follow=False).headers["Location"] == "/api/datasets/org/moved"
    hub.delete_repo("org/moved", type="dataset")
    assert get(url).status_code == 401


def test_requests_are_logged_and_counted(hub):
    get(f"{hub.url}/org/repo/resolve/main/model.safetensors", token=NOBODY_TOKEN)
    counters = hub.counters()
    assert counters.kinds == {"resolve_get": 1, "cdn_get": 1}
    assert counters.blob_bytes == {"hub": 0, "cdn": hub.file("org/repo", "model.safetensors").size}
    assert counters.tokens == {"hub": [NOBODY_TOKEN], "cdn": []}
    entry = hub.log(kind="resolve_get")[0]
    assert entry.authorization == f"Bearer {NOBODY_TOKEN}" and entry.status == 302
    assert entry.complete and entry.headers["User-Agent"].startswith("python-requests")
    assert json.dumps(entry.headers)


def test_if_range_of_another_version_gives_the_whole_file(hub):
    location = signed_url(hub)
    etag = get(location).headers["ETag"]
    assert get(location, Range="bytes=0-9", If_Range=etag).status_code == 206
    assert get(location, Range="bytes=0-9", If_Range='"other"').status_code == 200


def test_text_is_compressed_on_demand_with_a_weak_etag(hub):
    hub.settings(compress=True)
    answer = get(f"{hub.url}/org/bert/resolve/main/README.md", Accept_Encoding="gzip")
    assert "Content-Encoding" not in answer.headers
    answer = get(f"{hub.url}/org/ds/resolve/main/data/train.csv", Accept_Encoding="gzip")
    assert answer.status_code == 401
    url = f"{hub.url}/datasets/org/ds/resolve/main/data/train.csv"
    answer = get(url, Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    truth = hub.file("org/ds", "data/train.csv", type="dataset")
    assert answer.headers["ETag"] == f'W/"{truth.oid}"'
    assert answer.content == hub.bytes_of("org/ds", "data/train.csv", type="dataset")
    assert "Content-Encoding" not in get(url, Accept_Encoding="identity").headers


def test_anonymous_answers_carry_the_warning_of_the_hub(hub):
    url = f"{hub.url}/org/repo/resolve/main/config.json"
    assert head(url).headers["X-HF-Warning"].startswith("unauthenticated;")
    assert "X-HF-Warning" not in head(url, token=OWNER_TOKEN).headers
    assert head(url).headers["X-Request-Id"] != head(url).headers["X-Request-Id"]


NAMES = ["tree", "revision", "logs", "scan", "raw", "resolve"]


@pytest.mark.parametrize("name", NAMES)
def test_a_repository_may_be_called_as_a_verb_or_a_marker(hub, name):
    hub.declare(repo(f"org/{name}", {"a.txt": "a\n"}))
    sha = hub.sha(f"org/{name}")
    base = f"{hub.url}/api/models/org/{name}"
    if name != "scan":  # which may stand alone behind the legacy id "org"
        assert get(base).json()["sha"] == sha
    assert get(f"{base}/revision/main").json()["sha"] == sha
    assert [entry["path"] for entry in get(f"{base}/tree/main").json()] == ["a.txt"]
    assert get(f"{base}/refs").json()["branches"][0]["targetCommit"] == sha
    for marker in ("resolve", "raw"):
        url = f"{hub.url}/org/{name}/{marker}/main/a.txt"
        if (name, marker) != ("resolve", "raw"):  # the literal /resolve/ decides (§1.1)
            assert get(url).text == "a\n"


def test_a_legacy_id_is_followed_by_its_verb(hub):
    base = f"{hub.url}/api/models/solo"
    for path in ("", "/revision/main", "/tree/main", "/refs", "/discussions"):
        assert get(base + path).status_code == 200, path
    assert errors(get(f"{base}/tree/refs/pr/1"))[:2] == (404, "RevisionNotFound")
    assert get(f"{hub.url}/solo/raw/main/config.json").status_code == 200
