"""Serializers of refs, commits and the files of a commit. All are read-only."""

from gettext import gettext as _

from pulpcore.plugin.serializers import NoArtifactContentSerializer
from rest_framework import serializers

from pulp_hugging_face.app.models import Commit, Ref

_BASE = tuple(
    name
    for name in NoArtifactContentSerializer.Meta.fields
    if name not in ("repository", "overwrite")
)


class RefSerializer(NoArtifactContentSerializer):
    """A branch, tag, pull request or convert ref and its commit."""

    repo_type = serializers.CharField(help_text=_("model, dataset or space"), read_only=True)
    repo_id = serializers.CharField(help_text=_("e.g. 'openai-community/gpt2'"), read_only=True)
    name = serializers.CharField(help_text=_("e.g. 'refs/heads/main'"), read_only=True)
    sha = serializers.CharField(help_text=_("The commit, 40 hex digits"), read_only=True)

    class Meta:
        model = Ref
        fields = (*_BASE, "repo_type", "repo_id", "name", "sha")


class CommitSerializer(NoArtifactContentSerializer):
    """A commit of a Hub repository."""

    repo_type = serializers.CharField(help_text=_("model, dataset or space"), read_only=True)
    repo_id = serializers.CharField(help_text=_("e.g. 'openai-community/gpt2'"), read_only=True)
    sha = serializers.CharField(help_text=_("40 hex digits"), read_only=True)
    title = serializers.CharField(read_only=True)
    author = serializers.CharField(read_only=True)
    date = serializers.DateTimeField(read_only=True)
    file_count = serializers.IntegerField(
        help_text=_("Number of files, null while not all are listed"), read_only=True
    )
    total_size = serializers.IntegerField(help_text=_("Bytes of all files"), read_only=True)
    info = serializers.JSONField(
        help_text=_("The Hub's info object as of this commit"), read_only=True
    )
    files_href = serializers.SerializerMethodField(help_text=_("Where the files are listed"))

    def get_files_href(self, commit: Commit) -> str:
        """Return the address of the commit's list of files."""
        return self.fields["pulp_href"].to_representation(commit) + "files/"

    class Meta:
        model = Commit
        fields = (
            *_BASE,
            "repo_type",
            "repo_id",
            "sha",
            "title",
            "author",
            "date",
            "file_count",
            "total_size",
            "info",
            "files_href",
        )


class CommitFileSerializer(serializers.Serializer):
    """A file of a commit, held or not."""

    path = serializers.CharField()
    size = serializers.IntegerField(help_text=_("Bytes"))
    oid = serializers.CharField(help_text=_("git blob sha1; of the pointer for LFS files"))
    sha256 = serializers.CharField(help_text=_("Of LFS files, else null"), allow_null=True)
    held = serializers.BooleanField(help_text=_("Whether the bytes are in Pulp's storage"))
