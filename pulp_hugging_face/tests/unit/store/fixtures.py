"""A database, a domain and a remote of each test, the store, the fixture Hub. Also of serve."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .environment import configure

ROOT = configure()

from pulpcore.plugin.models import Domain  # noqa: E402
from pulpcore.plugin.util import set_domain  # noqa: E402

from pulp_hugging_face.app.models import HuggingFaceDistribution, HuggingFaceRemote  # noqa: E402
from pulp_hugging_face.standalone.errors import PostgresMissing  # noqa: E402
from pulp_hugging_face.store.db import Database  # noqa: E402
from pulp_hugging_face.store.distributions import remote_view  # noqa: E402
from pulp_hugging_face.store.service import Store  # noqa: E402
from pulp_hugging_face.store.views import RemoteView, View  # noqa: E402
from pulp_hugging_face.tests.hub import FixtureHub  # noqa: E402
from pulp_hugging_face.tests.unit.hub_process import hub, running_hub  # noqa: E402, F401

from . import cluster  # noqa: E402


@pytest.fixture(scope="session")
def postgres(django_db_blocker: Any) -> Iterator[None]:
    """The session's PostgreSQL; the tests look after their own data."""
    with django_db_blocker.unblock():
        try:
            with cluster.shared(ROOT):
                yield
                from django.db import connections

                connections.close_all()
        except PostgresMissing:
            pytest.skip("no PostgreSQL to be found")


@pytest.fixture
def domain(postgres: None, tmp_path: Path) -> Domain:
    """A domain of the test's own: nothing of other tests is in it."""
    media = tmp_path / "media"
    media.mkdir()
    made = Domain.objects.create(
        name=f"test-{uuid.uuid4().hex}",
        storage_class="pulpcore.app.models.storage.FileSystem",
        storage_settings={"MEDIA_ROOT": str(media)},
    )
    set_domain(made)
    return made


@pytest_asyncio.fixture
async def database(domain: Domain) -> AsyncIterator[Database]:
    made = Database()
    await made.open()
    yield made
    await made.call(_close_connection)
    await made.close()


def _close_connection() -> None:
    from django.db import connection

    connection.close()


class Makers:
    """Makes remotes and views of the test's domain. Blocking."""

    def __init__(self, domain: Domain, url: str) -> None:
        self.domain, self.url = domain, url

    def remote(self, **fields: Any) -> HuggingFaceRemote:
        values = {"url": self.url, "policy": "on_demand", "redirect_hosts": ["127.0.0.2"], **fields}
        return HuggingFaceRemote.objects.create(
            name=uuid.uuid4().hex, pulp_domain=self.domain, **values
        )

    def remote_view(self, **fields: Any) -> RemoteView:
        return remote_view(self.remote(**fields))

    def view(self, **fields: Any) -> View:
        """A view of a distribution; `fields` are the remote's."""
        return self.view_of(self.remote_view(**fields))

    def view_of(self, remote: RemoteView | None, **fields: Any) -> View:
        values: dict[str, Any] = {"guard": None, "repository": None, "version": None, **fields}
        return View(
            pk=uuid.uuid4(),
            domain_pk=self.domain.pk,
            domain=self.domain.name,
            base_path="hf",
            path="/pulp/content/hf",
            remote=remote,
            storage=self.domain.get_storage(),
            **values,
        )

    def distribution(self, base_path: str, **fields: Any) -> HuggingFaceDistribution:
        return HuggingFaceDistribution.objects.create(
            name=uuid.uuid4().hex, base_path=base_path, pulp_domain=self.domain, **fields
        )


@pytest_asyncio.fixture
async def makers(domain: Domain, hub: FixtureHub) -> Makers:  # noqa: F811
    return Makers(domain, hub.url)


@pytest_asyncio.fixture
async def store(domain: Domain) -> AsyncIterator[Store]:
    """The whole store of one content process."""
    made = Store()
    await made.open()
    yield made
    await made.database.call(_close_connection)
    await made.close()
