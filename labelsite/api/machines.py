"""What machines do for a campaign: estimates from rollouts, training, scores, and the queue they give."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.asking_estimates import EstimatesRequest, as_asked
from labelsite.api.asking_training import TrainingRequest
from labelsite.api.base import AdminWrites, Endpoint, IsAdmin, IsReviewer, NewestFirst
from labelsite.api.known_fields import OnlyKnownFields
from labelsite.api.problems import BadRequest
from labelsite.api.serializers import ProblemSerializer
from labelsite.asked import whole
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.progress import progress_of
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.ordering import waiting
from labelsite.comparison.services import start_campaign_estimates
from labelsite.training.checks import refuse_what_would_fail
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.services import score_campaign, start_training

LONGEST_QUEUE = 1_000


class EstimatesSerializer(serializers.Serializer[Any]):
    """A run of estimates; it stands in its campaign once `loaded_at` is set."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    method = serializers.CharField()
    policy = serializers.CharField()
    seed = serializers.IntegerField()
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    is_pilot = serializers.BooleanField()
    parameters = serializers.DictField(
        help_text="what was asked for, and once it is loaded what the method took"
    )
    cost = serializers.DictField(help_text="tokens, model_calls and seconds, once it is loaded")
    jobs = serializers.ListField(child=serializers.IntegerField())
    loaded_at = serializers.DateTimeField(allow_null=True)


class TrainingSerializer(serializers.Serializer[Any]):
    """A training run; `checkpoint` is its id once the job is done."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    snapshot = serializers.IntegerField(source="snapshot_id")
    objective = serializers.CharField()
    labels = serializers.CharField()
    job = serializers.IntegerField(source="job_id")
    checkpoint = serializers.IntegerField(allow_null=True, source="checkpoint.pk", default=None)
    sha256 = serializers.CharField(allow_null=True, source="checkpoint.sha256", default=None)


class ScoresRequest(OnlyKnownFields):
    checkpoint = serializers.PrimaryKeyRelatedField[Checkpoint](queryset=Checkpoint.objects.all())


class ScoresSerializer(serializers.Serializer[Any]):
    """A run of scores; the campaign's queue follows them once the job is done."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    job = serializers.IntegerField(source="job_id")


class QueuedTaskSerializer(serializers.Serializer[Any]):
    task = serializers.IntegerField(source="pk")
    solution = serializers.IntegerField(source="solution_id")
    priority = serializers.FloatField()
    priority_reason = serializers.CharField(source="why")


class CampaignEstimates(Endpoint):
    """Let rollouts judge every step of the campaign's solutions, or with `is_pilot` measure what that would cost."""

    needs = (IsAdmin,)

    @extend_schema(
        request=EstimatesRequest,
        responses={202: EstimatesSerializer, 400: ProblemSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        run = start_campaign_estimates(campaign, self.person, **as_asked(self.body_as(EstimatesRequest)))
        return Response(_estimates(run), status=202)


class Estimates(Endpoint):
    """One run of estimates and how far it is."""

    needs = (IsReviewer,)

    @extend_schema(responses={200: EstimatesSerializer, 404: ProblemSerializer})
    def get(self, request: Request, pk: int) -> Response:
        return Response(_estimates(get_object_or_404(EstimateRun, pk=pk)))


def _estimates(run: EstimateRun) -> dict[str, Any]:
    progress = progress_of(run, run.shards.select_related("job").defer("job__spec", "job__result"))
    return EstimatesSerializer(
        {
            "id": run.pk,
            "name": run.name,
            "method": run.method,
            "policy": run.policy,
            "seed": run.seed,
            "state": progress.state,
            "done": progress.done,
            "total": progress.total,
            "is_pilot": run.is_pilot,
            "parameters": run.parameters,
            "cost": run.cost,
            "jobs": [job.pk for job in progress.jobs],
            "loaded_at": run.loaded_at,
        }
    ).data


class Trainings(Endpoint, ListAPIView[TrainingRun]):
    """Training runs, newest first."""

    needs = (IsReviewer, AdminWrites)
    pagination_class = NewestFirst
    serializer_class = TrainingSerializer
    queryset = TrainingRun.objects.select_related("checkpoint").defer("checkpoint__card")

    @extend_schema(
        request=TrainingRequest,
        responses={202: TrainingSerializer, 400: ProblemSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        """Train a process reward model on a snapshot, as an admin."""
        given = self.body_as(TrainingRequest)
        refuse_what_would_fail(given["snapshot"], {**given["configuration"], **given})
        run = start_training(**given, created_by=self.person)
        return Response(TrainingSerializer(run).data, status=202)


@extend_schema_view(get=extend_schema(responses={200: TrainingSerializer, 404: ProblemSerializer}))
class Training(Endpoint, RetrieveAPIView[TrainingRun]):
    """One training run, and the checkpoint that it left."""

    needs = (IsReviewer,)
    serializer_class = TrainingSerializer
    queryset = TrainingRun.objects.select_related("checkpoint")


class CampaignScores(Endpoint):
    """Let a checkpoint score the campaign; convincing wrong answers then come first."""

    needs = (IsAdmin,)

    @extend_schema(
        request=ScoresRequest,
        responses={202: ScoresSerializer, 400: ProblemSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        run = score_campaign(self.body_as(ScoresRequest)["checkpoint"], campaign, self.person)
        return Response(ScoresSerializer(run).data, status=202)


class Queue(Endpoint):
    """The tasks that people would be given next, in order, and why."""

    needs = (IsReviewer,)

    @extend_schema(
        parameters=[OpenApiParameter("limit", int, default=50)],
        responses={200: QueuedTaskSerializer(many=True), 400: ProblemSerializer, 404: ProblemSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        asked = request.query_params.get("limit", "50")
        limit = whole(asked)
        if limit is None or not 1 <= limit <= LONGEST_QUEUE:
            raise BadRequest(f"limit is {asked!r}, expected a number from 1 to {LONGEST_QUEUE}")
        return Response(QueuedTaskSerializer(waiting(campaign)[:limit], many=True).data)
