"""Endpoints of refs and commits."""

from typing import Any

from drf_spectacular.utils import extend_schema
from pulpcore.plugin.viewsets import ContentFilter, ReadOnlyContentViewSet
from rest_framework.decorators import action
from rest_framework.response import Response

from pulp_hugging_face.app.files import CommitFiles
from pulp_hugging_face.app.models import Commit, Ref
from pulp_hugging_face.app.serializers import (
    CommitFileSerializer,
    CommitSerializer,
    RefSerializer,
)

from .policies import CONTENT_POLICY

_TEXT = ["exact", "in", "contains", "startswith"]


class RefFilter(ContentFilter):
    """Filter of refs."""

    class Meta:
        model = Ref
        fields = {
            "repo_type": ["exact", "in"],
            "repo_id": _TEXT,
            "name": _TEXT,
            "sha": ["exact", "in"],
        }


class CommitFilter(ContentFilter):
    """Filter of commits."""

    class Meta:
        model = Commit
        fields = {
            "repo_type": ["exact", "in"],
            "repo_id": _TEXT,
            "sha": ["exact", "in"],
            "date": ["gte", "lte"],
        }


class RefViewSet(ReadOnlyContentViewSet):
    """Refs of Hub repositories: branches, tags, pull requests and converts."""

    endpoint_name = "refs"
    queryset = Ref.objects.all()
    serializer_class = RefSerializer
    filterset_class = RefFilter
    DEFAULT_ACCESS_POLICY = CONTENT_POLICY


class CommitViewSet(ReadOnlyContentViewSet):
    """Commits of Hub repositories."""

    endpoint_name = "commits"
    queryset = Commit.objects.all()
    serializer_class = CommitSerializer
    filterset_class = CommitFilter
    DEFAULT_ACCESS_POLICY = CONTENT_POLICY

    @extend_schema(
        summary="List the files of a commit",
        description="Every file with its size and oid, and whether its bytes are held.",
        responses={200: CommitFileSerializer(many=True)},
    )
    @action(
        detail=True, methods=["get"], serializer_class=CommitFileSerializer, filterset_class=None
    )
    def files(self, request: Any, **kwargs: Any) -> Response:
        """List the files of a commit, page by page."""
        page = self.paginate_queryset(CommitFiles(self.get_object()))
        serializer = CommitFileSerializer(page, many=True)
        return self.get_paginated_response(serializer.data)
