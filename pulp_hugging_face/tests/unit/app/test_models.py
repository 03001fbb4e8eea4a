"""Versions of a repository, the files of a commit, and secrets in the database."""

from typing import Any

import pytest
from django.db import connection
from pulpcore.plugin.models import Domain

from pulp_hugging_face.app.files import CommitFiles
from pulp_hugging_face.app.models import Commit, HuggingFaceRemote, Ref
from pulp_hugging_face.hub.manifest import Entry, Lfs, manifest_from_listing
from pulp_hugging_face.store.trees import save_manifest
from pulp_hugging_face.tests.unit.store.fixtures import Makers
from pulp_hugging_face.tests.unit.store.test_contents import Shelf, save_ref
from pulp_hugging_face.tests.unit.store.test_trees import save_commit


@pytest.fixture
def shelf(domain: Domain) -> Shelf:
    return Shelf(domain)


def units(shelf: Shelf, model: type[Any]) -> set[Any]:
    version = shelf.repository.latest_version()
    return set(model.objects.filter(pk__in=version.content.values("pk")).values_list("sha"))


def test_a_ref_brings_its_commit(shelf: Shelf) -> None:
    assert units(shelf, Commit) == {(shelf.old.sha,), (shelf.new.sha,), (shelf.tagged.sha,)}


def test_a_moved_ref_replaces_the_old_one(shelf: Shelf) -> None:
    version = shelf.repository.latest_version()
    refs = Ref.objects.filter(pk__in=version.content.values("pk"), name="refs/heads/main")
    assert [ref.sha for ref in refs] == [shelf.new.sha]


def test_a_removed_commit_takes_its_refs_along(shelf: Shelf) -> None:
    with shelf.repository.new_version() as version:
        version.remove_content(Commit.objects.filter(pk=shelf.tagged.pk))
    assert (shelf.tagged.sha,) not in units(shelf, Ref) | units(shelf, Commit)
    assert (shelf.new.sha,) in units(shelf, Ref)


def test_a_ref_does_not_bring_a_commit_of_another_domain(
    shelf: Shelf, domain: Domain, makers: Makers
) -> None:
    stranger = save_commit(Domain.objects.get(name="default"))
    try:
        ref = save_ref(domain, stranger, "refs/heads/strange")
        with shelf.repository.new_version() as version:
            version.add_content(Ref.objects.filter(pk=ref.pk))
        assert (stranger.sha,) not in units(shelf, Commit)
    finally:
        stranger.delete()


LISTING = [
    Entry("README.md", "1" * 40, 5),
    Entry("a", "2" * 40, is_dir=True),
    Entry("a/w.bin", "3" * 40, 9, Lfs("4" * 64, 9, 126)),
    *(Entry(f"f-{n:03}", f"{n:040x}", n) for n in range(50)),
]


def test_files_of_a_commit_can_be_counted_and_sliced(domain: Domain) -> None:
    commit = save_commit(domain)
    assert len(CommitFiles(commit)) == 0
    save_manifest(domain.pk, commit.pk, manifest_from_listing(LISTING))
    files = CommitFiles(Commit.objects.get(pk=commit.pk))
    assert files.count() == 52
    names = sorted(entry.path for entry in LISTING if not entry.is_dir)
    assert [file.path for file in files[0:1000]] == names
    assert [file.path for file in files[10:20]] == names[10:20]
    (lfs,) = (file for file in files[0:100] if file.sha256)
    assert (lfs.path, lfs.sha256, lfs.size, lfs.held) == ("a/w.bin", "4" * 64, 9, False)


def test_the_token_is_encrypted_in_the_database(makers: Makers) -> None:
    made = makers.remote(hf_token="hf_in_clear")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hf_token FROM hugging_face_huggingfaceremote WHERE remote_ptr_id = %s",
            [made.pk],
        )
        (stored,) = cursor.fetchone()
    assert stored and "hf_in_clear" not in stored
    assert HuggingFaceRemote.objects.get(pk=made.pk).hf_token == "hf_in_clear"
