"""Prepare the database for `pulp-hf up`: migrations, administrator, default objects."""

import json
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, call_command
from django.db import transaction

DEFAULT_NAME = "huggingface"
# Each batch of what was pulled through makes a version: enough to look back, no endless list.
KEPT_VERSIONS = 10


class Command(BaseCommand):
    """
    Make what `pulp-hf up` promises, and nothing twice.

    Reads one JSON object from standard input, since arguments can be read by every user of the
    machine:

        migrate: run migrations and collect static files first
        admin_password: password for the user admin; null leaves the user alone
        remote: fields of the default remote that were given explicitly
        defaults: values for a default remote that does not exist yet

    Its last line of output is a JSON object: {"admin": "set" | "kept"}.
    """

    help = __doc__
    # The checks of the models need no tables, but those of other plugins might.
    requires_system_checks = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what standard input asks for."""
        request = self._request()
        if request.get("migrate"):
            call_command("migrate", interactive=False, verbosity=1, stdout=self.stdout)
            call_command("collectstatic", interactive=False, verbosity=0, stdout=self.stdout)
        with transaction.atomic():
            admin = self._admin(request.get("admin_password"))
            self._defaults(request.get("remote") or {}, request.get("defaults") or {})
        self.stdout.write(json.dumps({"admin": admin}))

    def _request(self) -> dict[str, Any]:
        try:
            request = json.load(sys.stdin)
        except ValueError as error:
            raise CommandError("Standard input is not JSON.") from error
        if not isinstance(request, dict):
            raise CommandError("Standard input is not a JSON object.")
        return request

    def _admin(self, password: str | None) -> str:
        if password is None:
            return "kept"
        users = get_user_model().objects
        user = users.filter(username="admin").first()
        if user is None:
            user = users.create(username="admin", is_superuser=True, is_staff=True)
        user.set_password(password)
        user.save()
        return "set"

    def _defaults(self, explicit: dict[str, Any], defaults: dict[str, Any]) -> None:
        from pulp_hugging_face.app.models import HuggingFaceDistribution, HuggingFaceRepository

        remote = self._remote(explicit, defaults)
        repository = HuggingFaceRepository.objects.filter(name=DEFAULT_NAME).first()
        if repository is None:
            repository = HuggingFaceRepository(
                name=DEFAULT_NAME, remote=remote, retain_repo_versions=KEPT_VERSIONS
            )
            repository.save()
        if not HuggingFaceDistribution.objects.filter(base_path=DEFAULT_NAME).exists():
            HuggingFaceDistribution.objects.create(
                name=DEFAULT_NAME, base_path=DEFAULT_NAME, remote=remote, repository=repository
            )

    def _remote(self, explicit: dict[str, Any], defaults: dict[str, Any]) -> Any:
        from pulp_hugging_face.app.models import HuggingFaceRemote

        remote = HuggingFaceRemote.objects.filter(name=DEFAULT_NAME).first()
        if remote is None:
            remote = HuggingFaceRemote(name=DEFAULT_NAME)
            explicit = {**defaults, **explicit}
        elif not explicit:
            return remote
        for name, value in explicit.items():
            try:
                setattr(remote, name, remote._meta.get_field(name).clean(value, remote))
            except ValidationError as error:
                raise CommandError(f"{name}: {' '.join(error.messages)}") from error
        remote.save()
        return remote
