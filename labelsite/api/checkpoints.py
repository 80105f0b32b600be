"""Checkpoints and what was measured of them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.base import AdminWrites, Endpoint, IsReviewer, NewestFirst
from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.api.once import KEY, started_once
from labelsite.api.serializers import ProblemSerializer
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import JobState
from labelsite.training.measured import measured_throughout
from labelsite.training.models import Checkpoint, Evaluation, EvaluationKind
from labelsite.training.services import start_evaluation


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    """The weights that a training left; `validation` is what its training measured on held-out problems."""

    training = serializers.IntegerField(source="run_id")
    name = serializers.CharField(source="run.name")
    validation = serializers.DictField()

    class Meta:
        model = Checkpoint
        fields: tuple[str, ...] = ("id", "training", "name", "sha256", "validation", "created_at")
        read_only_fields = fields


class CheckpointDetailSerializer(CheckpointSerializer):
    """The same with its card: data, configuration, metrics."""

    card = serializers.DictField()

    class Meta(CheckpointSerializer.Meta):
        fields = (*CheckpointSerializer.Meta.fields, "card")


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    """What was measured of a checkpoint; `figures` is null until its job is done, and `state` is the job's."""

    checkpoint = serializers.IntegerField(source="checkpoint_id")
    job = serializers.IntegerField(source="job_id")
    state = serializers.ChoiceField(choices=JobState.values, source="job.state")
    figures = serializers.SerializerMethodField(
        help_text="As the command prints them, but null for what no solution could show: F1 and one accuracy where "
        "all solutions have a mistake, or none has."
    )

    class Meta:
        model = Evaluation
        fields = ("id", "checkpoint", "kind", "data", "job", "state", "figures", "created_at")
        read_only_fields = fields

    def get_figures(self, evaluation: Evaluation) -> dict[str, Any] | None:
        figures = evaluation.figures
        return None if figures is None else measured_throughout(figures)


class EvaluationRequest(OnlyKnownFields):
    campaign = serializers.PrimaryKeyRelatedField[Campaign](queryset=Campaign.objects.all())
    kind = Choice(choices=EvaluationKind.values, default=EvaluationKind.FIRST_MISTAKE)


class CheckpointList(Endpoint, ListAPIView[Checkpoint]):
    """Checkpoints, newest first."""

    needs = (IsReviewer,)
    pagination_class = NewestFirst
    serializer_class = CheckpointSerializer
    queryset = Checkpoint.objects.select_related("run")


class CheckpointDetail(Endpoint, RetrieveAPIView[Checkpoint]):
    """One checkpoint with its card."""

    needs = (IsReviewer,)
    serializer_class = CheckpointDetailSerializer
    queryset = Checkpoint.objects.select_related("run")


def _evaluations() -> QuerySet[Evaluation]:
    return Evaluation.objects.select_related("job").defer("job__spec")


class EvaluationList(Endpoint, ListAPIView[Evaluation]):
    """What was measured of all checkpoints, newest first."""

    needs = (IsReviewer,)
    pagination_class = NewestFirst
    serializer_class = EvaluationSerializer
    queryset = _evaluations()


class CheckpointEvaluations(Endpoint, ListAPIView[Evaluation]):
    """What was measured of one checkpoint, newest first."""

    needs = (IsReviewer, AdminWrites)
    pagination_class = NewestFirst
    serializer_class = EvaluationSerializer

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Evaluation.objects.none()
        return _evaluations().filter(checkpoint=get_object_or_404(Checkpoint, pk=self.kwargs["pk"]))

    @extend_schema(
        request=EvaluationRequest,
        parameters=[KEY],
        responses={
            202: EvaluationSerializer,
            422: ProblemSerializer,
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        """Measure the checkpoint on a campaign that it has scored, as an admin.

        `first-mistake` compares its scores with the campaign's gold, decided and people's labels; `best-of-n` lets it
        choose among the solutions of each problem.
        """
        checkpoint = get_object_or_404(Checkpoint, pk=pk)
        given = self.body_as(EvaluationRequest)
        evaluation = started_once(
            request,
            lambda: start_evaluation(checkpoint, given["campaign"], self.person, given["kind"]),
            _evaluations(),
        )
        return Response(EvaluationSerializer(evaluation).data, status=202)
