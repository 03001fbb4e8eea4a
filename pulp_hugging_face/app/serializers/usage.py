"""Serializers of what a remote's upstream was asked."""

from gettext import gettext as _

from rest_framework import serializers

FIELDS = ("asked", "saved", "limited", "delayed")


class CountsSerializer(serializers.Serializer):
    """Requests of one of the Hub's rate-limit buckets."""

    asked = serializers.IntegerField(
        read_only=True, default=0, help_text=_("Requests sent to the Hub.")
    )
    saved = serializers.IntegerField(
        read_only=True,
        default=0,
        help_text=_("Requests of clients that were answered without asking the Hub meanwhile."),
    )
    limited = serializers.IntegerField(
        read_only=True, default=0, help_text=_("429 answers of the Hub.")
    )
    delayed = serializers.IntegerField(
        read_only=True,
        default=0,
        help_text=_("Requests that waited for their turn, to stay below a limit."),
    )


class UsageSerializer(serializers.Serializer):
    """How often a remote's Hub was asked, and how often it did not have to be."""

    api = CountsSerializer(help_text=_("Information, listings, searches."), read_only=True)
    resolvers = CountsSerializer(help_text=_("Files."), read_only=True)
    pages = CountsSerializer(help_text=_("Everything else."), read_only=True)
    total = CountsSerializer(help_text=_("The sums."), read_only=True)
