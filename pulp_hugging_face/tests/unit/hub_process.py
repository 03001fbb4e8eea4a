"""The fixture Hub for the tests of a package; its conftest imports both fixtures."""

from collections.abc import Iterator

import pytest

from pulp_hugging_face.tests.hub import FixtureHub


@pytest.fixture(scope="session")
def running_hub() -> Iterator[FixtureHub]:
    with FixtureHub() as hub:
        yield hub


@pytest.fixture
def hub(running_hub: FixtureHub) -> FixtureHub:
    """One process for all tests of the session, in good weather and with an empty log."""
    running_hub.reset_all()
    return running_hub
