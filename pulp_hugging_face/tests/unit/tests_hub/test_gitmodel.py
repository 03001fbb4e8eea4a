"""The model's ids are those that git itself computes."""

import hashlib
import os
import subprocess

import pytest

from pulp_hugging_face.tests.hub import standard_catalogue
from pulp_hugging_face.tests.hub.content import BLOCK, Generated, pieces
from pulp_hugging_face.tests.hub.gitmodel import Blob
from pulp_hugging_face.tests.hub.repos import Repo


@pytest.fixture(scope="module")
def org_repo() -> Repo:
    return Repo.declared(next(spec for spec in standard_catalogue() if spec.id == "org/repo"))


def git(directory, *arguments, stdin=None, **environment):
    result = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments],
        cwd=directory,
        input=stdin,
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    return result.stdout.decode()


def commit_with_git(directory, commit):
    """Check the files of a modelled commit in with git; returns the new commit's sha."""
    git(directory, "read-tree", "--empty")
    lines = []
    for path, blob in commit.files.items():
        data = blob.lfs.pointer if blob.lfs else blob.content.read(0, blob.size)
        oid = git(directory, "hash-object", "-w", "--stdin", stdin=data).strip()
        assert oid == blob.oid, path
        lines.append(f"{blob.mode} {oid}\t{path}\0")
    git(directory, "update-index", "-z", "--index-info", stdin="".join(lines).encode())
    tree = git(directory, "write-tree").strip()
    parents = [word for parent in commit.parents for word in ("-p", parent)]
    message = "\n\n".join(filter(None, (commit.title, commit.message))) + "\n"
    who = {"NAME": commit.author, "EMAIL": f"{commit.author}@users.noreply.huggingface.co",
           "DATE": f"{commit.timestamp} +0000"}  # fmt: skip
    environment = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
    made = git(
        directory, "commit-tree", tree, *parents, stdin=message.encode(), **environment
    ).strip()
    assert tree == commit.tree.oid
    return made


def test_commits_trees_and_blobs_have_the_ids_of_git(tmp_path, org_repo):
    git(tmp_path, "init", "-q")
    for commit in reversed(org_repo.history(org_repo.head)):
        assert commit_with_git(tmp_path, commit) == commit.sha
    listed = git(tmp_path, "ls-tree", "-r", "-t", "-z", org_repo.head.sha).split("\0")[:-1]
    ours = [f"{entry.node.mode.zfill(6)} {'blob' if isinstance(entry.node, Blob) else 'tree'} "
            f"{entry.oid}\t{entry.path}" for entry in org_repo.head.entries.values()]  # fmt: skip
    assert ours == listed


def test_one_file_is_executable(org_repo):
    assert [p for p, b in org_repo.head.files.items() if b.mode == "100755"] == ["run.sh"]


def test_refs_of_all_kinds_have_their_own_commits(org_repo):
    assert org_repo.refs["refs/tags/v1"] == org_repo.target("main~1")
    dev = org_repo.commits[org_repo.refs["refs/heads/dev"]]
    assert dev.parents == (org_repo.head.sha,)
    assert set(org_repo.refs) >= {"refs/heads/feat/x", "refs/pr/1", "refs/pr/2"}


def test_shas_do_not_change_from_process_to_process(org_repo):
    """Golden: a test may pin them."""
    assert org_repo.head.sha == "18f83e0feb927ea8032c8985a0f28811923cf993"


def test_last_change_is_the_commit_that_touched_the_path(org_repo):
    head = org_repo.head
    titles = {path: org_repo.last_change(head, head.entries[path]).title for path in head.entries}
    assert titles["README.md"] == "initial commit"
    assert titles["sub dir"] == "Upload model"
    assert titles["tokenizer.json"] == "Update tokenizer"


def test_short_shas_resolve_when_unambiguous(org_repo):
    assert org_repo.resolve(org_repo.head.sha[:8]) is org_repo.head
    assert org_repo.resolve(org_repo.head.sha[:4]) is None
    assert org_repo.resolve("0" * 40) is None


@pytest.mark.parametrize("start", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 17])
@pytest.mark.parametrize("length", [0, 1, 16, BLOCK, 2 * BLOCK + 1])
def test_generated_content_reads_the_same_at_any_offset(start, length):
    content = Generated(4 * BLOCK + 100, seed=11)
    whole = b"".join(pieces(content, 1000))
    assert len(whole) == content.size
    assert content.read(start, length) == whole[start : start + length]


def test_generated_content_differs_by_block_and_by_seed():
    one, two = Generated(4 * BLOCK, seed=1), Generated(4 * BLOCK, seed=2)
    assert len({one.read(n * BLOCK, BLOCK) for n in range(4)}) == 4
    assert one.sha256 != two.sha256
    assert one.sha256 == hashlib.sha256(one.read(0, one.size)).hexdigest()


def test_a_gibibyte_is_declared_without_memory():
    huge = Generated(1 << 40, seed=5)
    assert len(huge.read((1 << 40) - 10, 100)) == 10
