"""A repository of many small files with the real client."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import preflight
from benchmarks import snapshot_client as client
from benchmarks.load import LoadError
from benchmarks.servers import Server, bare_environment
from benchmarks.sizes import Sizes
from pulp_hugging_face.tests.functional.clients.venvs import HUB_24, ensure

from .base import CACHES, Bench, Metric, Row, at_most

SECONDS = 900.0
CHECKED = 12


class Snapshot(Row):
    """`snapshot_download` by a client with an empty cache, twice: the server is cold, then warm."""

    name = "snapshot"
    servers = CACHES
    metrics = (
        Metric(
            "snapshot-cold",
            "snapshot of 3,000 small files, cold",
            "s",
            "`snapshot_download` of huggingface_hub 2.4 with its default settings and an empty "
            "cache; the server has nothing either.",
            (at_most(25.0),),
        ),
        Metric(
            "snapshot-warm",
            "snapshot of 3,000 small files, warm",
            "s",
            "The same again with an empty cache; the server has everything.",
            (at_most(12.0),),
        ),
        Metric(
            "snapshot-cold-requests",
            "its requests upstream, cold",
            "requests",
            "What the cold snapshot asked the upstream; a small file is a redirect and a GET.",
            (at_most(6010),),
        ),
        Metric(
            "snapshot-warm-requests",
            "its requests upstream, warm",
            "requests",
            "What the warm snapshot asked the upstream.",
            (at_most(1),),
        ),
    )

    def repetitions(self, sizes: Sizes) -> int:
        return min(2, sizes.repetitions)

    def prepare(self, bench: Bench) -> None:
        bench.place("bench/snapshot-check", _files(CHECKED, 0))
        sizes = bench.sizes
        for count in (sizes.snapshot_files, sizes.snapshot_files_olah):
            for number in range(self.repetitions(sizes)):
                bench.place(f"bench/snapshot-{count}-{number}", _files(count, number + 1))

    def check(self, bench: Bench, server: Server) -> None:
        try:
            said = _download(bench, server, "bench/snapshot-check")
        except LoadError as error:
            raise preflight.Refused(str(error)) from error
        preflight.expect("the number of files", said["files"], CHECKED)
        preflight.expect("the digest of all files", said["sha256"], _digest(CHECKED, 0))

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        count = self._count(bench, server)
        wanted = _digest(count, repetition + 1)
        found = {}
        for state in ("cold", "warm"):
            bench.upstream.reset()
            said = _download(bench, server, f"bench/snapshot-{count}-{repetition}")
            if said["sha256"] != wanted:
                raise LoadError(f"{said['files']} files of {count}, or not with the right bytes")
            found[f"snapshot-{state}"] = said["seconds"]
            found[f"snapshot-{state}-requests"] = float(bench.upstream.counters().requests)
        return found

    def note(self, bench: Bench, server: Server) -> str:
        count = self._count(bench, server)
        return "" if count == bench.sizes.snapshot_files else f"{count:,} files"

    @staticmethod
    def _count(bench: Bench, server: Server) -> int:
        sizes = bench.sizes
        return sizes.snapshot_files_olah if server.name == "olah" else sizes.snapshot_files


def _files(count: int, seed: int) -> dict[str, bytes]:
    return {
        f"d{number % 30:02}/f{number:04}.json": f'{{"file": {number}, "seed": {seed}}}\n'.encode()
        for number in range(count)
    }


def _digest(count: int, seed: int) -> str:
    """Return what `snapshot_client` says of all files."""
    digest = hashlib.sha256()
    files = _files(count, seed)
    for path in sorted(files, key=Path):
        digest.update(path.encode() + b"\0" + files[path])
    return digest.hexdigest()


def _download(bench: Bench, server: Server, repo_id: str) -> dict[str, Any]:
    home = tempfile.mkdtemp(prefix="client-", dir=bench.folder)
    environment = {
        **bare_environment(),
        "HOME": home,
        "HF_HOME": home,
        "HF_ENDPOINT": server.url,
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [str(ensure(HUB_24) / "bin" / "python"), os.fspath(client.__file__), repo_id]
    try:
        done = subprocess.run(
            command, env=environment, cwd=home, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the client did not end within {SECONDS:.0f} s") from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        raise LoadError(f"the client failed: {done.stderr.strip().splitlines()[-1][:300]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
