"""Checkpoints and what was measured of them."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView

from labelsite.api.base import Endpoint, IsReviewer, NewestFirst
from labelsite.api.serializers import ProblemSerializer
from labelsite.training.models import Checkpoint, Evaluation


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
    """What was measured of a checkpoint; `figures` is null until its job is done."""

    checkpoint = serializers.IntegerField(source="checkpoint_id")
    job = serializers.IntegerField(source="job_id", allow_null=True)
    figures = serializers.DictField(allow_null=True)

    class Meta:
        model = Evaluation
        fields = ("id", "checkpoint", "kind", "data", "job", "figures", "created_at")
        read_only_fields = fields


class CheckpointList(Endpoint, ListAPIView[Checkpoint]):
    """Checkpoints, newest first."""

    needs = (IsReviewer,)
    pagination_class = NewestFirst
    serializer_class = CheckpointSerializer
    queryset = Checkpoint.objects.select_related("run")


@extend_schema_view(get=extend_schema(responses={200: CheckpointDetailSerializer, 404: ProblemSerializer}))
class CheckpointDetail(Endpoint, RetrieveAPIView[Checkpoint]):
    """One checkpoint with its card."""

    needs = (IsReviewer,)
    serializer_class = CheckpointDetailSerializer
    queryset = Checkpoint.objects.select_related("run")


class CheckpointEvaluations(Endpoint, ListAPIView[Evaluation]):
    """What was measured of one checkpoint, newest first."""

    needs = (IsReviewer,)
    pagination_class = NewestFirst
    serializer_class = EvaluationSerializer

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Evaluation.objects.none()
        checkpoint = get_object_or_404(Checkpoint, pk=self.kwargs["pk"])
        return checkpoint.evaluations.select_related("job").defer("job__spec")
