"""Partial files: opened by many, removed by the last, taken up after a death."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pulp_hugging_face.blobs.journal import Flag, Journal, Lock, State, peek
from pulp_hugging_face.blobs.partial import BeingLeft, BeingPublished, PartialFile
from pulp_hugging_face.blobs.segments import Layout

from .sources import MIB, lfs, names, pattern

CONTENT = pattern(200_000)
BLOB = lfs(CONTENT)
LAYOUT = Layout(len(CONTENT), 10_000)


def opened(folder: Path) -> PartialFile:
    return PartialFile(folder, BLOB, LAYOUT)


def fill_some(file: PartialFile, count: int = 5) -> None:
    file.journal.set(Flag.KEEP)
    file.store(0, CONTENT[: count * 10_000], 0, count)


def test_who_opens_it_shares_it(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    assert one.fresh and not other.fresh
    fill_some(one)
    assert other.journal.first_absent() == 5 and other.read(0, 50_000) == CONTENT[:50_000]
    assert one.path.stat().st_mode & 0o777 == 0o600
    one.close()
    other.close()


def test_what_a_dead_process_left_is_taken_up(tmp_path: Path) -> None:
    first = opened(tmp_path)
    fill_some(first)
    first.close()  # as the kernel does
    second = opened(tmp_path)
    assert not second.fresh and second.journal.present_bytes() == 50_000


def test_the_last_one_removes_what_is_of_no_use(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    one.leave(keep=True)
    assert len(names(tmp_path)) == 2, "the other still has it"
    other.leave(keep=True)
    assert names(tmp_path) == []


def test_what_somebody_wants_kept_stays(tmp_path: Path) -> None:
    one = opened(tmp_path)
    fill_some(one)
    one.leave(keep=True)
    assert len(names(tmp_path)) == 2
    other = opened(tmp_path)
    other.leave(keep=False)
    assert names(tmp_path) == []


def test_it_can_be_read_after_its_names_are_gone(tmp_path: Path) -> None:
    one = opened(tmp_path)
    fill_some(one)
    one.remove()
    one.remove()
    assert names(tmp_path) == [] and one.read(10, 20) == CONTENT[10:30]


def test_removing_an_old_one_leaves_the_new_one_of_the_same_name(tmp_path: Path) -> None:
    old = opened(tmp_path)
    old.remove()
    new = opened(tmp_path)
    fill_some(new)
    old.remove()
    assert old.read(0, 10) == b""
    old.leave(keep=False)
    assert len(names(tmp_path)) == 2 and new.fresh


def test_bad_bytes_are_not_shared_with_who_comes_later(tmp_path: Path) -> None:
    bad = opened(tmp_path)
    fill_some(bad)
    bad.journal.set(Flag.STATE, State.BAD)
    new = opened(tmp_path)
    assert new.journal.state is State.FILLING and new.journal.present_bytes() == 0
    new.store(0, b"x" * 10_000, 0, 1)
    assert bad.read(0, 3) == CONTENT[:3], "the old reader has the old file"


def test_bad_bytes_of_a_dead_process_are_dropped(tmp_path: Path) -> None:
    bad = opened(tmp_path)
    fill_some(bad)
    bad.journal.set(Flag.STATE, State.BAD)
    bad.close()
    new = opened(tmp_path)
    assert new.fresh and new.journal.state is State.FILLING


def test_a_file_that_is_being_published_is_not_begun_anew(tmp_path: Path) -> None:
    publisher = opened(tmp_path)
    fill_some(publisher)
    publisher.journal.set(Flag.STATE, State.MATCHED)
    publisher.path.rename(tmp_path / "artifact")
    with pytest.raises(BeingPublished):
        opened(tmp_path)
    publisher.close()  # it died: the artifact may be there or not
    new = opened(tmp_path)
    assert new.fresh
    new.store(0, b"x" * 10_000, 0, 1)
    assert (tmp_path / "artifact").read_bytes() == CONTENT[:50_000]


def test_what_is_present_is_never_written_again(tmp_path: Path) -> None:
    """It may have been hashed already, or be an artifact."""
    file = opened(tmp_path)
    file.store(10_000, CONTENT[10_000:20_000], 1, 2)
    file.store(5_000, b"x" * 20_000, 2, 2)
    assert file.read(5_000, 5_000) == b"x" * 5_000
    assert file.read(10_000, 10_000) == CONTENT[10_000:20_000]
    assert file.read(20_000, 5_000) == b"x" * 5_000


def test_a_part_that_has_another_name_too_is_left_alone(tmp_path: Path) -> None:
    first = opened(tmp_path)
    fill_some(first)
    os.link(first.path, tmp_path / "artifact")
    first.close()
    second = opened(tmp_path)
    assert second.fresh
    second.store(0, b"x" * 10_000, 0, 1)
    assert (tmp_path / "artifact").read_bytes() == CONTENT[:50_000]


def test_a_part_that_somebody_deleted_is_begun_anew(tmp_path: Path) -> None:
    for close in (True, False):
        one = opened(tmp_path)
        fill_some(one)
        one.path.unlink()
        if close:
            one.close()
        other = opened(tmp_path)
        assert other.journal.present_bytes() == 0
        other.leave(keep=False)


def test_a_journal_of_something_else_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / f"{BLOB.key}.journal").write_bytes(os.urandom(148))
    (tmp_path / f"{BLOB.key}.part").write_bytes(b"junk")
    file = opened(tmp_path)
    assert file.fresh and file.read(0, 10) == b""


class Lingering(PartialFile):
    """Leaves in two steps, as a process that waits for the processor in between."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, BLOB, LAYOUT)
        self.leaving, self.go_on = threading.Event(), threading.Event()

    def close(self) -> None:
        self.leaving.set()
        assert self.go_on.wait(60)
        super().close()


