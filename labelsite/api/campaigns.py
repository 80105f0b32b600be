"""Campaigns, the next task, and everything that an annotator does to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.annotations import services as labeling
from labelsite.annotations.payload import next_payload
from labelsite.annotations.pulling import UnknownAnnotation, pulled
from labelsite.api import lines
from labelsite.api.base import AdminWrites, Endpoint, IsAdmin, NewestFirst
from labelsite.api.once import KEY, KEY_HEADER, key_of
from labelsite.api.problems import BadRequest
from labelsite.api.serializers import (
    TASK_OR_NOTHING,
    AnnotationRequest,
    AnnotationSerializer,
    CampaignForAnnotators,
    CampaignSerializer,
    DraftRequest,
    DraftSerializer,
    HeldRequest,
    HeldSerializer,
    JobSerializer,
    ProblemSerializer,
)
from labelsite.campaigns import archive, membership, queue
from labelsite.campaigns import services as campaigns
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.snapshots.downloads import JSON_LINES

EXCLUDED = ("leave_out", "include")


def campaign_serializer(request: Request) -> type[CampaignSerializer] | type[CampaignForAnnotators]:
    return CampaignSerializer if getattr(request.user, "is_reviewer", False) else CampaignForAnnotators


class CampaignList(Endpoint, ListAPIView[Campaign]):
    """Your campaigns, newest first.

    For reviewers and admins, `archived=1` lists those that were put away, which the list leaves out.
    """

    needs = (AdminWrites,)
    asks = {"archived": ("0", "1")}
    pagination_class = NewestFirst

    def get_queryset(self) -> Any:
        is_archive = self.request.query_params.get("archived") == "1"
        return Campaign.objects.visible_to(self.person).filter(is_archived=is_archive)

    @extend_schema(parameters=[OpenApiParameter("archived", str, enum=["0", "1"], default="0")])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_serializer_class(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return CampaignSerializer
        return campaign_serializer(self.request)

    @extend_schema(request=CampaignSerializer, responses={201: CampaignSerializer})
    def post(self, request: Request) -> Response:
        """Make a campaign, as an admin.

        As one made on the page it is for every annotator, unless `is_for_everyone` is false, or is left out where
        `members` are named.
        """
        fields = dict(self.body_as(CampaignSerializer))
        fields.setdefault("is_for_everyone", "members" not in fields)
        members = fields.pop("members", [])
        campaign = campaigns.create_campaign(
            fields.pop("name"), created_by=self.person, members=members, **fields
        )
        return Response(CampaignSerializer(campaign).data, status=201)


class CampaignDetail(Endpoint):
    """One campaign."""

    needs = (AdminWrites,)

    @extend_schema(responses={200: CampaignSerializer})
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        return Response(campaign_serializer(request)(campaign).data)

    @extend_schema(
        request=CampaignSerializer(partial=True),
        responses={200: CampaignSerializer, 422: ProblemSerializer},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Change settings of a campaign, as an admin; what is left out stays as it is."""
        campaign = campaign_or_404(self.person, pk)
        changes = dict(self.body_as(CampaignSerializer, campaign, partial=True))
        members = changes.pop("members", None)
        if (is_archived := changes.pop("is_archived", None)) is not None:
            archive.set_archived(campaign, is_archived, self.person)
        if is_archived:
            # What was read before may say that it is not paused.
            changes.pop("is_paused", None)
        campaign = campaigns.update_campaign(campaign, changes, by=self.person)
        if members is not None:
            membership.set_members(campaign, {user.pk for user in members}, self.person)
        return Response(CampaignSerializer(campaign).data)

    @extend_schema(responses={202: JobSerializer, 204: None, 422: ProblemSerializer})
    def delete(self, request: Request, pk: int) -> Response:
        """Remove a campaign that has neither annotations nor snapshots.

        A large one is archived and removed by a job: then the answer is 202 and the job.
        """
        job = archive.delete(campaign_or_404(self.person, pk), self.person)
        return Response(JobSerializer(job).data, status=202) if job else Response(status=204)


