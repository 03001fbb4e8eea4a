"""Conformance matrix C: libraries that people use instead of the Hub's own client."""

import base64
import hashlib

import pytest

from pulp_hugging_face.tests.hub import FixtureHub, branch, commit, repo

from .caches import MIB, Cache, unique
from .clients import replays
from .clients.machine import Machine, Tour
from .clients.record import of_files, shorts
from .clients.venvs import DATASETS, TRANSFORMERS

# transformers, and libraries on torch by their calls.


@pytest.fixture(scope="module")
def models(common: Cache, tmp_path_factory) -> tuple[Tour, Tour]:
    """Two processes of one machine, one after the other."""
    machine = Machine(TRANSFORMERS, tmp_path_factory.mktemp("models"), common.url)
    auto = ("auto", {"repo_id": "org/bert", "text": "hello world"})
    first = machine.tour(
        {
            "auto": auto,
            "files": ("cached_files", {"repo_id": "org/bert",
                                       "filenames": ["config.json", "vocab.txt"]}),
            "shards": ("shards", {"repo_id": "org/sharded"}),
            "diffusers": ("diffusion_pipeline", {"repo_id": "org/pipe"}),
            "sentences": ("sentence_transformer", {"repo_id": "org/st"}),
            "vllm": ("vllm", {"repo_id": "org/sharded"}),
            "tgi": ("text_generation_inference", {"repo_id": "org/sharded"}),
        }
    )  # fmt: skip
    return first, machine.tour({"auto": auto})


def sent(tour: Tour, name: str) -> list[str]:
    return shorts(tour[name].requests)


@pytest.mark.matrix("C44")
def test_config_and_tokenizer(hub, models):
    first, second = models
    vocab = hub.bytes_of("org/bert", "vocab.txt").decode().split()
    expected = [vocab.index(word) for word in ("[CLS]", "hello", "world", "[SEP]")]
    assert first.value("auto")["tokens"] == expected
    assert second.value("auto") == first.value("auto")
    asked = {request.path for request in of_files(first["auto"].requests) if request.status == 404}
    assert len(asked) > 2, "the first process probes for optional files"
    assert of_files(second["auto"].requests) == []


@pytest.mark.matrix("C45")
def test_a_tokenizer_without_chat_templates(models):
    """The folder's absence must be EntryNotFound: RepoNotFound here ends the loading (§2.6)."""
    target = "/api/models/org/bert/tree/main/additional_chat_templates"
    for tour in models:
        assert any(r.startswith(f"GET 404 {target}") for r in sent(tour, "auto"))
        assert tour.value("auto")["tokenizer"] == "BertTokenizer"


@pytest.mark.matrix("C46")
def test_cached_files(models):
    assert models[0].value("files") == ["config.json", "vocab.txt"]


SHARDS = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]


@pytest.mark.matrix("C47")
def test_sharded_weights(models):
    """`AutoModel` needs torch to make tensors of them: up to there it is transformers' own code."""
    assert models[0].value("shards") == SHARDS
    requests = sent(models[0], "shards")
    for shard in SHARDS:
        (head,) = [r for r in requests if r.startswith("HEAD 200") and r.endswith(shard)]
        assert head.replace("HEAD", "GET") in requests


@pytest.mark.matrix("C51")
def test_diffusers(hub, models):
    assert models[0].value("diffusers") == sorted(hub.manifest("org/pipe"))


@pytest.mark.matrix("C52")
def test_sentence_transformers(models):
    expected = ["README.md", "config.json", "config_sentence_transformers.json", "modules.json"]
    assert models[0].value("sentences") == expected
    missing = [r for r in sent(models[0], "sentences") if r.startswith("HEAD 404")]
    assert len(missing) == 2


def test_vllm_and_tgi(models):
    assert models[0].value("vllm") == models[0].value("tgi") == SHARDS


@pytest.mark.matrix("E63", "E68")
def test_transformers_contact_only_the_endpoint(models):
    for tour in models:
        assert tour.hosts == {"127.0.0.1"}
        assert [request for request in tour.requests if request.path is None] == []


# datasets, pandas, pyarrow, HfFileSystem.

# Start and length: the beginning, far ahead, back, and beyond the first 16 MiB.
PARTS = [[0, 4], [9_000_000, 70_000], [5, 3], [16 * MIB, 9]]
ROWS = 8_000  # so many that the footer of the Parquet file is not within the first block read
SQUARES = {"number": list(range(ROWS)), "square": [n * n for n in range(ROWS)]}


