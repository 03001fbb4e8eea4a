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
        visibility: "public", "gated", "private" or "private-gated".
        refs: the Hub's answer to `/refs?include_prs=1`, null when never asked.
        refs_checked_at: when that was.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    canonical_id = models.CharField(max_length=256)
    visibility = models.CharField(max_length=16, default="public")
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
        info: the Hub's info object as of then, without `siblings`: what changes without a commit
            (likes, downloads, gated, …) is newer here than in the commit.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    revision = models.CharField(max_length=512)
    sha = models.CharField(max_length=40, default="", blank=True, db_index=True)
    info = models.JSONField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "repo_type", "repo_id", "revision")


class KnownGrant(BaseModel):
    """
    That the upstream once showed a private or gated repository to a token.

    Kept so that all processes answer alike and a restart while the upstream is down changes
    nothing. How long it counts is for `store.access` to say.

    Fields:
        repo_id: canonical id.
        token_hash: SHA-256, hex, of the upstream's address and the token that was shown it: the
            caller's, or in token mode "shared" the remote's own. Never the token.
        content: true when files were opened, false when only the repository was shown.
        granted_at: when the upstream last said so.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    repo_type = models.CharField(max_length=16, choices=REPO_TYPES)
    repo_id = models.CharField(max_length=256)
    token_hash = models.CharField(max_length=64, default="", blank=True)
    content = models.BooleanField(default=False)
    granted_at = models.DateTimeField(db_index=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "repo_type", "repo_id", "token_hash", "content")


class KnownAnswer(BaseModel):
    """
    An answer of the upstream's API that is passed through (lists, searches, commit lists, …).

    Fields:
        key: SHA-256, hex, of who asked (`store.access` identity) and what (path and query).
        target: the path and query asked for, below the remote's URL.
        repo: "model:org/name" of a route about one repository, else "".
        status, headers, body: the answer; the body is compressed (zlib) and as the upstream sent
            it, addresses included: they are rewritten for each client.
        size: bytes of the compressed body, for keeping the table within bounds.
        immutable: it is about a full commit id and never goes stale.
        checked_at: when the upstream gave it.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    key = models.CharField(max_length=64)
    target = models.TextField()
    repo = models.CharField(max_length=280, default="", blank=True)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    size = models.PositiveIntegerField()
    immutable = models.BooleanField(default=False)
    checked_at = models.DateTimeField(db_index=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "key")


class Tally(BaseModel):
    """
    How often a remote's upstream was asked, and how often it did not have to be.

    Fields:
        kind: the Hub's rate-limit bucket: "api" (metadata) or "resolvers" (files).
        asked: requests sent; saved: client requests answered without one; limited: 429 answers of
            the upstream; delayed: requests held back to stay below the limit.
    """

    remote = models.ForeignKey("HuggingFaceRemote", on_delete=models.CASCADE)
    kind = models.CharField(max_length=16)
    asked = models.BigIntegerField(default=0)
    saved = models.BigIntegerField(default=0)
    limited = models.BigIntegerField(default=0)
    delayed = models.BigIntegerField(default=0)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("remote", "kind")
