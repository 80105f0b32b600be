"""Training runs, and the queue that machines' figures give a campaign."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Prefetch, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.asking_training import TrainingRequest
from labelsite.api.base import AdminWrites, Endpoint, IsReviewer, NewestFirst
from labelsite.api.once import KEY, started_once
from labelsite.api.problems import BadRequest
from labelsite.api.serializers import ProblemSerializer
from labelsite.asked import whole
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.ordering import waiting
from labelsite.jobs.models import JobState
from labelsite.snapshots.models import Snapshot
from labelsite.training.checks import refuse_what_would_fail
from labelsite.training.models import TrainingRun
from labelsite.training.services import start_training

LONGEST_QUEUE = 1_000


class TrainingSerializer(serializers.Serializer[Any]):
    """A training run; `checkpoint` is its id once the job is done, and `metrics` what its card says was measured."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.values, source="job.state")
    snapshot = serializers.IntegerField(source="snapshot_id")
    more_snapshots = serializers.PrimaryKeyRelatedField[Snapshot](queryset=Snapshot.objects.all(), many=True)
    objective = serializers.CharField()
    labels = serializers.CharField()
    base = serializers.CharField()
    seed = serializers.IntegerField()
    configuration = serializers.DictField(help_text="the command's options that were said")
    job = serializers.IntegerField(source="job_id")
    checkpoint = serializers.IntegerField(allow_null=True, source="checkpoint.pk", default=None)
    sha256 = serializers.CharField(allow_null=True, source="checkpoint.sha256", default=None)
    metrics = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()


class QueuedTaskSerializer(serializers.Serializer[Any]):
    task = serializers.IntegerField(source="pk")
    solution = serializers.IntegerField(source="solution_id")
    priority = serializers.FloatField()
    priority_reason = serializers.CharField(source="why")


def _trainings() -> QuerySet[TrainingRun]:
    """With what a card says was measured, as `metrics`, and without the long columns."""
    runs = TrainingRun.objects.select_related("job", "checkpoint")
    runs = runs.prefetch_related(Prefetch("more_snapshots", Snapshot.objects.defer("manifest")))
    runs = runs.defer("job__spec", "job__result", "checkpoint__card")
    return runs.annotate(metrics=F("checkpoint__card__metrics"))


class Trainings(Endpoint, ListAPIView[TrainingRun]):
    """Training runs, newest first."""

    needs = (IsReviewer, AdminWrites)
    pagination_class = NewestFirst
    serializer_class = TrainingSerializer
    queryset = _trainings()

    @extend_schema(
        request=TrainingRequest,
        parameters=[KEY],
        responses={202: TrainingSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        """Train a process reward model on a snapshot, as an admin."""
        given = self.body_as(TrainingRequest)
        refuse_what_would_fail(given["snapshot"], {**given["configuration"], **given})
        run = started_once(request, lambda: start_training(**given, created_by=self.person), _trainings())
        return Response(TrainingSerializer(run).data, status=202)


class Training(Endpoint, RetrieveAPIView[TrainingRun]):
    """One training run, and the checkpoint that it left."""

    needs = (IsReviewer,)
    serializer_class = TrainingSerializer
    queryset = _trainings()


class Queue(Endpoint):
    """The tasks that people would be given next, in order, and why."""

    needs = (IsReviewer,)
    asks = {"limit": ()}

    @extend_schema(
        parameters=[OpenApiParameter("limit", int, default=50)],
        responses={200: QueuedTaskSerializer(many=True)},
    )
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        asked = request.query_params.get("limit", "50")
        limit = whole(asked)
        if limit is None or not 1 <= limit <= LONGEST_QUEUE:
            raise BadRequest(f"limit is {asked!r}, expected a number from 1 to {LONGEST_QUEUE}")
        return Response(QueuedTaskSerializer(waiting(campaign)[:limit], many=True).data)
