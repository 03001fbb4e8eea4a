"""Parquet listings, safetensors headers, sizes and diffs: what the Hub works out of files."""

import json
import struct
from urllib.parse import quote

import pytest

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, convert, repo
from pulp_hugging_face.tests.hub import commit as commit_of

from .asking import errors, get, head

TABLES = "api/datasets/org/tables/parquet"


def test_parquet_listings_name_urls_of_the_hub_itself(hub):
    base = f"{hub.url}/{TABLES}"
    listing = {
        "default": {
            "test": [f"{base}/default/test/0.parquet"],
            "train": [f"{base}/default/train/0.parquet", f"{base}/default/train/1.parquet"],
        },
        "small config": {"train": [f"{base}/small%20config/train/0.parquet"]},
    }
    assert get(base).json() == listing
    assert get(f"{base}/default").json() == listing["default"]
    assert get(f"{base}/default/train").json() == listing["default"]["train"]
    assert get(f"{base}/small%20config/train").json() == listing["small config"]["train"]
    assert hub.counters().kinds == {"api_parquet": 4}


def test_a_parquet_url_redirects_into_the_convert_ref(hub):
    base = f"{hub.url}/{TABLES}"
    for url, path in (
        (f"{base}/default/train/1.parquet", "default/train/0001.parquet"),
        (f"{base}/small%20config/train/0.parquet", "small config/train/0000.parquet"),
    ):
        answer = head(url)
        where = f"/datasets/org/tables/resolve/refs%2Fconvert%2Fparquet/{quote(path)}"
        assert (answer.status_code, answer.headers["Location"]) == (302, hub.url + where)
        data = get(url).content
        assert data == hub.bytes_of("org/tables", path, "refs/convert/parquet", "dataset")
        assert data[:4] == data[-4:] == b"PAR1"


@pytest.mark.parametrize(
    "path",
    [f"{TABLES}/nope", f"{TABLES}/default/nope", f"{TABLES}/default/train/2.parquet",
     f"{TABLES}/default/train/x.parquet", "api/datasets/org/ds-gated/parquet"],
)  # fmt: skip
def test_parquet_that_is_not_there_is_404(hub, path):
    assert errors(get(f"{hub.url}/{path}", token=OWNER_TOKEN))[0] == 404


def test_parquet_of_a_gated_dataset_is_content(hub):
    converted = convert("parquet", commit_of("Convert", {"default/train/0000.parquet": b"PAR1"}))
    gated = repo("org/gated-tables", {"a.csv": "a\n"}, type="dataset", gated="auto",
                 refs=(converted,))  # fmt: skip
    hub.declare(gated)
    url = f"{hub.url}/api/datasets/org/gated-tables/parquet"
    assert errors(get(url))[:2] == (401, "GatedRepo")
    assert errors(get(url, token=NOBODY_TOKEN))[:2] == (403, "GatedRepo")
    assert list(get(url, token=OWNER_TOKEN).json()) == ["default"]
    hub.delete_repo("org/gated-tables", type="dataset")


def header_of(data):
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


def test_safetensors_metadata_has_the_headers_of_all_shards_and_no_weight_map(hub):
    where = quote("text encoder/model.safetensors.index.json")
    got = get(f"{hub.url}/api/models/org/mixture/safetensors-metadata/{where}").json()
    assert got["index"] == {"metadata": {"total_size": 280}}
    assert got["headers"] == {
        name: header_of(hub.bytes_of("org/mixture", f"text encoder/{name}"))
        for name in ("part-1.safetensors", "part-2.safetensors")
    }
    absent = get(f"{hub.url}/api/models/org/mixture/safetensors-metadata/no.index.json")
    assert errors(absent)[:2] == (404, "EntryNotFound")
    assert hub.counters().kinds == {"api_safetensors": 2}


def test_info_counts_the_parameters_by_dtype(hub):
    data = get(f"{hub.url}/api/models/org/mixture").json()
    assert data["safetensors"] == {"parameters": {"F32": 62, "BF16": 16}, "total": 78}
    gguf = get(f"{hub.url}/api/models/org/gguf?expand=gguf").json()["gguf"]
    assert gguf["architecture"] == "llama" and gguf["context_length"] == 2048
    assert gguf["totalFileSize"] == hub.file("org/gguf", "tiny-Q4_K_M.gguf").size


def test_treesize_sums_what_is_below_a_directory(hub):
    base = f"{hub.url}/api/models/org/repo/treesize"
    files = hub.manifest("org/repo")
    assert get(f"{base}/main").json() == {"path": "/", "size": sum(f.size for f in files.values())}
    below = sum(info.size for path, info in files.items() if path.startswith("one/two/"))
    assert get(f"{base}/main/one%2Ftwo").json() == {"path": "one/two", "size": below}
    assert get(f"{base}/refs%2Fpr%2F1/sub%20dir").json()["size"] > files["sub dir/é #1.txt"].size
    assert errors(get(f"{base}/main/nope"))[:2] == (404, "EntryNotFound")
    assert errors(get(f"{base}/nope/one"))[:2] == (404, "RevisionNotFound")


def test_compare_is_the_diff_of_two_revisions(hub):
    base = f"{hub.url}/api/models/org/repo/compare"
    text = get(f"{base}/main..dev").text
    assert "diff --git a/config.json b/config.json\n" in text
    assert '+{"model_type": "dev"}\n' in text and "tokenizer" not in text
    pulled = get(f"{base}/main..refs%2Fpr%2F1").text
    assert "new file mode 100644\n" in pulled and "--- /dev/null\n" in pulled
    weights = get(f"{base}/main~2..v1")
    assert errors(weights)[:2] == (404, "RevisionNotFound")
    first = hub.sha("org/repo", "main~2")
    assert "+oid sha256:" in get(f"{base}/{first}..v1").text
    assert errors(get(f"{base}/main"))[0] == 400
