"""The repositories of the conformance matrix (hub-protocol.md §7)."""

import json
from collections.abc import Callable

from .content import Generated, Literal
from .declare import (
    CommitSpec,
    FileSpec,
    RepoSpec,
    UserSpec,
    branch,
    commit,
    convert,
    files_of,
    pull_request,
    repo,
    tag,
)
from .formats import gguf
from .making import ATTRIBUTES, MIB, readme, safetensors, tensors
from .samples import samples

HUB = "https://huggingface.co"
OWNER_TOKEN = "hf_ownerAbcdefghijklmnopqrstuvwxyz01234567"
NOBODY_TOKEN = "hf_nobodyAbcdefghijklmnopqrstuvwxyz0123456"
INVALID_TOKEN = "hf_invalidAbcdefghijklmnopqrstuvwxyz012345"


def standard_users() -> tuple[UserSpec, ...]:
    """`owner` may see private and gated repositories, `nobody` may not."""
    return (
        UserSpec("owner", OWNER_TOKEN, "The Owner", ("org",)),
        UserSpec("nobody", NOBODY_TOKEN, "Nobody Special"),
    )


def standard_catalogue(base: str = HUB) -> list[RepoSpec]:
    """`base` is the address under which the Hub is reached: some cards link to it."""
    return [
        _org_repo(),
        _gpt2(),
        _dataset(),
        _space(),
        _restricted("org/gated", gated="manual"),
        _restricted("org/priv", private=True),
        _restricted("org/disabled", disabled=True),
        repo("org/ds-gated", {"README.md": "# gated data\n", "data/a.csv": "a\n1\n"},
             type="dataset", gated="auto"),
        repo("org/big", {".gitattributes": ATTRIBUTES, "config.json": '{"model_type": "big"}\n',
                         "big.bin": Generated(16 * MIB + 12345, seed=16)}),
        _many("org/many", directories=12, files=100),
        _many("org/many3000", directories=30, files=100),
        _dialogpt(),
        _bert(),
        repo("org/shared-a", {"a.safetensors": SHARED}),
        repo("org/shared-b", {"weights/b.safetensors": SHARED, "config.json": "{}\n"}),
        _history(),
        repo("solo", {"config.json": '{"model_type": "solo"}\n', "solo.bin": Generated(70_000, 9)}),
        repo("org/gguf", {"README.md": "# gguf\n", "tiny-Q4_K_M.gguf": _gguf()}),
        _sharded(),
        _pipeline(),
        _sentence_transformer(),
        *samples(base),
    ]  # fmt: skip


def huge_catalogue(base: str = HUB) -> list[RepoSpec]:
    """The standard one and files of 1 GiB and 5 GiB, made as they are read."""
    huge = repo("org/huge", {"huge.safetensors": Generated(1024 * MIB, seed=1)})
    return [*standard_catalogue(base), huge]


SHARED = Generated(2 * MIB + 1, seed=77)


def _org_repo() -> RepoSpec:
    card = readme(
        "org/repo", license="mit", language=["en", "fr"], library_name="transformers",
        pipeline_tag="text-generation", tags=["test", "fixture"],
    )  # fmt: skip
    first = files_of({".gitattributes": ATTRIBUTES, "README.md": card})
    config = '{\n  "architectures": ["GPT2LMHeadModel"],\n  "model_type": "gpt2"\n}\n'
    second = files_of(
        {
            "config.json": config,
            "model.safetensors": safetensors(750_000, seed=3),
            "sub dir/é #1.txt": "accents, a space and a hash\n",
            "empty.txt": "",
            "fi le#1?%41.txt": "a percent sign that is no escape\n",
            "%2F.txt": "named like an encoded slash\n",
            "日本語/モデル.txt": "unicode\n",
            "a+b&c=d;e.txt": "reserved characters\n",
            "one/two/three/four/five.txt": "deep\n",
            "one/two.json": "{}\n",
        }
    )
    script = FileSpec("run.sh", Literal(b"#!/bin/sh\necho hello\n"), executable=True)
    third = commit("Update tokenizer", {"tokenizer.json": '{"version": "1.0"}\n'})
    return RepoSpec(
        "org/repo",
        commits=(
            CommitSpec("initial commit", first),
            CommitSpec("Upload model", (*second, script), message="With odd names."),
            third,
        ),
        refs=(
            branch("dev", commit("Try things", {"config.json": '{"model_type": "dev"}\n'})),
            branch("feat/x", commit("A feature", {"feature.txt": "x\n"}), base="main~1"),
            tag("v1", "main~1"),
            pull_request(1, commit("Proposal", {"sub dir/pr.txt": "from the PR\n"})),
            pull_request(2, CommitSpec("Remove", delete=("one",)), base="main~1"),
        ),
        aliases=("old-org/renamed",),
    )


