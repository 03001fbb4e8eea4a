"""The data folder: private, whole, held by one, refused with a sentence."""

import errno
import os
import stat
import subprocess
import sys
from collections import namedtuple

import pytest

from pulp_hugging_face.standalone import datadir
from pulp_hugging_face.standalone.datadir import DataDir
from pulp_hugging_face.standalone.errors import AlreadyRunning, DataFolderFull, DataFolderUnusable

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def data(tmp_path):
    data = DataDir(tmp_path / "new" / "data")
    data.prepare()
    return data


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_private(data):
    data.ensure_secrets()
    before = data.database_key.read_text(), data.secret_key.read_text()
    data.ensure_secrets()
    assert (data.database_key.read_text(), data.secret_key.read_text()) == before
    assert mode(data.database_key) == mode(data.secret_key) == 0o600


def test_the_database_key_is_a_fernet_key(data):
    from cryptography.fernet import Fernet

    data.ensure_secrets()
    Fernet(data.database_key.read_bytes().strip())


def test_a_generated_password_stays_and_a_given_one_replaces_it(data):
    generated = data.ensure_admin_password(None)
    assert len(generated) >= 16 and data.ensure_admin_password(None) == generated
    assert data.ensure_admin_password("given") == "given"
    assert data.ensure_admin_password(None) == "given"
    assert mode(data.admin_password) == 0o600


def test_others_cannot_list_the_folder(data):
    assert mode(data.root) & 0o066 == 0
    assert mode(data.media) == mode(data.logs) == 0o700


def test_two_instances_cannot_hold_one_folder(data):
    data.write_json(data.state, {"endpoint": "http://here"})
    code = (
        "import sys; from pathlib import Path;"
        "from pulp_hugging_face.standalone.datadir import DataDir;"
        "\nwith DataDir(Path(sys.argv[1])).locked(): print(1, flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(data.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    other.stdout.readline()
    with pytest.raises(AlreadyRunning) as refused, data.locked():
        pass
    assert refused.value.pid == other.pid and "http://here" in str(refused.value)
    assert data.holder().pid == other.pid
    other.communicate()
    assert data.holder() is None
    with data.locked():
        pass


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "disk is full"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_the_system_refuses_is_one_sentence(tmp_path, monkeypatch, number, words):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataFolderUnusable, match=words) as refused:
        DataDir(tmp_path / "data").prepare()
    assert "--data" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(DataFolderUnusable, match="no permission"):
        DataDir(tmp_path / "locked" / "data").prepare()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(DataFolderUnusable, match="not a folder"):
            DataDir(folder).prepare()


def test_a_first_start_wants_room_for_a_database_and_a_later_one_little(tmp_path, monkeypatch):
    free = 100 * datadir.MIB
    monkeypatch.setattr(datadir.shutil, "disk_usage", lambda path: Usage(0, 0, free))
    data = DataDir(tmp_path / "data")
    with pytest.raises(DataFolderFull, match="100 MiB are free"):
        data.prepare()
    data.postgres.mkdir()
    (data.postgres / "PG_VERSION").write_text("18")
    data.prepare()


def test_a_broken_state_file_is_no_state(data):
    data.state.write_text("{")
    assert data.read_state() == {}


def test_a_failed_write_leaves_the_old_file(data, monkeypatch):
    data.write(data.settings, "old")

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataFolderUnusable):
        data.write(data.settings, "new")
    assert data.settings.read_text() == "old"
