"""Snapshots: freeze, look, download."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.base import AdminWrites, Endpoint, IsReviewer, NewestFirst
from labelsite.api.freezing import SnapshotRequest
from labelsite.api.once import KEY, key_of, started_once
from labelsite.api.serializers import JobSerializer, ProblemSerializer, SnapshotSerializer
from labelsite.jobs.models import Job
from labelsite.snapshots.downloads import JSON_LINES, part_response, streamed
from labelsite.snapshots.exports import (
    ALTERNATIVES,
    NEUTRAL,
    StepwiseChoices,
    prm800k_lines,
    stepwise_lines,
)
from labelsite.snapshots.freezing import freeze_or_queue, start_freeze
from labelsite.snapshots.models import Snapshot

# What stands on the disk may not be what was frozen.
LINES = {(200, JSON_LINES): OpenApiTypes.STR, 500: ProblemSerializer}


def _get_snapshot(pk: int) -> Snapshot:
    """A snapshot; reviewers and admins, whom alone the endpoints below let in, may see every one."""
    return get_object_or_404(Snapshot, pk=pk)


class SnapshotList(Endpoint, ListAPIView[Snapshot]):
    """Snapshots, newest first."""

    needs = (IsReviewer, AdminWrites)
    pagination_class = NewestFirst
    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.all()

    @extend_schema(
        request=SnapshotRequest,
        parameters=[KEY],
        responses={
            201: SnapshotSerializer,
            202: JobSerializer,
            422: ProblemSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Freeze a snapshot, as an admin.

        A large campaign is frozen by a job, and so is any where the request has a key: then the answer is 202 and the
        job, whose `result` has the id.
        """
        given = self.body_as(SnapshotRequest)
        wanted = (
            given["campaign"],
            given["labels"],
            given["rule"],
            given.get("name"),
            self.person,
            given.get("second_run"),
            given["keep_unlabelled"],
        )
        frozen: Snapshot | Job
        if key_of(request):
            frozen = started_once(request, lambda: start_freeze(*wanted), Job.objects.all())
        else:
            frozen = freeze_or_queue(*wanted)
        if isinstance(frozen, Job):
            return Response(JobSerializer(frozen).data, status=202)
        return Response(SnapshotSerializer(frozen).data, status=201)


class SnapshotDetail(Endpoint, RetrieveAPIView[Snapshot]):
    """One snapshot."""

    needs = (IsReviewer,)
    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.all()


class SnapshotManifest(Endpoint):
    """The manifest: rule, counts, filters, lineage, and the sha256 of every part.

    Its own `sha256` covers the parts: it is that of their hex digests, joined in their order.
    """

    needs = (IsReviewer,)

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, pk: int) -> Response:
        return Response(_get_snapshot(pk).manifest)


class SnapshotPart(Endpoint):
    """One part of the frozen rows, byte for byte; `number` counts from 0 up to the snapshot's `parts`.

    Its SHA-256 stands in the manifest's `parts`, in the same order.
    """

    needs = (IsReviewer,)

    @extend_schema(responses=LINES)
    def get(self, request: Request, pk: int, number: int) -> HttpResponseBase:
        return part_response(_get_snapshot(pk), number)


class SnapshotPrm800k(Endpoint):
    """PRM800K JSON Lines."""

    needs = (IsReviewer,)

    @extend_schema(responses=LINES)
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        snapshot = _get_snapshot(pk)
        return streamed(prm800k_lines(snapshot), snapshot, "prm800k.jsonl")


class SnapshotStepwise(Endpoint):
    """Rows `{prompt, completions, labels}`."""

    needs = (IsReviewer,)
    asks = {"neutral": (), "alternatives": ()}

    @extend_schema(
        parameters=[
            OpenApiParameter("neutral", str, enum=list(NEUTRAL)),
            OpenApiParameter("alternatives", str, enum=list(ALTERNATIVES), default="rows"),
        ],
        responses={**LINES, 422: ProblemSerializer},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        snapshot = _get_snapshot(pk)
        choices = StepwiseChoices(
            neutral=request.query_params.get("neutral"),
            alternatives=request.query_params.get("alternatives", "rows"),
        )
        return streamed(stepwise_lines(snapshot, choices), snapshot, "stepwise.jsonl")