def _gpt2() -> RepoSpec:
    return repo(
        "openai-community/gpt2",
        {
            ".gitattributes": ATTRIBUTES,
            "README.md": readme("GPT-2", license="mit", pipeline_tag="text-generation"),
            "config.json": '{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}\n',
            "model.safetensors": safetensors(25_000, seed=2),
            "onnx/config.json": '{"model_type": "gpt2"}\n',
            "onnx/decoder_model.onnx": Generated(40_000, seed=4),
        },
        aliases=("gpt2",),
        downloads=1_000_000,
        likes=2_000,
    )


def _dataset() -> RepoSpec:
    train = "text,label\n" + "".join(f"sentence {n},{n % 2}\n" for n in range(100))
    test = "text,label\n" + "".join(f"check {n},{n % 2}\n" for n in range(20))
    configs = [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train.csv"},
                {"split": "test", "path": "data/test.csv"},
            ],
        }
    ]
    card = readme("org/ds", license="cc-by-4.0", task_categories=["text-classification"],
                  configs=configs)  # fmt: skip
    return RepoSpec(
        "org/ds",
        "dataset",
        commits=(
            commit("initial commit", {".gitattributes": ATTRIBUTES, "README.md": card}),
            commit("Upload data", {"data/train.csv": train, "data/test.csv": test}),
        ),
        refs=(
            convert(
                "parquet",
                commit("Convert", {"default/train/0000.parquet": Generated(30_000, seed=8)}),
            ),
        ),
        aliases=("ds-legacy",),
    )


def _space() -> RepoSpec:
    files = {
        "README.md": readme("Space", title="Demo", sdk="gradio", app_file="app.py"),
        "app.py": "print('hello')\n",
    }
    return repo("org/space", files, type="space")


def _restricted(repo_id: str, **flags: object) -> RepoSpec:
    files = {
        ".gitattributes": ATTRIBUTES,
        "README.md": readme(repo_id, license="other"),
        "config.json": json.dumps({"model_type": repo_id}) + "\n",
        "model.safetensors": safetensors(20_000, seed=len(repo_id)),
    }
    return repo(repo_id, files, **flags)


def _many(repo_id: str, directories: int, files: int) -> RepoSpec:
    content = {
        f"part-{d:02}/{half}/file-{n:04}.txt": f"{repo_id} {d} {n}\n"
        for d in range(directories)
        for n in range(files)
        for half in ["ab"[n % 2]]
    }
    return repo(repo_id, {"config.json": '{"model_type": "many"}\n', **content})


def _dialogpt() -> RepoSpec:
    config = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": 8,
        "n_head": 2,
        "n_layer": 1,
        "n_positions": 64,
        "vocab_size": 257,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    vocab = {"<|endoftext|>": 0, **{sign: n for n, sign in enumerate(byte_alphabet(), 1)}}
    return repo(
        "microsoft/DialoGPT-medium",
        {
            ".gitattributes": ATTRIBUTES,
            "README.md": readme("DialoGPT", license="mit", tags=["conversational"],
                                pipeline_tag="text-generation", library_name="transformers"),
            "config.json": json.dumps(config, indent=2) + "\n",
            "generation_config.json": '{"bos_token_id": 0, "eos_token_id": 0}\n',
            "tokenizer_config.json": '{"model_max_length": 64, "tokenizer_class": "GPT2Tokenizer"}',
            "vocab.json": json.dumps(vocab),
            "merges.txt": "#version: 0.2\n",
            "pytorch_model.bin": Generated(300_000, seed=5),
        },
        downloads=500_000,
    )  # fmt: skip


