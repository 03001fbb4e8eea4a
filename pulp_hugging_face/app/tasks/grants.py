"""Removal of what upstreams once granted and nobody has asked about since."""

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from pulpcore.plugin.models import TaskSchedule

from pulp_hugging_face.app.models import KnownGrant

log = logging.getLogger("pulp_hugging_face.tasks")

_BATCH = 1000


def prune_grants() -> int:
    """Delete grants that are too old to count even while the upstream is away; return how many."""
    limit = max(settings.HUGGING_FACE_GRANT_MAX_AGE, settings.HUGGING_FACE_GRANT_TTL)
    old = KnownGrant.objects.filter(granted_at__lt=timezone.now() - timedelta(seconds=limit))
    count = 0
    while batch := list(old.values_list("pk", flat=True)[:_BATCH]):
        # The age is asked again: one that was given anew meanwhile stays.
        removed, _ = old.filter(pk__in=batch).delete()
        count += removed
    log.info("Removed %d old grants", count)
    return count


def schedule(**_kwargs: object) -> None:
    """Make Pulp run the removal once a day (a post_migrate receiver)."""
    TaskSchedule.objects.update_or_create(
        name="Remove old Hugging Face grants",
        defaults={
            "task_name": "pulp_hugging_face.app.tasks.prune_grants",
            "dispatch_interval": timedelta(days=1),
        },
    )