class NextTask(Endpoint):
    """The task in your hand, else the next of the queue, else why there is none."""

    @extend_schema(request=None, responses={200: TASK_OR_NOTHING})
    def post(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        found = next_payload(campaign.pk, self.person)
        if "assignment" not in found:
            return Response(found)
        # A page has no use for it; a script joins its own rows by it. A file's own ids may tell the answer, so that
        # whoever labels is not told them.
        task = Assignment.objects.values_list("task", flat=True).get(pk=found["assignment"])
        return Response({**found, "task": task})


class Heartbeat(Endpoint):
    """Keep the task for another while; `held` false says that somebody else may have it now."""

    @extend_schema(request=HeldRequest, responses={200: HeldSerializer})
    def post(self, request: Request, pk: int) -> Response:
        until = queue.heartbeat(pk, self.person, str(self.body_as(HeldRequest)["token"]))
        return Response({"held": until is not None})


class Draft(Endpoint):
    """Keep unfinished work. A draft outlives the hold on its task."""

    @extend_schema(
        request=DraftRequest,
        responses={200: DraftSerializer, 409: ProblemSerializer},
    )
    def put(self, request: Request, pk: int) -> Response:
        given = self.body_as(DraftRequest)
        version, held = labeling.save_draft(
            pk, self.person, str(given["token"]), given["version"], given["draft"]
        )
        return Response({"version": version, "held": held})


class Annotations(Endpoint):
    """Submit a finished look. Repeating the request with the same key gives the same answer."""

    @extend_schema(
        request=AnnotationRequest,
        parameters=[KEY],
        responses={
            201: AnnotationSerializer,
            404: ProblemSerializer,
            409: ProblemSerializer,
            422: ProblemSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        given = self.body_as(AnnotationRequest)
        annotation = labeling.submit(
            given["assignment"],
            str(given["token"]),
            _idempotency_key(request, given.get("idempotency_key")),
            given["judgement"],
            annotator=self.person.pk,
        )
        return Response(AnnotationSerializer(annotation).data, status=201)


def _idempotency_key(request: Request, in_body: UUID | None) -> str:
    key = key_of(request) or in_body
    if key is None:
        raise BadRequest(f"no idempotency key, expected a UUID in the header {KEY_HEADER} or in the body")
    return str(key)


class AnnotationLines(Endpoint):
    """Every live annotation of a campaign as JSON Lines, streamed; admins only.

    `after` continues behind the annotation of that id, so that a pull can go on where it stopped: name the id of the
    last line. Whatever is committed later comes behind it, also where its own id is lower.

    Labels of people whom an admin excluded are left out, as in a snapshot; `excluded=include` gives them too, and
    each line of the misstep shape then says of itself whether it is one. Who was excluded or let in again since the
    last pull changes lines that it has: pull from the beginning then.
    """

    needs = (IsAdmin,)
    asks = {"shape": lines.SHAPES, "after": (), "excluded": EXCLUDED}

    @extend_schema(
        parameters=[
            OpenApiParameter("shape", str, enum=list(lines.SHAPES), default="misstep"),
            OpenApiParameter("after", int, description="the id in the last line of the pull before"),
            OpenApiParameter("excluded", str, enum=list(EXCLUDED), default="leave_out"),
        ],
        responses={(200, JSON_LINES): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        campaign = campaign_or_404(self.person, pk)
        asked = request.query_params
        shape, after = asked.get("shape", "misstep"), asked.get("after", "0")
        try:
            rows = pulled(campaign, int(after), with_excluded=asked.get("excluded") == "include")
        except (UnknownAnnotation, ValueError) as error:
            raise BadRequest(f"after={after!r}, expected the id of an annotation of this campaign") from error
        return lines.response(rows, shape, f"campaign-{pk}-annotations.jsonl")
