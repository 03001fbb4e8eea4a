"""The fourth repository type: compute kernels (hub-protocol.md §1.1, §2.3)."""

from urllib.parse import urlsplit

from .asking import errors, get, head

KERNEL = "kernels-org/activation"
LIBRARY = "build/torch28-cxx11-cpu-x86_64-linux/activation/_activation.abi3.so"


def test_info_is_the_overview_of_a_kernel(hub):
    sha, first = hub.sha(KERNEL, type="kernel"), hub.sha(KERNEL, "v1", "kernel")
    data = get(f"{hub.url}/api/kernels/{KERNEL}?expand=siblings&blobs=true").json()
    assert (data["id"], data["author"], data["sha"]) == (KERNEL, "kernels-org", sha)
    assert (data["downloads"], data["likes"], data["gated"]) == (1234, 3, False)
    assert "siblings" not in data and "cardData" not in data
    assert get(f"{hub.url}/api/kernels/{KERNEL}/revision/v1").json()["sha"] == first
    assert errors(get(f"{hub.url}/api/kernels/{KERNEL}/revision/nope"))[1] == "RevisionNotFound"
    assert hub.counters().kinds == {"api_info": 3}


def test_tree_and_refs_as_of_any_repository(hub):
    tree = get(f"{hub.url}/api/kernels/{KERNEL}/tree/main?recursive=true").json()
    assert {entry["path"] for entry in tree if entry["type"] == "file"} == set(
        hub.manifest(KERNEL, type="kernel")
    )
    lfs = {entry["path"] for entry in tree if "lfs" in entry}
    assert LIBRARY in lfs and len(lfs) == 2
    refs = get(f"{hub.url}/api/kernels/{KERNEL}/refs").json()
    assert [ref["name"] for ref in refs["tags"]] == ["v1"]
    assert hub.counters().kinds == {"api_tree": 1, "api_refs": 1}


def test_files_are_below_kernels_and_have_no_resolve_cache_hop(hub):
    base = f"{hub.url}/kernels/{KERNEL}/resolve/v1"
    library, text = hub.file(KERNEL, LIBRARY, "v1", "kernel"), f"{base}/.gitattributes"
    answer = head(f"{base}/{LIBRARY}")
    assert (answer.status_code, answer.headers["X-Linked-Size"]) == (302, str(library.size))
    assert answer.headers["X-Linked-ETag"] == f'"{library.sha256}"'
    assert f"/api/kernels/{KERNEL}/xet-read-token/" in answer.headers["Link"]
    assert urlsplit(answer.headers["Location"]).hostname == "127.0.0.2"
    assert get(f"{base}/{LIBRARY}").content == hub.bytes_of(KERNEL, LIBRARY, "v1", "kernel")
    assert head(text).status_code == 200
    assert head(text).headers["X-Repo-Commit"] == hub.sha(KERNEL, "v1", "kernel")
    assert errors(get(f"{base}/nope"))[:2] == (404, "EntryNotFound")


def test_a_kernel_is_no_model_and_there_is_no_list_of_kernels(hub):
    assert get(f"{hub.url}/api/models/{KERNEL}").status_code == 401
    assert errors(get(f"{hub.url}/api/kernels"))[0] == 404
    assert errors(get(f"{hub.url}/api/kernels/{KERNEL}/commits/main"))[0] == 404
    assert KERNEL not in [data["id"] for data in get(f"{hub.url}/api/models").json()]
