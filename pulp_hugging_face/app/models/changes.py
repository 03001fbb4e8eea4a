"""
Tell every content process at once what an administrator changed, or the upstream.

NOTIFY is part of the transaction: it is delivered when the change is committed, and not if it is
rolled back.
"""

from typing import Any

from django.db import connection
from django.db.models.signals import post_delete, post_save
from pulpcore.plugin.models import ContentGuard, Domain

CHANNEL = "pulp_hugging_face"
# Payload that tells that commits are gone; without one, distributions or what they use changed.
COMMITS = "commits"
# Payload that tells that an upstream says another thing than before: a branch moved, say.
KNOWN = "known"


def notify(*_args: Any, **_kwargs: Any) -> None:
    """Send the notification (a Django signal receiver)."""
    _notify("")


def _commit_deleted(**_kwargs: Any) -> None:
    _notify(COMMITS)


def notify_known() -> None:
    """Tell that what is known of an upstream has changed."""
    _notify(KNOWN)


def _notify(payload: str) -> None:
    with connection.cursor() as cursor:  # equal notifications of a transaction become one
        cursor.execute(f"NOTIFY {CHANNEL}, '{payload}'")


def _guard_changed(sender: type, **kwargs: Any) -> None:
    if issubclass(sender, ContentGuard):
        notify()


def connect() -> None:
    """Watch distributions, remotes, domains and content guards, and commits that are deleted."""
    from .content import Commit
    from .plugin import HuggingFaceDistribution, HuggingFaceRemote

    post_delete.connect(_commit_deleted, sender=Commit, dispatch_uid="hf-commit-deleted")
    for signal in (post_save, post_delete):
        for model in (HuggingFaceDistribution, HuggingFaceRemote, Domain):
            signal.connect(notify, sender=model, dispatch_uid=f"hf-{model.__name__}-{id(signal)}")
        signal.connect(_guard_changed, dispatch_uid=f"hf-guards-{id(signal)}")
