"""Imports and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.annotations import uploads
from labelsite.api.base import Endpoint, IsAdmin, NewestFirst
from labelsite.api.once import KEY, started_once
from labelsite.api.serializers import ImportRequest, JobSerializer, ProblemSerializer
from labelsite.jobs import services
from labelsite.jobs.access import job_or_404, job_to_retry_or_404, obedient_job_or_404
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.models import Job, JobState
from ml import formats
from ml.errors import MisstepError


class Imports(Endpoint):
    """Upload a file of solutions; the answer is the job that imports it, whole or not at all."""

    needs = (IsAdmin,)
    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": ImportRequest},
        parameters=[KEY],
        responses={202: JobSerializer, 422: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        given = self.body_as(ImportRequest)
        job = started_once(request, lambda: self._start(given), Job.objects.all())
        return Response(JobSerializer(job).data, status=202)

    def _start(self, given: Mapping[str, Any]) -> Job:
        upload = uploads.keep(given["file"].name, given["file"].chunks(), given["campaign"])
        format = given.get("format") or formats.guess(upload.path)
        if format is None:
            try:
                formats.refuse_other_tools(upload.path, upload.name)
            finally:
                uploads.discard(upload)
            known = ", ".join(formats.FORMATS)
            message = _(
                "%(file)s: no format that could be guessed, expected one of %(known)s (see docs/formats.md)"
            )
            raise MisstepError(message % {"file": upload.name, "known": known})
        return uploads.start_import(
            upload, format, given["campaign"], self.person, given["section"], given["begins_paused"]
        )


class JobList(Endpoint, ListAPIView[Job]):
    """Jobs, newest first: every one for reviewers and admins, your own otherwise."""

    asks = {"state": JobState.values}
    pagination_class = NewestFirst
    serializer_class = JobSerializer

    @extend_schema(parameters=[OpenApiParameter("state", str, enum=JobState.values)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        jobs = Job.objects.visible_to(self.person).select_related("created_by").defer("spec")
        state = self.request.query_params.get("state")
        return jobs.filter(state=state) if state else jobs


class JobDetail(Endpoint):
    """One job. `result` has what it made: the id of a snapshot, counts of an import."""

    @extend_schema(responses={200: JobSerializer})
    def get(self, request: Request, pk: int) -> Response:
        return Response(JobSerializer(job_or_404(request.user, pk)).data)


class JobCancel(Endpoint):
    """Ask a job to end, as an admin or as who started it.

    One that runs ends when its runner next looks, within seconds.
    """

    @extend_schema(request=None, responses={200: JobSerializer})
    def post(self, request: Request, pk: int) -> Response:
        cancel(obedient_job_or_404(request.user, pk))
        return Response(JobSerializer(job_or_404(request.user, pk)).data)


class JobRetry(Endpoint):
    """Queue a failed or cancelled job again, as an admin."""

    @extend_schema(
        request=None,
        responses={
            200: JobSerializer,
            422: ProblemSerializer,
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        if not services.retry(job_to_retry_or_404(request.user, pk)):
            raise MisstepError(_("this job is neither failed nor cancelled, expected one of these"))
        return Response(JobSerializer(job_or_404(request.user, pk)).data)