@pytest.mark.parametrize("keep", [True, False])
def test_who_opens_it_while_another_leaves_has_a_share_in_it(tmp_path: Path, keep: bool) -> None:
    leaving = Lingering(tmp_path)
    fill_some(leaving)
    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(leaving.leave, keep=keep)
        assert leaving.leaving.wait(60)
        file = opened(tmp_path)
        leaving.go_on.set()
        left.result()
    assert peek(file.journal.path).in_use
    opened(tmp_path).leave(keep=False)
    assert len(names(tmp_path)) == 2 and file.journal.is_named(), "it is not the last one's"


def test_a_file_that_somebody_has_alone_is_not_shared_yet(tmp_path: Path) -> None:
    opened(tmp_path).close()
    other = Journal(tmp_path / f"{BLOB.key}.journal", LAYOUT)
    assert other.try_lock(Lock.ATTACHED)
    with pytest.raises(BeingLeft):
        opened(tmp_path)
    other.close()
    opened(tmp_path).leave(keep=False)
    assert names(tmp_path) == []


def test_a_file_whose_name_is_another_s_is_not_to_be_published(tmp_path: Path) -> None:
    mine = opened(tmp_path)
    mine.require_name()
    mine.remove()
    mine.require_name()  # it is for the storage to miss it
    other = opened(tmp_path)
    with pytest.raises(OSError, match="another"):
        mine.require_name()
    other.require_name()
    other.path.rename(tmp_path / "elsewhere")
    other.path.touch()
    with pytest.raises(OSError, match="another"):
        other.require_name()


RACE = """
import sys
from pathlib import Path
from pulp_hugging_face.blobs.partial import PartialFile
from pulp_hugging_face.hub.digests import BlobId
for _ in range(300):
    file = PartialFile(Path(sys.argv[1]), BlobId("a" * 64, 5_000_000))
    assert file.journal.is_named() and file.path.exists()
    file.store(0, b"x" * 10, 0, 0)
    file.leave(keep=False)
"""


def test_opening_and_removing_at_the_same_time(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()
    assert names(tmp_path) == []


def test_a_large_file_takes_the_disk_it_needs_only(tmp_path: Path) -> None:
    file = PartialFile(tmp_path, lfs(b"x"), Layout(60_000 * MIB))
    file.store(59_999 * MIB, b"y" * MIB, 59_999, 60_000)
    used = sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir())
    assert used < 2 * MIB
    file.leave(keep=False)
