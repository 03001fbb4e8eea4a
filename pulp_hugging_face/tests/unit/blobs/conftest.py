"""Fixtures of the fills."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pulp_hugging_face.blobs import transfer
from pulp_hugging_face.blobs.manager import FOLDER, FillManager
from pulp_hugging_face.tests.unit.hub_process import hub, running_hub  # noqa: F401

from .sources import Publisher


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken transfers are taken up again at once."""
    monkeypatch.setattr(transfer, "BACKOFF", 0)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    kept = tmp_path / "kept"
    kept.mkdir()
    return Publisher(kept)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where partial files are."""
    return tmp_path / FOLDER


@pytest_asyncio.fixture
async def manager(tmp_path: Path, publisher: Publisher) -> AsyncIterator[FillManager]:
    made = FillManager(tmp_path, publisher)
    await made.open()
    yield made
    await made.close()
