"""Buckets: what clients of 2.x can read of them, and what they cannot without Xet."""

import hashlib

import pytest

from pulp_hugging_face.tests.hub import FixtureHub

from .caches import Cache
from .clients.machine import Machine, Tour
from .clients.venvs import HUB_24

BUCKET, LARGE = "org/store", "checkpoints/step 1/model.safetensors"


@pytest.fixture(scope="module")
def machine(common: Cache, tmp_path_factory) -> Machine:
    return Machine(HUB_24, tmp_path_factory.mktemp("buckets"), common.url)


@pytest.fixture(scope="module")
def tour(hub_process: FixtureHub, machine: Machine) -> Tour:
    """All of the steps in one process."""
    hub_process.reset_all()
    machine.home.mkdir(exist_ok=True)
    folder = str(machine.home)
    return machine.tour(
        {
            "read": ("bucket", {"name": BUCKET, "large": LARGE, "folder": folder}),
            "metadata": ("bucket_metadata", {"name": BUCKET, "path": "notes.txt"}),
            "download": (
                "bucket_download",
                {"name": BUCKET, "path": "notes.txt", "folder": folder},
            ),
        }
    )


def test_a_bucket_is_read_by_client_and_file_system(hub, tour, machine):
    truth = hub.bytes_of(BUCKET, LARGE, type="bucket")
    files = hub.manifest(BUCKET, type="bucket")
    assert tour.value("read") == {
        "listed": [BUCKET],
        "files": len(files),
        "tree": {path: file.size for path, file in files.items()},
        "paths": [[LARGE, len(truth)]],
        "ls": [f"buckets/{BUCKET}/logs/a b#1.txt", f"buckets/{BUCKET}/logs/deep"],
        "blocks": [truth[1_000_000:1_000_004].hex(), "all"],
        "cat": "small\n",
        "stream": ["sm", "all\n", ""],
    }
    fetched = (machine.home / "fetched").read_bytes()
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(truth).digest()
    assert {request.status for request in tour["read"].requests} <= {200, 206, 404, 416}
    assert all(request.path is not None for request in tour.requests)


def test_downloads_of_the_client_itself_need_xet(tour, machine):
    """It does not ask for the file by HTTP: nothing that a server answers makes it."""
    assert "xet" in str(tour.error("metadata"))
    assert tour.error("download").name == "TypeError"
    for command in (("cp", f"hf://buckets/{BUCKET}/notes.txt", "copy.txt"),
                    ("sync", f"hf://buckets/{BUCKET}", "copy")):  # fmt: skip
        assert machine.command("hf", "buckets", *command).returncode != 0
    paths = [request.path for request in tour["download"].requests]
    assert paths == [f"/api/buckets/{BUCKET}/paths-info"]


def test_a_bucket_is_listed_by_the_command(machine):
    done = machine.command("hf", "buckets", "ls", BUCKET)
    assert done.returncode == 0, done.stderr
    assert "notes.txt" in done.stdout
