"""Removal of directory listings that no commit reaches any more."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from pulpcore.plugin.models import Domain, TaskSchedule

from pulp_hugging_face.app.models import Commit, Tree
from pulp_hugging_face.hub.manifest import unpack

log = logging.getLogger("pulp_hugging_face.tasks")

_BATCH = 500


def collect_trees() -> dict[str, int]:
    """
    Delete the listings of every domain that no commit reaches. Returns how many, by domain.

    What was listed or used again within ORPHAN_PROTECTION_TIME (minutes) stays: a commit that
    needs it may be on its way in.
    """
    cutoff = timezone.now() - timedelta(minutes=settings.ORPHAN_PROTECTION_TIME)
    removed = {domain.name: _collect(domain.pk, cutoff) for domain in Domain.objects.all()}
    log.info("Removed %d unreachable directory listings", sum(removed.values()))
    return removed


def _collect(domain: UUID, cutoff: object) -> int:
    trees = Tree.objects.filter(pulp_domain=domain)
    stale = set(trees.filter(pulp_last_updated__lt=cutoff).values_list("key", flat=True))
    if not stale:
        return 0
    unreachable = sorted(stale - _reachable(domain))
    count = 0
    for start in range(0, len(unreachable), _BATCH):
        keys = unreachable[start : start + _BATCH]
        # The age is asked again: whoever needed it meanwhile has renewed it.
        count += trees.filter(key__in=keys, pulp_last_updated__lt=cutoff).delete()[0]
    return count


def _reachable(domain: UUID) -> set[str]:
    """Return the keys of all directories of all commits, each read once."""
    roots = Commit.objects.filter(_pulp_domain=domain).exclude(root_tree="")
    border = set(roots.values_list("root_tree", flat=True))
    seen: set[str] = set()
    while border:
        seen |= border
        border = set(_children(domain, sorted(border))) - seen
    return seen


def _children(domain: UUID, keys: list[str]) -> Iterable[str]:
    for start in range(0, len(keys), _BATCH):
        pages = Tree.objects.filter(pulp_domain=domain, key__in=keys[start : start + _BATCH])
        for packed in pages.values_list("entries", flat=True).iterator():
            yield from (entry.oid for entry in unpack(bytes(packed)).entries if entry.is_dir)


def schedule(**_kwargs: object) -> None:
    """Make Pulp run the removal once a day (a post_migrate receiver)."""
    TaskSchedule.objects.update_or_create(
        name="Remove unreachable Hugging Face directory listings",
        defaults={
            "task_name": "pulp_hugging_face.app.tasks.collect_trees",
            "dispatch_interval": timedelta(days=1),
        },
    )
