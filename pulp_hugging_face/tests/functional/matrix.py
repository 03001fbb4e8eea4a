"""
The lines of the conformance matrix (hub-protocol.md §7) and the tests that carry them.

`python -m pulp_hugging_face.tests.functional.matrix` prints which test proves which line.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

LINES = {
    "A1": "a regular file: equal, HEAD and GET, blob named by git sha1",
    "A2": "the same again: one HEAD, no GET",
    "A3": "an LFS file: blob named by sha256",
    "A4": "an LFS file with Xet disabled: no token and no CAS call",
    "A5": "an empty file, and others that are not empty",
    "A6": "a name with accents, space and hash",
    "A7": "tag, branch, pull request, full sha",
    "A8": "full sha again: no request",
    "A9": "unknown revision: RevisionNotFoundError",
    "A10": "missing file: EntryNotFoundError, remembered in .no_exist",
    "A11": "unknown repository: RepositoryNotFoundError",
    "A12": "legacy id: one 307",
    "A13": "a file of a dataset",
    "A14": "local_dir twice: HEAD only",
    "A15": "gated: refused to anybody, open to the granted",
    "A16": "private: hidden, open to the owner, still hidden when cached",
    "A17": "get_hf_file_metadata: commit, ETag, size, no Xet",
    "A18": "file_exists",
    "A19": "the server dies in the middle of a large file",
    "A20": "HEAD of a cold 5 GB file within 10 s",
    "A21": "GET of a cold 5 GB file: first byte within 10 s, no gap above 10 s",
    "A22": "first byte by range",
    "A23": "ranges at and past the end",
    "A24": "compression is not applied",
    "B25": "snapshot_download: all files, the known sequence of calls",
    "B26": "the same again: one request, with full sha none on 2.4",
    "B27": "hf download --include",
    "B28": "hf download --dry-run: no body",
    "B29": "snapshot of a legacy id is complete",
    "B30": "a listing of more than 1,000 entries",
    "B31": "a listing of a directory in a pull request; of an absent one",
    "B32": "paths-info with last commits",
    "B33": "refs of all kinds",
    "B34": "commits on several pages",
    "B35": "model_info on 0.23.5",
    "B36": "model_info with file metadata and with expand",
    "B37": "lists and searches",
    "B38": "repo_exists",
    "B39": "revision_exists",
    "B40": "HfFileSystem.glob",
    "B41": "HfFileSystem: bytes in the middle of a large file",
    "B42": "pandas and pyarrow read hf:// addresses",
    "B43": "hf cache verify",
    "C44": "AutoConfig and AutoTokenizer; known-missing files are not asked for again",
    "C45": "a tokenizer without additional chat templates",
    "C46": "cached_files",
    "C47": "sharded safetensors",
    "C48": "load_dataset: whole, streaming, data_files; no outside host needed",
    "C49": "load_dataset of a file by its address",
    "C50": "load_dataset of an unknown one: DatasetNotFoundError",
    "C51": "DiffusionPipeline.download",
    "C52": "SentenceTransformer",
    "C53": "the JavaScript client",
    "C54": "llama.cpp and the Rust client",
    "D55": "create_repo: refused, read-only cache",
    "D56": "upload_file of a small file: refused, read-only cache",
    "D57": "upload_file of a large file: refused before its bytes are sent, read-only cache",
    "D58": "an upload in parts: refused before its bytes are sent, read-only cache",
    "D59": "upload of a README.md: refused, read-only cache",
    "D60": "hf upload of a folder to a branch: refused, read-only cache",
    "D61": "deletions, branches and tags: refused, read-only cache",
    "D62": "an upload with Xet on: refused as quickly, read-only cache",
    "E63": "hosts contacted: only the endpoint",
    "E64": "two cold clients, one big file",
    "E65": "upstream trouble during a cold GET",
    "E66": "upstream down: what is cached is served",
    "E67": "an endpoint with a trailing slash",
    "E68": "no request without the prefix",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Proof:
    """A test that carries the mark of a line."""

    line: str
    file: str
    test: str


def proofs() -> list[Proof]:
    """Return all tests with `@pytest.mark.matrix(...)`, read from the sources."""
    return sorted(proof for path in HERE.glob("test_*.py") for proof in _in_file(path))


def _in_file(path: Path) -> Iterator[Proof]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for line in _lines(node):
                yield Proof(line, path.name, node.name)


def _lines(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.matrix":
            yield from (str(ast.literal_eval(argument)) for argument in mark.args)


def table() -> str:
    """Return the matrix as a Markdown table."""
    found = proofs()
    rows = ["| line | what | tests |", "|---|---|---|"]
    for line, what in LINES.items():
        tests = [f"`{p.file}::{p.test}`" for p in found if p.line == line]
        rows.append(f"| {line} | {what} | {'<br>'.join(tests)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
