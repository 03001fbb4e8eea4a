"""More repositories of the standard catalogue: those that only some routes are about."""

import json

from . import parquetfiles
from .content import Generated, Literal
from .declare import CommitSpec, FileSpec, RepoSpec, commit, convert, files_of, repo, tag
from .making import MIB, readme, tensors


def samples(base: str) -> list[RepoSpec]:
    """`base` is the Hub's own address, for the files that link to it."""
    return [
        *(_kernel(), _tables(), _mixture(), _links(base), _served(), _demo()),
        repo("org/store", _stored(), type="bucket"),
        repo("owner/vault", {"secret.bin": Generated(20_000, 72)}, type="bucket", private=True),
    ]


def _served() -> RepoSpec:
    """A model that inference providers serve, with findings of the security scan."""
    providers = {
        "hf-inference": {"status": "live", "providerId": "org/served", "task": "text-generation",
                         "isModelAuthor": False},
        "together": {"status": "staging", "providerId": "org-served", "task": "text-generation"},
    }  # fmt: skip
    issues = [{"path": "weights.pkl", "level": "unsafe"}]
    card = readme("Served", license="mit", language=["de"], library_name="transformers",
                  pipeline_tag="text-generation", base_model="org/bert")  # fmt: skip
    return repo(
        "org/served",
        {"README.md": card, "weights.pkl": Generated(900, 61),
         "model.safetensors": tensors({"w": ("F16", [1000, 1500])}, 62)},
        downloads=10,
        likes=500,
        info={
            "inferenceProviderMapping": providers,
            "securityRepoStatus": {"scansDone": True, "filesWithIssues": issues},
        },
    )  # fmt: skip


def _demo() -> RepoSpec:
    """A Space that says what it uses."""
    card = readme("Demo", title="Draw a tiny picture", sdk="docker", models=["org/served"],
                  datasets=["org/ds", "org/tables"])  # fmt: skip
    return repo("org/drawing", {"README.md": card, "Dockerfile": "FROM scratch\n"}, type="space",
                likes=40)  # fmt: skip


def _stored() -> dict[str, object]:
    """Folders whose names begin alike, odd names, small, large and empty files."""
    return {
        "notes.txt": "small\n",
        "empty.txt": "",
        "logs/a b#1.txt": "a line\n",
        "logs/deep/c.txt": "another\n",
        "logs_old/b.txt": "old\n",
        "checkpoints/step 1/model.safetensors": Generated(3 * MIB + 7, 71),
    }


def _links(base: str) -> RepoSpec:
    """A card full of absolute URLs of the Hub, as cards of the real one are."""
    url = f"{base}/org/links"
    card = readme(
        "Links",
        license="other",
        license_link=f"{url}/blob/main/LICENSE",
        thumbnail=f"{url}/resolve/main/thumbnail.png",
        datasets=["org/ds"],
        base_model="org/bert",
        widget=[{"src": f"{url}/resolve/main/sample.wav", "text": f"from {base}/datasets/org/ds"}],
    )
    return repo("org/links", {"README.md": card + f"\n[here]({url})\n", "LICENSE": "none\n"})


def _kernel() -> RepoSpec:
    """A compute kernel as the kernels library loads it: a build folder for each variant."""
    variants = ("torch28-cxx11-cu128-x86_64-linux", "torch28-cxx11-cpu-x86_64-linux")
    texts, libraries = {}, []
    for seed, variant in enumerate(variants, 90):
        folder = f"build/{variant}/activation"
        texts[f"{folder}/__init__.py"] = "from ._ops import ops\n"
        texts[f"{folder}/_ops.py"] = "ops = None\n"
        library = Generated(60_000 + seed, seed)
        libraries.append(FileSpec(f"{folder}/_activation.abi3.so", library, lfs=True))
    card = readme("Activation", license="apache-2.0", tags=["kernel"])
    attributes = FileSpec(".gitattributes", Literal(b"*.so filter=lfs diff=lfs merge=lfs -text\n"))
    first = CommitSpec("Build uploaded", (attributes, *files_of(texts), *libraries))
    return RepoSpec(
        "kernels-org/activation",
        "kernel",
        commits=(first, commit("Add a card", {"README.md": card})),
        refs=(tag("v1", "main~1"),),
        downloads=1234,
        likes=3,
    )


def _tables() -> RepoSpec:
    """A dataset with two configurations, converted to real Parquet files."""
    rows = "text,label\n" + "".join(f"sentence {n},{n % 2}\n" for n in range(80))
    card = readme("Tables", license="cc0-1.0", language="en", tags=["tabular"])
    converted = {
        "default/train/0000.parquet": parquetfiles.TRAIN_0,
        "default/train/0001.parquet": parquetfiles.TRAIN_1,
        "default/test/0000.parquet": parquetfiles.TEST_0,
        "small config/train/0000.parquet": parquetfiles.TEST_0,
    }
    return RepoSpec(
        "org/tables",
        "dataset",
        commits=(commit("Upload", {"README.md": card, "data/train.csv": rows}),),
        refs=(convert("parquet", commit("Update parquet files", converted)),),
        downloads=99,
        likes=1,
    )


def _mixture() -> RepoSpec:
    """Sharded weights in two dtypes, their index in a folder."""
    shards = {
        "part-1.safetensors": tensors({"a": ("F32", [4, 8]), "b": ("BF16", [16])}, 51),
        "part-2.safetensors": tensors({"c.weight": ("F32", [3, 5, 2])}, 52),
    }
    weights = {"a": "part-1.safetensors", "b": "part-1.safetensors"}
    index = {
        "metadata": {"total_size": 280},
        "weight_map": weights | {"c.weight": "part-2.safetensors"},
    }
    files = {f"text encoder/{name}": data for name, data in shards.items()}
    files["text encoder/model.safetensors.index.json"] = Literal(json.dumps(index).encode())
    return repo("org/mixture", files, discussions=("How is it sharded?", "Thanks"))
