"""Fixtures of the store's tests; others import them from `fixtures`."""

import pytest

from .fixtures import database, domain, hub, makers, postgres, running_hub, store

__all__ = ["database", "domain", "hub", "makers", "postgres", "running_hub", "store"]


@pytest.fixture(autouse=True)
def nothing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known is read anew each time: tests make it older behind the store's back."""
    monkeypatch.setattr("pulp_hugging_face.store.known.TRUST", 0.0)
