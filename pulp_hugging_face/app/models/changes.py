"""
Tell every content process at once that an administrator changed something.

NOTIFY is part of the transaction: it is delivered when the change is committed, and not if it is
rolled back.
"""

from typing import Any

from django.db import connection
from django.db.models.signals import post_delete, post_save
from pulpcore.plugin.models import ContentGuard, Domain

CHANNEL = "pulp_hugging_face"


def notify(*_args: Any, **_kwargs: Any) -> None:
    """Send the notification (a Django signal receiver)."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def _guard_changed(sender: type, **kwargs: Any) -> None:
    if issubclass(sender, ContentGuard):
        notify()


def connect() -> None:
    """Watch distributions, remotes, domains and content guards."""
    from .plugin import HuggingFaceDistribution, HuggingFaceRemote

    for signal in (post_save, post_delete):
        for model in (HuggingFaceDistribution, HuggingFaceRemote, Domain):
            signal.connect(notify, sender=model, dispatch_uid=f"hf-{model.__name__}-{id(signal)}")
        signal.connect(_guard_changed, dispatch_uid=f"hf-guards-{id(signal)}")