@pytest.fixture(scope="module")
def data(hub_process: FixtureHub, common: Cache, tmp_path_factory) -> tuple[str, Tour]:
    """A dataset of real Parquet, CSV and JSON files, and one process that reads it in all ways."""
    machine = Machine(DATASETS, tmp_path_factory.mktemp("data"), common.url)
    made = {
        name: base64.b64decode(text) for name, text in machine.do("tables", rows=SQUARES).items()
    }
    name = unique("org/tables")
    parquet = {"data/train-00000-of-00001.parquet": made["parquet"]}
    more = {"extra/rows.csv": made["csv"], "extra/rows.jsonl": made["jsonl"]}
    old = commit("Less", {"data/test-00000-of-00001.parquet": made["parquet"]})
    hub_process.declare(repo(name, {**parquet, **more}, type="dataset", refs=(branch("old", old),)))
    return name, machine.tour(reading(name, common.url))


def reading(name: str, url: str) -> dict:
    parquet = f"datasets/{name}/data/train-00000-of-00001.parquet"
    csv = f"{url}/datasets/org/ds/resolve/main/data/test.csv"
    return {
        "csv": ("load", {"path": "org/ds"}),
        "csv again": ("load", {"path": "org/ds"}),
        "streaming": ("load", {"path": "org/ds", "streaming": True}),
        "one file": ("load", {"path": "org/ds", "data_files": "data/test.csv"}),
        "address": ("load", {"path": "csv", "data_files": csv}),
        "unknown": ("load", {"path": "org/nope"}),
        "legacy": ("load", {"path": "ds-legacy"}),
        "parquet": ("load", {"path": name, "data_dir": "data"}),
        "parquet streaming": ("load", {"path": name, "data_dir": "data", "streaming": True}),
        "revision": ("load", {"path": name, "data_dir": "data", "revision": "old"}),
        "json": ("load", {"path": name, "data_files": "extra/rows.jsonl"}),
        "pandas csv": ("table", {"path": "hf://datasets/org/ds/data/train.csv"}),
        "pandas parquet": ("table", {"path": f"hf://{parquet}"}),
        "footer": ("footer", {"path": parquet}),
        "ls": ("ls", {"path": "datasets/org/ds"}),
        "ls of a revision": ("ls", {"path": f"datasets/{name}@old/data"}),
        "walk": ("walk", {"path": f"datasets/{name}"}),
        "stat": ("stat", {"path": "org/repo/sub dir/é #1.txt"}),
        "stat of a folder": ("stat", {"path": "org/repo/one"}),
        "cat": ("cat", {"path": "org/big/big.bin", "ranges": PARTS}),
        "legacy ls": ("ls", {"path": "gpt2"}),
    }  # fmt: skip


CSV = ["label", "text"]
TRAIN, TEST = {"text": "sentence 0", "label": 0}, {"text": "check 0", "label": 0}
WHOLE = {"train": [100, CSV, TRAIN], "test": [20, CSV, TEST]}
TABLE = [ROWS, ["number", "square"], {"number": 0, "square": 0}]
LOADED = {
    "csv": WHOLE,
    "csv again": WHOLE,
    "streaming": WHOLE,
    "one file": {"train": [20, CSV, TEST]},
    "parquet": {"train": TABLE},
    "parquet streaming": {"train": TABLE},
    "revision": {"train": TABLE, "test": TABLE},
    "json": {"train": TABLE},
}


@pytest.mark.matrix("C48")
@pytest.mark.parametrize("name", LOADED)
def test_datasets(data, name):
    _, tour = data
    assert tour.value(name) == LOADED[name]


@pytest.mark.matrix("C48")
def test_a_dataset_again_costs_no_bytes(data):
    _, tour = data
    assert {request.method for request in of_files(tour["csv again"].requests)} == {"HEAD"}


@pytest.mark.matrix("C48")
def test_streaming_reads_ranges(data):
    _, tour = data
    gets = [r for r in of_files(tour["streaming"].requests) if r.method == "GET"]
    assert gets and all((r.status, "range" in r.headers) == (206, True) for r in gets)


@pytest.mark.matrix("C49")
def test_a_file_by_its_address(data):
    """It becomes hf:// by cutting HF_ENDPOINT off, so the listing below it is asked, too."""
    _, tour = data
    assert tour.value("address") == {"train": [20, CSV, TEST]}
    assert any("/api/datasets/org/ds/tree/" in request for request in sent(tour, "address"))


