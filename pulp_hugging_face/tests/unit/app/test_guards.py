"""Content guards ask for rights in the distribution's domain, whatever path led there."""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from django.contrib.auth import get_user_model
from pulpcore.app.models.role import Role, UserRole
from pulpcore.plugin.models import Domain
from pulpcore.plugin.util import get_domain

from pulp_hugging_face.app import content
from pulp_hugging_face.tests.unit.store.fixtures import Makers


@pytest.fixture
def guard(domain: Domain) -> Any:
    from pulpcore.app.models import RBACContentGuard

    return RBACContentGuard.objects.create(name=uuid.uuid4().hex, pulp_domain=domain)


def asking(user: Any, domain: Domain | None) -> Any:
    """Return what pulpcore's authentication leaves behind."""
    return SimpleNamespace(user=user, pulp_domain=domain, method="GET", authenticators=())


def may_read(user: Any, guard: Any, makers: Makers) -> bool:
    """Ask as from the root of the host, where pulpcore takes the default domain for granted."""
    request = make_mocked_request("GET", "/api/models/org/repo")
    default = Domain.objects.get(name="default")
    request["drf_request"] = asking(user, default)
    view = makers.view_of(None, guard=guard.pk)
    reason = content._refusal_of_guard(view, request)
    assert get_domain().pk == guard.pulp_domain_id
    return reason is None


@pytest.mark.parametrize("own", [True, False])
def test_a_role_in_another_domain_opens_nothing(
    guard: Any, makers: Makers, settings: Any, own: bool
) -> None:
    settings.DOMAIN_ENABLED = True
    user = get_user_model().objects.create(username=uuid.uuid4().hex)
    where = guard.pulp_domain if own else Domain.objects.get(name="default")
    role = Role.objects.get(name="core.rbaccontentguard_downloader")
    UserRole.objects.create(user=user, role=role, domain=where)
    assert may_read(user, guard, makers) is own


def test_without_a_role_nothing_opens(guard: Any, makers: Makers, settings: Any) -> None:
    settings.DOMAIN_ENABLED = True
    user = get_user_model().objects.create(username=uuid.uuid4().hex)
    assert not may_read(user, guard, makers)


def test_a_guard_that_is_gone_guards_nothing_more(guard: Any, makers: Makers) -> None:
    user = get_user_model().objects.create(username=uuid.uuid4().hex)
    guard.delete()
    request = make_mocked_request("GET", "/")
    request["drf_request"] = asking(user, None)
    assert content._refusal_of_guard(makers.view_of(None, guard=guard.pk), request) is None
