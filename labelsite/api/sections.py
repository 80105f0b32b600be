"""The sections of a campaign, and who is kept to which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.base import AdminWrites, Endpoint, IsReviewer
from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.api.serializers import JobSerializer, ProblemSerializer
from labelsite.campaigns import filling, progress, sections
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.models import SECTION_LENGTH, Campaign, Task, TaskKind
from labelsite.campaigns.section_forms import OUTCOMES, SectionFilter
from labelsite.jobs.models import Job

# Ids in one request; a larger section is made by a filter.
MOST_IDS = 10_000


class SectionName(serializers.CharField):
    """A name; empty only as "", so that a slip of spaces empties nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=SECTION_LENGTH, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and data and not data.strip():
            raise ValidationError(f"{data!r} is no name, expected letters")
        return super().run_validation(data)


class SectionSerializer(serializers.Serializer[Any]):
    """A section, how its work stands (gold and screening items are not counted), and who is kept to it."""

    name = serializers.CharField()
    tasks = serializers.IntegerField()
    done = serializers.IntegerField()
    open = serializers.IntegerField()
    people = serializers.ListField(child=serializers.CharField(), help_text="usernames")


class FilterSerializer(OnlyKnownFields):
    """Tasks by where they come from, as on the page; what is left out asks for nothing."""

    source = serializers.CharField(required=False)  # type: ignore[assignment]
    generator = serializers.CharField(required=False)
    outcome = Choice(list(OUTCOMES), required=False)
    words = serializers.CharField(required=False, help_text="in the problem")
    first = serializers.IntegerField(required=False, help_text="counted from 1 in the order of import")
    last = serializers.IntegerField(required=False)
    outside = serializers.BooleanField(required=False, help_text="only tasks that are in no section yet")

    def to_internal_value(self, data: Any) -> Any:
        """Refuses to ask for nothing, which would name every task; `outside: false` asks for nothing, too."""
        given = super().to_internal_value(data)
        if not any(given.values()):
            raise ValidationError(f"found nothing, expected some of {', '.join(self.fields)}")
        return given


class SectionRequest(OnlyKnownFields):
    """Tasks for a section: those of the ids, or those that the filter names."""

    name = SectionName(allow_blank=True, help_text="empty: into none")
    tasks = serializers.ListField(child=serializers.IntegerField(), required=False, max_length=MOST_IDS)
    filter = FilterSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("tasks" in attrs) == ("filter" in attrs):
            raise ValidationError("expected either tasks or filter")
        return attrs


class MovedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    moved = serializers.IntegerField(help_text="tasks that were not in it before")


class RenameRequest(OnlyKnownFields):
    name = SectionName()
    new_name = SectionName(allow_blank=True, help_text="empty: dissolve the section")


class KeptRequest(OnlyKnownFields):
    sections = serializers.ListField(
        child=SectionName(),
        help_text="worked through in this order; none: all sections",
    )


class Sections(Endpoint):
    """The sections of a campaign."""

    needs = (IsReviewer, AdminWrites)

    @extend_schema(responses={200: SectionSerializer(many=True)})
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        return Response(SectionSerializer(progress.sections(campaign), many=True).data)

    @extend_schema(
        request=SectionRequest,
        responses={
            200: MovedSerializer,
            202: JobSerializer,
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        """Put tasks into a section, as an admin.

        Where a filter names many, a job moves them: then the answer is 202 and the job.
        """
        campaign = campaign_or_404(self.person, pk)
        given = self.body_as(SectionRequest)
        if "tasks" in given:
            moved: int | Job = sections.assign(campaign, _tasks(campaign, given["tasks"]), given["name"])
        else:
            moved = filling.fill(campaign, _filter(given["filter"]), given["name"], self.person)
        if isinstance(moved, Job):
            return Response(JobSerializer(moved).data, status=202)
        return Response({"name": given["name"], "moved": moved})

    @extend_schema(
        request=RenameRequest,
        responses={
            200: SectionSerializer(many=True),
            202: JobSerializer,
            422: ProblemSerializer,
        },
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Rename a section or dissolve it, as an admin.

        Where it has many tasks, a job moves them: then the answer is 202 and the job.
        """
        campaign = campaign_or_404(self.person, pk)
        given = self.body_as(RenameRequest)
        _known(campaign, "name", [given["name"]])
        if given["new_name"] != given["name"]:
            job = filling.rename(campaign, given["name"], given["new_name"], self.person)
            if job:
                return Response(JobSerializer(job).data, status=202)
        return Response(SectionSerializer(progress.sections(campaign), many=True).data)


class MemberSections(Endpoint):
    """The sections that one member is kept to."""

    needs = (IsReviewer, AdminWrites)

    @extend_schema(request=KeptRequest, responses={200: KeptRequest})
    def put(self, request: Request, pk: int, username: str) -> Response:
        campaign = campaign_or_404(self.person, pk)
        member = get_object_or_404(campaign.memberships, user__username=username)
        kept = list(dict.fromkeys(self.body_as(KeptRequest)["sections"]))
        _known(campaign, "sections", kept)
        sections.restrict(campaign, member.user_id, kept, self.person)
        return Response({"sections": kept})


def _known(campaign: Campaign, field: str, names: Sequence[str]) -> None:
    """Raises ValidationError for names of no section: nobody who is kept to one would get any work."""
    if unknown := [name for name in names if not sections.is_there(campaign, name)]:
        known = [section.name for section in progress.sections(campaign)]
        raise ValidationError({field: [f"no sections of this campaign: {unknown}, expected some of {known}"]})


def _tasks(campaign: Campaign, ids: Sequence[int]) -> QuerySet[Task]:
    """The tasks that a request names. Screening is the same for everybody, so it belongs to no section."""
    wanted = set(ids)
    rows = campaign.tasks.filter(pk__in=wanted).exclude(kind=TaskKind.SCREENING)
    if strangers := sorted(wanted - set(rows.values_list("pk", flat=True))):
        raise ValidationError({"tasks": [f"not tasks of this campaign's work: {strangers[:10]}"]})
    return rows


def _filter(given: dict[str, Any]) -> SectionFilter:
    by_form = SectionFilter(given)
    if not by_form.is_valid():
        wrong = {name: list(map(str, errors)) for name, errors in by_form.errors.items()}
        raise ValidationError({"filter": wrong})
    return by_form
