"""Real clients get held files from an object storage: by redirect and through us."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pulp_hugging_face.tests.functional.clients.machine import JavascriptMachine, Machine
from pulp_hugging_face.tests.functional.clients.venvs import (
    ALL_HUBS,
    HUB_036,
    HUB_24,
    JAVASCRIPT,
    ClientKind,
)
from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .conftest import Client
from .shelf import LARGE, MIB, Shelf, bucket, domain, gate, one_signature, server, shelf
from .test_files import P

pytestmark = [pytest.mark.asyncio, one_signature]

__all__ = ["bucket", "domain", "gate", "server", "shelf"]

FILES = ("large.bin", "regular.txt", "small.json")
REPO = "org/stored"
CUT = 11 * MIB


def machine(kind: ClientKind, home: Path, client: Client, settings: Any) -> Machine:
    """A machine whose user has a token; the server knows by which address it is called."""
    origin = str(client.make_url("/")).rstrip("/")
    settings.CONTENT_ORIGIN = origin
    made = JavascriptMachine if kind is JAVASCRIPT else Machine
    return made(kind, home / "home", origin + P, OWNER_TOKEN, extra={"HF_HUB_DISABLE_XET": "1"})


def nothing_of_the_hub_reached(shelf: Shelf) -> None:
    """The client's token went to nobody but us."""
    for asked in shelf.gate.gets():
        assert OWNER_TOKEN not in f"{asked.url}{asked.headers}"


@pytest.mark.parametrize(
    ("kind", "redirects"),
    [*((kind, True) for kind in ALL_HUBS.values()), (HUB_036, False), (HUB_24, False)],
    ids=lambda value: value.name if isinstance(value, ClientKind) else str(value),
)
async def test_files_ranges_and_broken_downloads(
    shelf: Shelf, tmp_path: Path, settings: Any, kind: ClientKind, redirects: bool
) -> None:
    client = await shelf.serve(redirects=redirects)
    await shelf.hold(client, *FILES, "resumed.bin")
    here = machine(kind, tmp_path, client, settings)
    wanted = {path: {"repo_id": REPO, "filename": path} for path in FILES}
    start, length = 4 * MIB + 7, 200_000
    resumed = ("download", wanted["large.bin"] | {"filename": "resumed.bin"})
    steps = {
        "files": ("downloads", {"wanted": wanted}),
        "block": ("block", {"path": f"{REPO}/large.bin", "start": start, "length": length}),
        "cut": resumed,
        "again": resumed,
    }
    shelf.gate.cuts = [CUT]
    tour = await asyncio.to_thread(here.tour, steps)
    got = tour.value("files")
    for path in FILES:
        info = shelf.hub.file(REPO, path)
        assert (got[path]["sha256"], got[path]["blob"]) == (info.sha256, info.etag.strip('"'))
        assert got[path]["commit"] == shelf.hub.sha(REPO)
    content = shelf.truth("large.bin")
    assert tour.value("block") == content[start : start + length].hex()
    assert tour.value("again")["sha256"] == shelf.hub.file(REPO, "resumed.bin").sha256
    assert shelf.gate.cuts == []
    statuses = [r.status for r in tour.requests if r.method == "GET" and "large" in (r.path or "")]
    assert statuses and set(statuses) <= ({302} if redirects else {200, 206})
    if redirects:
        # No byte of the long ones came through us, and what was there was not sent again.
        begun = [asked.range for asked in shelf.gate.gets() if asked.range != "bytes=0-0"]
        assert any(range and range.startswith("bytes=1") for range in begun)
        nothing_of_the_hub_reached(shelf)
    assert shelf.hub.counters().total_blob_bytes == 0


@pytest.mark.parametrize("redirects", [True, False])
async def test_the_javascript_client(
    shelf: Shelf, tmp_path: Path, settings: Any, redirects: bool
) -> None:
    client = await shelf.serve(redirects=redirects)
    await shelf.hold(client, *FILES)
    here = machine(JAVASCRIPT, tmp_path, client, settings)
    whole = {"repo": REPO, "path": "large.bin"}
    part = whole | {"start": 5 * MIB, "end": 6 * MIB}
    got, some = await asyncio.to_thread(here.outcomes, ("download", whole), ("slice", part))
    sha256 = shelf.hub.file(REPO, "large.bin").sha256
    assert got == {"sha256": sha256, "size": LARGE}
    assert some == shelf.truth("large.bin")[5 * MIB : 6 * MIB].hex()
    assert any("Signature" in str(asked.url) for asked in shelf.gate.gets()) is redirects
    nothing_of_the_hub_reached(shelf)
