"""Runs of estimates: rollouts over a campaign's solutions, searches of fresh problems, and how far they are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.asking_estimates import EstimatesRequest, SearchRequest, as_asked
from labelsite.api.base import AdminWrites, Endpoint, IsAdmin, IsReviewer, NewestFirst
from labelsite.api.once import KEY, started_once
from labelsite.api.serializers import ProblemSerializer
from labelsite.autolabels.models import EstimateRun, Shard
from labelsite.autolabels.progress import progress_of_each
from labelsite.autolabels.services import start_search
from labelsite.autolabels.workload import first_problems
from labelsite.campaigns.access import campaign_or_404
from labelsite.comparison.services import start_campaign_estimates


class EstimatesSerializer(serializers.Serializer[Any]):
    """A run of estimates. One over a campaign stands in it once `loaded_at` is set; one of fresh problems has trees."""

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
    created_at = serializers.DateTimeField()
    loaded_at = serializers.DateTimeField(allow_null=True)


def _told(runs: Sequence[EstimateRun]) -> list[dict[str, Any]]:
    """A run of hundreds of jobs tells no more of them than their numbers, once it is loaded."""
    jobs = dict(
        Shard.objects.filter(run__in=runs)
        .order_by()
        .values_list("run")
        .annotate(jobs=ArrayAgg("job_id", order_by="number"))
    )
    return [
        EstimatesSerializer(
            {
                **vars(run),
                "state": progress.state,
                "done": progress.done,
                "total": progress.total,
                "jobs": jobs.get(run.pk, []),
            }
        ).data
        for run, progress in zip(runs, progress_of_each(runs), strict=True)
    ]


def _started(request: Request, start: Callable[[], EstimateRun]) -> Response:
    (told,) = _told([started_once(request, start, EstimateRun.objects.all())])
    return Response(told, status=202)


class EstimateList(Endpoint, ListAPIView[EstimateRun]):
    """Runs of estimates, newest first: over campaigns, of fresh problems, and pilots."""

    needs = (IsReviewer, AdminWrites)
    pagination_class = NewestFirst
    serializer_class = EstimatesSerializer
    queryset = EstimateRun.objects.all()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(_told(page or ()))

    @extend_schema(
        request=SearchRequest,
        parameters=[KEY],
        responses={202: EstimatesSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        """Search fresh problems, as an admin, or with `is_pilot` measure what that would cost."""
        given = self.body_as(SearchRequest)
        problems = first_problems(given["source"], given["limit"])
        start = functools.partial(start_search, problems, created_by=self.person, **as_asked(given))
        return _started(request, start)


class CampaignEstimates(Endpoint):
    """Let rollouts judge every step of the campaign's solutions, or with `is_pilot` measure what that would cost."""

    needs = (IsAdmin,)

    @extend_schema(
        request=EstimatesRequest,
        parameters=[KEY],
        responses={202: EstimatesSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        given = self.body_as(EstimatesRequest)
        start = functools.partial(start_campaign_estimates, campaign, self.person, **as_asked(given))
        return _started(request, start)


class Estimates(Endpoint, RetrieveAPIView[EstimateRun]):
    """One run of estimates and how far it is."""

    needs = (IsReviewer,)
    serializer_class = EstimatesSerializer
    queryset = EstimateRun.objects.all()

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        (told,) = _told([self.get_object()])
        return Response(told)
