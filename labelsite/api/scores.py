"""Runs of scores: what a checkpoint says of a campaign's steps."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.base import Endpoint, IsAdmin, IsReviewer, NewestFirst
from labelsite.api.known_fields import OnlyKnownFields
from labelsite.api.once import KEY, started_once
from labelsite.api.serializers import ProblemSerializer
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.access import campaign_or_404
from labelsite.jobs.models import JobState
from labelsite.training.models import Checkpoint
from labelsite.training.services import score_campaign


class ScoresRequest(OnlyKnownFields):
    checkpoint = serializers.PrimaryKeyRelatedField[Checkpoint](queryset=Checkpoint.objects.all())


class ScoresSerializer(serializers.Serializer[Any]):
    """A run of scores; the campaign's queue follows them once `loaded_at` is set."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    campaign = serializers.IntegerField(
        allow_null=True, help_text="null where it scored no campaign as a whole"
    )
    checkpoint = serializers.IntegerField(allow_null=True, help_text="null where it is not registered here")
    checkpoint_sha256 = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.values, source="job.state")
    job = serializers.IntegerField(source="job_id")
    created_at = serializers.DateTimeField()
    loaded_at = serializers.DateTimeField(allow_null=True)


def _runs() -> QuerySet[ScoreRun]:
    """With their campaign and checkpoint. A job's spec names every solution: of it only the campaign is read."""
    runs = ScoreRun.objects.select_related("job").defer("job__spec", "job__result")
    return runs.annotate(campaign=F("job__spec__campaign"), checkpoint=F("job__spec__checkpoint"))


class CampaignScores(Endpoint):
    """Let a checkpoint score the campaign; convincing wrong answers then come first."""

    needs = (IsAdmin,)

    @extend_schema(
        request=ScoresRequest,
        parameters=[KEY],
        responses={202: ScoresSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        checkpoint = self.body_as(ScoresRequest)["checkpoint"]
        run = started_once(request, lambda: score_campaign(checkpoint, campaign, self.person), _runs())
        return Response(ScoresSerializer(run).data, status=202)


class ScoreList(Endpoint, ListAPIView[ScoreRun]):
    """Runs of scores, newest first."""

    needs = (IsReviewer,)
    pagination_class = NewestFirst
    serializer_class = ScoresSerializer
    queryset = _runs()


class Scores(Endpoint, RetrieveAPIView[ScoreRun]):
    """One run of scores."""

    needs = (IsReviewer,)
    serializer_class = ScoresSerializer
    queryset = _runs()
