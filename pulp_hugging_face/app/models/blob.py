"""What stands beside the content: directory listings and held blobs (architecture §3)."""

from django.db import models
from pulpcore.plugin.models import Artifact, BaseModel
from pulpcore.plugin.util import get_domain_pk


class Tree(BaseModel):
    """
    One page of a directory listing, shared by all commits of the domain.

    Fields:
        key: git tree oid (40 hex) as the Hub gave it; for a root directory, whose oid the Hub
            does not tell, a digest of its own (64 hex, `hub.manifest.root_key`).
        page: 0-based number of the page.
        first: name of the first entry of the page, "" for page 0. Byte order (collation C).
        entries: the packed entries, see `hub.manifest.pack`.
    """

    key = models.CharField(max_length=64)
    page = models.PositiveIntegerField(default=0)
    first = models.TextField(default="", blank=True, db_collation="C")
    entries = models.BinaryField()
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "key", "page")
        indexes = [models.Index(fields=["pulp_domain", "key", "first"], name="hf_tree_first_idx")]


class Blob(BaseModel):
    """
    Verified bytes held in the domain, under the digest the Hub knows them by.

    Fields:
        key: git blob oid (40 hex) of a regular file, sha256 (64 hex) of an LFS file.
        size: bytes.
        artifact: where the bytes are.
        last_used: when they were last served, written in batches.
    """

    key = models.CharField(max_length=64)
    size = models.BigIntegerField()
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE)
    last_used = models.DateTimeField(auto_now_add=True, db_index=True)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "key")
