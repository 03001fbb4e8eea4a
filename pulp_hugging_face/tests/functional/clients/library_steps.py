"""
Steps with libraries on top of huggingface_hub: datasets, pandas, pyarrow, fsspec, transformers.

The last part repeats what libraries do that are too heavy to install (they need torch): the very
calls of huggingface_hub in their sources, in their order (hub-protocol.md §2.6).
"""

import base64
import hashlib
import io

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError

# datasets.


def tables(rows):
    """The same rows as Parquet, CSV and JSON lines, in base64: what a fixture is made of."""
    import pandas

    frame = pandas.DataFrame(rows)
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    texts = {"csv": frame.to_csv(index=False), "jsonl": frame.to_json(orient="records", lines=True)}
    encoded = {name: text.encode() for name, text in texts.items()}
    encoded["parquet"] = parquet.getvalue()
    return {name: base64.b64encode(data).decode() for name, data in encoded.items()}


def load(**options):
    """`load_dataset`: rows, columns and the first row of each split."""
    from datasets import load_dataset

    found = load_dataset(**options)
    if options.get("streaming"):
        return {name: [len(rows := list(split)), sorted(rows[0]), rows[0]]
                for name, split in found.items()}  # fmt: skip
    return {
        name: [split.num_rows, sorted(split.column_names), split[0]]
        for name, split in found.items()
    }


def table(path):
    """A file read by pandas: rows and columns."""
    import pandas

    read = pandas.read_parquet if path.endswith(".parquet") else pandas.read_csv
    frame = read(path)
    return [len(frame), sorted(frame.columns)]


# HfFileSystem.


def footer(path):
    """Rows, columns and row groups, from a Parquet file's last bytes."""
    import pyarrow.parquet

    with huggingface_hub.HfFileSystem().open(path, "rb", block_size=256) as file:
        found = pyarrow.parquet.ParquetFile(file).metadata
    return [found.num_rows, found.num_columns, found.num_row_groups]


def ls(path):
    return sorted(huggingface_hub.HfFileSystem().ls(path, detail=False))


def walk(path):
    found = huggingface_hub.HfFileSystem().walk(path)
    return sorted([folder, sorted(folders), sorted(files)] for folder, folders, files in found)


def stat(path):
    """Size and kind of a file or folder."""
    found = huggingface_hub.HfFileSystem().info(path)
    return [found["type"], found["size"]]


def cat(path, ranges):
    """A whole file's digest, and parts of it by one open file that seeks about."""
    system = huggingface_hub.HfFileSystem()
    with system.open(path, "rb", block_size=4096) as file:
        parts = []
        for start, length in ranges:
            file.seek(start)
            parts.append(file.read(length).hex())
    return {"sha256": hashlib.sha256(system.cat_file(path)).hexdigest(), "parts": parts}


# transformers.


def cached_files(repo_id, filenames):
    from transformers.utils.hub import cached_files

    return sorted(path.rpartition("/")[2] for path in cached_files(repo_id, filenames))


def shards(repo_id):
    """All that `AutoModel.from_pretrained` does with the Hub before it needs torch."""
    from transformers.utils.hub import cached_file, get_checkpoint_shard_files

    assert (
        cached_file(repo_id, "model.safetensors", _raise_exceptions_for_missing_entries=False)
        is None
    )
    index = cached_file(repo_id, "model.safetensors.index.json")
    paths, _ = get_checkpoint_shard_files(repo_id, index)
    return sorted(path.rpartition("/")[2] for path in paths)


# Libraries that need torch: their calls.


def diffusion_pipeline(repo_id):
    """diffusers 0.42, `DiffusionPipeline.download`: without torch the class raises ImportError."""
    import json
    from pathlib import Path

    revision = huggingface_hub.HfApi().resolve_revision(repo_id)
    info = huggingface_hub.model_info(repo_id, revision=revision)
    filenames = {sibling.rfilename for sibling in info.siblings}
    index = huggingface_hub.hf_hub_download(repo_id, "model_index.json", revision=revision)
    components = [name for name, value in json.loads(Path(index).read_text()).items()
                  if isinstance(value, list)]  # fmt: skip
    patterns = [f"{name}/*" for name in components if any(f.startswith(name) for f in filenames)]
    patterns += ["scheduler_config.json", "config.json", "model_index.json", "pipeline.py"]
    folder = Path(huggingface_hub.snapshot_download(
        repo_id, revision=revision, allow_patterns=patterns, ignore_patterns=["*.bin"]
    ))  # fmt: skip
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))


def sentence_transformer(repo_id):
    """sentence-transformers 6.2: only EntryNotFound means that an optional file is not there."""
    import json
    from pathlib import Path

    revision = huggingface_hub.HfApi().resolve_revision(repo_id)
    found = []

    def optional(filename):
        try:
            path = huggingface_hub.hf_hub_download(repo_id, filename, revision=revision)
        except EntryNotFoundError:
            return None
        found.append(filename)
        return Path(path)

    modules = optional("modules.json")
    for filename in ("config_sentence_transformers.json", "README.md", "sentence_bert_config.json",
                     "model_card_data.json"):  # fmt: skip
        optional(filename)
    for module in json.loads(modules.read_text()):
        if module["path"]:
            huggingface_hub.snapshot_download(
                repo_id, revision=revision, allow_patterns=f"{module['path']}/**"
            )
            found.append(module["path"])
        else:
            optional("config.json")
    return sorted(found)


def vllm(repo_id):
    """vLLM: the listing, config files that may be missing, then the weights as a snapshot."""
    from pathlib import Path

    revision = huggingface_hub.HfApi().resolve_revision(repo_id)
    listed = huggingface_hub.list_repo_files(repo_id, revision=revision)
    for filename in ("config.json", "params.json", "adapter_config.json", "hf_quant_config.json"):
        if filename in listed:
            huggingface_hub.hf_hub_download(repo_id, filename, revision=revision)
        else:
            assert not huggingface_hub.file_exists(repo_id, filename, revision=revision)
    pattern = next(p for p in ("*.safetensors", "*.bin") if any(f.endswith(p[1:]) for f in listed))
    folder = huggingface_hub.snapshot_download(repo_id, revision=revision, allow_patterns=[pattern])
    return sorted(path.name for path in Path(folder).glob(pattern))


def text_generation_inference(repo_id):
    """TGI's launcher: weights by the info object's siblings, then file by file."""
    info = huggingface_hub.HfApi().model_info(repo_id, revision="main")
    names = sorted(s.rfilename for s in info.siblings if s.rfilename.endswith(".safetensors"))
    paths = [huggingface_hub.hf_hub_download(repo_id, name, revision="main") for name in names]
    return [path.rpartition("/")[2] for path in paths]
