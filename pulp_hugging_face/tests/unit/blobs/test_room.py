"""Room on the disk: refused in time, made where possible, and tidied up."""

import os
import time
from pathlib import Path

import pytest

from pulp_hugging_face.blobs import room
from pulp_hugging_face.blobs.journal import Flag
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.blobs.room import Limits, clean, require_room, survey
from pulp_hugging_face.hub.digests import BlobId
from pulp_hugging_face.hub.errors import StorageFull

from .sources import MIB, names

DAY = 24 * 3600


def partial(folder: Path, name: str, present: int, size: int = 10 * MIB) -> PartialFile:
    """Make a partial file of the domain "d" with some bytes present."""
    file = PartialFile(folder / "d", BlobId(name * 64, size))
    file.journal.set(Flag.KEEP)
    file.store(0, os.urandom(present), 0, present // MIB)
    return file


def idle(folder: Path, name: str, present: int, age: float = 0) -> Path:
    file = partial(folder, name, present)
    file.leave(keep=True)
    when = time.time() - age
    os.utime(file.journal.path, (when, when))
    return file.path


def test_the_disk_must_have_room_for_what_is_wanted(tmp_path: Path) -> None:
    require_room(tmp_path, tmp_path / "d" / "x.part", MIB, Limits())
    with pytest.raises(StorageFull) as refused:
        require_room(tmp_path, tmp_path / "d" / "x.part", 2**60, Limits())
    assert str(2**60) in refused.value.message and refused.value.status == 507


def test_a_quota_is_told_with_its_numbers(tmp_path: Path) -> None:
    own = tmp_path / "d" / "x.part"
    require_room(tmp_path, own, 5 * MIB, Limits(5 * MIB))
    with pytest.raises(StorageFull) as refused:
        require_room(tmp_path, own, 5 * MIB + 1, Limits(5 * MIB))
    assert str(5 * MIB + 1) in refused.value.message and str(5 * MIB) in refused.value.message


def test_idle_files_make_way_the_oldest_first(tmp_path: Path) -> None:
    old, young = idle(tmp_path, "a", 3 * MIB, 500), idle(tmp_path, "b", 3 * MIB, 100)
    require_room(tmp_path, tmp_path / "d" / "x.part", 4 * MIB, Limits(8 * MIB))
    assert not old.exists() and young.exists()


def test_files_in_use_do_not_make_way(tmp_path: Path) -> None:
    file = partial(tmp_path, "a", 3 * MIB)
    with pytest.raises(StorageFull):
        require_room(tmp_path, tmp_path / "d" / "x.part", 4 * MIB, Limits(6 * MIB))
    assert file.path.exists()
    require_room(tmp_path, file.path, 3 * MIB, Limits(6 * MIB))
    file.leave(keep=False)


def test_what_was_promised_to_others_is_not_promised_again(tmp_path: Path) -> None:
    file = partial(tmp_path, "a", 3 * MIB, size=20 * MIB)
    own, limits = tmp_path / "d" / "x.part", Limits(24 * MIB)
    require_room(tmp_path, own, 10 * MIB, limits)
    file.journal.set(Flag.WHOLE)
    with pytest.raises(StorageFull):
        require_room(tmp_path, own, 10 * MIB, limits)
    file.leave(keep=False)


def test_a_little_is_left_to_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESERVE", 2**60)
    with pytest.raises(StorageFull):
        require_room(tmp_path, tmp_path / "d" / "x.part", 1, Limits())


def test_what_nobody_wanted_for_long_is_removed(tmp_path: Path) -> None:
    old, young = idle(tmp_path, "a", 2 * MIB, DAY + 10), idle(tmp_path, "b", 2 * MIB, DAY - 10)
    used = partial(tmp_path, "c", MIB)
    os.utime(used.journal.path, (0, 0))
    assert 2 * MIB <= clean(tmp_path, Limits()) < 3 * MIB
    assert not old.exists() and young.exists() and used.path.exists()
    used.leave(keep=False)


def test_use_makes_young_again(tmp_path: Path) -> None:
    path = idle(tmp_path, "a", 2 * MIB, 2 * DAY)
    PartialFile(tmp_path / "d", BlobId("a" * 64, 10 * MIB)).leave(keep=True)
    assert clean(tmp_path, Limits()) == 0 and path.exists()


def test_what_deaths_left_half_is_removed_too(tmp_path: Path) -> None:
    domain = tmp_path / "d"
    domain.mkdir()
    (tmp_path / f"{'e' * 64}.0123.part").write_bytes(b"of an old version")
    (domain / f"{'a' * 64}.part").write_bytes(b"without a journal")
    idle(tmp_path, "b", MIB).unlink()
    other = tmp_path / "not-ours.txt"
    other.write_bytes(b"x")
    clean(tmp_path, Limits(max_age=-1))
    assert names(tmp_path) == [other.name]


def test_the_survey_tells_who_is_at_work(tmp_path: Path) -> None:
    idle(tmp_path, "a", 2 * MIB)
    file = partial(tmp_path, "b", MIB)
    assert {one.part.name[0]: one.idle for one in survey(tmp_path)} == {"a": True, "b": False}
    file.leave(keep=False)