def byte_alphabet() -> list[str]:
    """The signs that byte-level BPE (GPT-2) writes the 256 bytes with."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    shifted = {byte: 256 + n for n, byte in enumerate(others)}
    return [chr(shifted.get(byte, byte)) for byte in range(256)]


def _bert() -> RepoSpec:
    """A BERT small enough to carry, and real enough for AutoConfig and AutoTokenizer."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?"
    words = ["hello", "world", "the", "model", "pulp", "##ing", "##s"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters]
    vocab += [f"##{letter}" for letter in letters]
    config = {
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": 8,
        "intermediate_size": 16,
        "max_position_embeddings": 64,
        "model_type": "bert",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "type_vocab_size": 2,
        "vocab_size": len(vocab),
    }
    tokenizer = {"do_lower_case": True, "model_max_length": 64, "tokenizer_class": "BertTokenizer"}
    return repo(
        "org/bert",
        {
            ".gitattributes": ATTRIBUTES,
            "README.md": readme("Tiny BERT", license="apache-2.0", library_name="transformers",
                                pipeline_tag="fill-mask"),
            "config.json": json.dumps(config, indent=2) + "\n",
            "tokenizer_config.json": json.dumps(tokenizer, indent=2) + "\n",
            "vocab.txt": "\n".join(vocab) + "\n",
        },
    )  # fmt: skip


def _history() -> RepoSpec:
    """120 commits: more than one page of `/commits`."""
    steps = (commit(f"Step {n}", {"log.txt": f"step {n}\n"}) for n in range(120))
    return RepoSpec("org/history", commits=tuple(steps))


def _gguf() -> Literal:
    """A GGUF header without tensors, padded."""
    header = gguf(
        {
            "general.architecture": "llama",
            "general.parameter_count": 12_345,
            "llama.context_length": 2048,
            "tokenizer.chat_template": "{{ messages }}",
        }
    )
    return Literal(header + Generated(50_000, 6).read(0, 50_000))


def _sharded() -> RepoSpec:
    names = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    shards = {
        name: tensors({f"layer.{n}": ("F32", [20_000])}, seed=30 + n)
        for n, name in enumerate(names)
    }
    weight_map = {f"layer.{n}": name for n, name in enumerate(names)}
    index = {"metadata": {"total_size": 240_000}, "weight_map": weight_map}
    files = {"config.json": '{"model_type": "bert"}\n', **shards}
    return repo("org/sharded", {**files, "model.safetensors.index.json": json.dumps(index)})


def _pipeline() -> RepoSpec:
    index = {"_class_name": "DDPMPipeline", "_diffusers_version": "0.42.1",
             "scheduler": ["diffusers", "DDPMScheduler"]}  # fmt: skip
    scheduler = {"_class_name": "DDPMScheduler", "num_train_timesteps": 10}
    return repo(
        "org/pipe",
        {
            "model_index.json": json.dumps(index, indent=2),
            "scheduler/scheduler_config.json": json.dumps(scheduler, indent=2),
        },
    )


def _sentence_transformer() -> RepoSpec:
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.BoW"}]
    return repo(
        "org/st",
        {
            "README.md": readme("ST", library_name="sentence-transformers"),
            "modules.json": json.dumps(modules),
            "config_sentence_transformers.json": "{}\n",
            "config.json": json.dumps({"vocab": ["hello", "world"]}),
            "1_Pooling/config.json": "{}\n",
        },
    )


def empty_catalogue(base: str = HUB) -> list[RepoSpec]:
    return []


CATALOGUES: dict[str, Callable[[str], list[RepoSpec]]] = {
    "standard": standard_catalogue,
    "huge": huge_catalogue,
    "empty": empty_catalogue,
}