@pytest.mark.matrix("C50")
def test_an_unknown_dataset(data):
    _, tour = data
    assert tour.error("unknown").name == "DatasetNotFoundError"


def test_legacy_ids_are_beyond_datasets_5_and_the_file_system(data):
    """All answers are right, and it gives up by itself, for want of a namespace (§1.1)."""
    _, tour = data
    assert tour.error("legacy").name == "HfUriError"
    assert {request.status for request in tour["legacy"].requests} <= {200, 307, 404}
    assert tour.error("legacy ls").name == "ValueError"
    assert tour["legacy ls"].requests == []


@pytest.mark.matrix("E63")
def test_datasets_need_no_other_host(data):
    """
    Two more are tried (§2.6): a counter and the viewer, `datasets-server.` and the endpoint's host.

    Both were refused by the recorder, as behind a firewall, and everything above went well.
    """
    _, tour = data
    counter = {host for host in tour.hosts if host.endswith("amazonaws.com")}
    assert tour.hosts - counter == {"127.0.0.1", "datasets-server.127.0.0.1"}
    assert [request for request in tour.requests if request.path is None] == []


@pytest.mark.matrix("B42")
def test_pandas_and_pyarrow(data):
    _, tour = data
    assert tour.value("pandas csv") == [100, CSV]
    assert tour.value("pandas parquet") == [ROWS, ["number", "square"]]
    assert tour.value("footer") == [ROWS, 2, 1]
    (request,) = of_files(tour["footer"].requests)
    start, _, _ = request.headers["range"].removeprefix("bytes=").partition("-")
    assert (request.status, int(start) > 0) == (206, True)


def test_listings_of_the_file_system(data):
    name, tour = data
    root = f"datasets/{name}"
    names = [".gitattributes", "README.md", "data"]
    assert tour.value("ls") == [f"datasets/org/ds/{entry}" for entry in names]
    shards = [f"{split}-00000-of-00001.parquet" for split in ("test", "train")]
    assert tour.value("ls of a revision") == [f"{root}@old/data/{shard}" for shard in shards]
    assert tour.value("walk") == [
        [root, ["data", "extra"], []],
        [f"{root}/data", [], [shards[1]]],
        [f"{root}/extra", [], ["rows.csv", "rows.jsonl"]],
    ]
    assert tour.value("stat") == ["file", 28]
    assert tour.value("stat of a folder")[0] == "directory"


@pytest.mark.matrix("B41")
def test_parts_of_a_file_of_the_file_system(hub, data):
    _, tour = data
    found = tour.value("cat")
    truth = [hub.bytes_of("org/big", "big.bin", start=a, length=n).hex() for a, n in PARTS]
    assert found == {"sha256": hub.file("org/big", "big.bin").sha256, "parts": truth}


# Clients in other languages.


@pytest.mark.matrix("C54")
@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
def test_the_rust_client(hub, common, path):
    file, got = hub.file("org/repo", path), replays.rust(common.url, "org/repo", path)
    assert (got["etag"], got["commit"]) == (file.etag, hub.sha("org/repo"))
    assert got["body"] == hub.bytes_of("org/repo", path)


@pytest.mark.matrix("C54")
def test_the_rust_client_follows_a_legacy_id(hub, common):
    got = replays.rust(common.url, "gpt2", "model.safetensors")
    assert got["body"] == hub.bytes_of("openai-community/gpt2", "model.safetensors")


@pytest.mark.matrix("C54")
def test_llama_cpp(hub, common):
    """Users write the endpoint with a slash behind it; without refs of main it gives up."""
    got = replays.llama_cpp(f"{common.url}/", "org/gguf")
    assert got["commit"] == hub.sha("org/gguf")
    assert hashlib.sha256(got["body"]).hexdigest() == got["sha256"]
    assert got["body"] == hub.bytes_of("org/gguf", got["path"])


@pytest.mark.matrix("C54")
def test_llama_cpp_of_a_repository_without_weights(common):
    with pytest.raises(replays.GivenUp, match="no GGUF file"):
        replays.llama_cpp(f"{common.url}/", "org/repo")


def test_transformers_js(hub, common):
    body = replays.transformers_js(common.url, "org/bert", "vocab.txt")
    assert body == hub.bytes_of("org/bert", "vocab.txt")
