import pytest

from pulp_hugging_face.tests.hub import FixtureHub


@pytest.fixture(scope="session")
def running_hub():
    with FixtureHub() as hub:
        yield hub


@pytest.fixture
def hub(running_hub):
    """One process for all tests of the session, in good weather and with an empty log."""
    running_hub.reset_all()
    return running_hub
