"""Serializers of remote, repository and distribution."""

import re
from gettext import gettext as _
from urllib.parse import urlsplit

from pulpcore.plugin.models import Remote
from pulpcore.plugin.serializers import (
    DetailRelatedField,
    DistributionSerializer,
    RemoteSerializer,
    RepositorySerializer,
)
from rest_framework import serializers

from pulp_hugging_face.app.models import (
    HuggingFaceDistribution,
    HuggingFaceRemote,
    HuggingFaceRepository,
)
from pulp_hugging_face.app.models.plugin import TOKEN_MODES, default_redirect_hosts
from pulp_hugging_face.hub.hosts import is_host_pattern
from pulp_hugging_face.hub.names import DEFAULT_ENDPOINT

_TOKEN = re.compile(r"[\x21-\x7e]{1,1024}")


def validate_hub_url(url: str) -> str:
    """Return the URL if a Hub may be there. Raises ValidationError."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for a port that is no number)
    except ValueError as error:
        raise serializers.ValidationError(f"Not a valid URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise serializers.ValidationError("The URL must begin with http:// or https:// and a host.")
    if parts.query or parts.fragment:
        raise serializers.ValidationError("The URL must not have a query or a fragment.")
    return url


class TrueByDefault(serializers.BooleanField):
    """A boolean that is true when a form leaves it out; DRF would take that for false."""

    default_empty_html = True


class HuggingFaceRemoteSerializer(RemoteSerializer):
    """A Hub to fetch from."""

    url = serializers.CharField(
        help_text=_("The address of the Hub."), default=DEFAULT_ENDPOINT, required=False
    )
    policy = serializers.ChoiceField(
        help_text=_(
            "What happens to files clients ask for: 'on_demand' fetches and keeps them, 'streamed' "
            "fetches without keeping, 'immediate' also fetches the rest of the commit."
        ),
        choices=Remote.POLICY_CHOICES,
        default=Remote.ON_DEMAND,
    )
    tls_validation = TrueByDefault(
        help_text=_("Whether the certificate of the Hub is checked."), required=False, default=True
    )
    hf_token = serializers.CharField(
        help_text=_(
            "Access token for the Hub, sent to the host of `url` and nowhere else. It is encrypted "
            "in the database and never returned."
        ),
        required=False,
        allow_null=True,
        write_only=True,
    )
    token_mode = serializers.ChoiceField(
        help_text=_(
            "'shared': the remote's token serves everybody who may use the distribution. 'client': "
            "the caller's own token decides. Default: 'shared' with an hf_token, else 'client'."
        ),
        choices=TOKEN_MODES,
        required=False,
        allow_null=True,
    )
    max_redirects = serializers.IntegerField(
        help_text=_("How many redirects of the Hub are followed."),
        default=5,
        min_value=0,
        max_value=20,
    )
    redirect_hosts = serializers.ListField(
        help_text=_(
            "Hosts redirects may lead to besides the host of `url`, e.g. 'cdn.example.org' or "
            "'*.example.org'. The token is never sent to them."
        ),
        child=serializers.CharField(),
        default=default_redirect_hosts,
    )
    metadata_ttl = serializers.IntegerField(
        help_text=_("Seconds an answer about a branch or tag counts as fresh; 0 always asks."),
        default=60,
        min_value=0,
        max_value=10**7,
    )

    def validate_url(self, url: str) -> str:
        """Accept http and https only."""
        return super().validate_url(validate_hub_url(url))

    def validate_hf_token(self, token: str | None) -> str | None:
        """Accept what may stand in an Authorization header."""
        if token is not None and not _TOKEN.fullmatch(token):
            raise serializers.ValidationError("A token has no spaces or control characters.")
        return token

    def validate_redirect_hosts(self, hosts: list[str]) -> list[str]:
        """Accept host names and `*.` patterns."""
        bad = [host for host in hosts if not is_host_pattern(host)]
        if bad:
            raise serializers.ValidationError(
                f"Not a host name or *.domain pattern: {', '.join(map(repr, bad))}"
            )
        return hosts

    def to_representation(self, instance):
        """Show that there is no token; one that is set is only named in `hidden_fields`."""
        data = super().to_representation(instance)
        if instance.hf_token is None:
            data["hf_token"] = None
        return data

    class Meta:
        model = HuggingFaceRemote
        fields = (
            *RemoteSerializer.Meta.fields,
            "hf_token",
            "token_mode",
            "max_redirects",
            "redirect_hosts",
            "metadata_ttl",
        )


class HuggingFaceRepositorySerializer(RepositorySerializer):
    """A set of refs and commits, in versions."""

    class Meta:
        model = HuggingFaceRepository
        fields = RepositorySerializer.Meta.fields


class HuggingFaceDistributionSerializer(DistributionSerializer):
    """A Hub endpoint."""

    remote = DetailRelatedField(
        required=False,
        help_text=_("Remote to fetch from what is not held (pull-through)."),
        view_name_pattern=r"remotes(-.*/.*)?-detail",
        queryset=HuggingFaceRemote.objects.all(),
        allow_null=True,
    )

    class Meta:
        model = HuggingFaceDistribution
        fields = (*DistributionSerializer.Meta.fields, "remote")
