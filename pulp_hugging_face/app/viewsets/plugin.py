"""Endpoints of remote, repository, repository version and distribution."""

from drf_spectacular.utils import extend_schema
from pulpcore.plugin.actions import ModifyRepositoryActionMixin
from pulpcore.plugin.viewsets import (
    DistributionViewSet,
    RemoteViewSet,
    RepositoryVersionViewSet,
    RepositoryViewSet,
    RolesMixin,
)
from rest_framework.decorators import action
from rest_framework.response import Response

from pulp_hugging_face.app.models import (
    HuggingFaceDistribution,
    HuggingFaceRemote,
    HuggingFaceRepository,
    Tally,
)
from pulp_hugging_face.app.serializers import (
    HuggingFaceDistributionSerializer,
    HuggingFaceRemoteSerializer,
    HuggingFaceRepositorySerializer,
    UsageSerializer,
)
from pulp_hugging_face.app.serializers.usage import FIELDS
from pulp_hugging_face.hub.limits import BUCKETS

from .policies import (
    MODIFY_REPOSITORY,
    REMOTE_VISIBLE,
    REPOSITORY_VISIBLE,
    access_policy,
    locked_roles,
)


class HuggingFaceRemoteViewSet(RemoteViewSet, RolesMixin):
    """A Hugging Face remote is a Hub to fetch from, with the token and limits to do so."""

    endpoint_name = "hugging-face"
    queryset = HuggingFaceRemote.objects.all()
    serializer_class = HuggingFaceRemoteSerializer
    queryset_filtering_required_permission = "hugging_face.view_huggingfaceremote"
    DEFAULT_ACCESS_POLICY = access_policy("huggingfaceremote", reads=["usage"])
    LOCKED_ROLES = locked_roles("huggingfaceremote")

    @extend_schema(
        operation_id="remotes_hugging_face_hugging_face_usage",
        summary="Count the requests to the Hub",
        description="How often the Hub was asked through this remote, by its rate-limit buckets, "
        "and how often clients were answered without asking it.",
        responses={200: UsageSerializer},
    )
    @action(detail=True, methods=["get"], serializer_class=UsageSerializer, filterset_class=None)
    def usage(self, request, pk, **kwargs):
        """Return the sums of all processes, a few seconds old at most."""
        counts = {bucket: dict.fromkeys(FIELDS, 0) for bucket in (*BUCKETS, "total")}
        for tally in Tally.objects.filter(remote=self.get_object(), kind__in=BUCKETS):
            for field in FIELDS:
                counts[tally.kind][field] = getattr(tally, field)
                counts["total"][field] += getattr(tally, field)
        return Response(UsageSerializer(counts).data)


class HuggingFaceRepositoryViewSet(RepositoryViewSet, ModifyRepositoryActionMixin, RolesMixin):
    """A Hugging Face repository holds refs and commits of any number of Hub repositories."""

    endpoint_name = "hugging-face"
    queryset = HuggingFaceRepository.objects.exclude(user_hidden=True)
    serializer_class = HuggingFaceRepositorySerializer
    queryset_filtering_required_permission = "hugging_face.view_huggingfacerepository"
    DEFAULT_ACCESS_POLICY = access_policy(
        "huggingfacerepository", extra=[MODIFY_REPOSITORY], related=[REMOTE_VISIBLE]
    )
    LOCKED_ROLES = locked_roles("huggingfacerepository", "modify", "sync", "repair")


class HuggingFaceRepositoryVersionViewSet(RepositoryVersionViewSet):
    """A version of a Hugging Face repository: a consistent set of refs and their commits."""

    parent_viewset = HuggingFaceRepositoryViewSet
    DEFAULT_ACCESS_POLICY = {
        "statements": [
            {
                "action": ["list", "retrieve"],
                "principal": "authenticated",
                "effect": "allow",
                "condition": "has_repository_model_or_domain_or_obj_perms:"
                "hugging_face.view_huggingfacerepository",
            },
            {
                "action": ["destroy"],
                "principal": "authenticated",
                "effect": "allow",
                "condition": [
                    "has_repository_model_or_domain_or_obj_perms:"
                    "hugging_face.delete_huggingfacerepository",
                    "has_repository_model_or_domain_or_obj_perms:"
                    "hugging_face.view_huggingfacerepository",
                ],
            },
            {
                "action": ["repair"],
                "principal": "authenticated",
                "effect": "allow",
                "condition": [
                    "has_repository_model_or_domain_or_obj_perms:"
                    "hugging_face.repair_huggingfacerepository",
                    "has_repository_model_or_domain_or_obj_perms:"
                    "hugging_face.view_huggingfacerepository",
                ],
            },
        ],
    }


class HuggingFaceDistributionViewSet(DistributionViewSet, RolesMixin):
    """A Hugging Face distribution is a Hub endpoint: its base URL is a value for HF_ENDPOINT."""

    endpoint_name = "hugging-face"
    queryset = HuggingFaceDistribution.objects.all()
    serializer_class = HuggingFaceDistributionSerializer
    queryset_filtering_required_permission = "hugging_face.view_huggingfacedistribution"
    DEFAULT_ACCESS_POLICY = access_policy(
        "huggingfacedistribution", related=[REPOSITORY_VISIBLE, REMOTE_VISIBLE]
    )
    LOCKED_ROLES = locked_roles("huggingfacedistribution")
