"""What an upstream last told a remote: freshness and entitlement (architecture §3)."""

from django.db import models
from pulpcore.plugin.models import BaseModel

from .content import REPO_TYPES


class Refusable(BaseModel):
    """
    An answer of the upstream that may be a definite refusal.

    Fields:
        checked_at: when the upstream last gave a definite answer.
        refusal: the X-Error-Code of a definite refusal ("RepoNotFound", "GatedRepo", …), else "".
        refusal_status: its HTTP status; refusal_message: its sentence.
    """

    checked_at = models.DateTimeField()
    refusal = models.CharField(max_length=64, default="", blank=True)
    refusal_status = models.PositiveSmallIntegerField(default=0)
    refusal_message = models.TextField(default="", blank=True)

    class Meta:
        abstract = True


class KnownRepo(Refusable):
    """
    A Hub repository as one remote sees it with its own credentials.

    Fields:
        repo_id: the id as asked for; canonical_id: as the Hub spells it (renames, legacy ids).
        visibility: "public", "gated" or "private".
        opened: content was opened to the remote's credentials (always true for public).
        refs: the Hub's answer to `/refs?include_prs=1`, null when never asked.
        refs_checked_at: when that was.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    canonical_id = models.CharField(max_length=256)
    visibility = models.CharField(max_length=16, default="public")
    opened = models.BooleanField(default=False)
    refs = models.JSONField(null=True)
    refs_checked_at = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "repo_type", "repo_id")


class KnownRef(Refusable):
    """
    Where a revision pointed when this remote last asked.

    Fields:
        repo_id: canonical id.
        revision: as clients write it: "main", "v1", "refs/pr/1", or a full sha (itself).
        sha: the commit, "" when the upstream said that there is no such revision.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    revision = models.CharField(max_length=512)
    sha = models.CharField(max_length=40, default="", blank=True, db_index=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "repo_type", "repo_id", "revision")
