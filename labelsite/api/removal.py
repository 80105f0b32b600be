"""Taking solutions out of a campaign that came into it by mistake: one, or what an import brought."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labelsite.api.base import Endpoint, IsAdmin
from labelsite.api.serializers import JobSerializer, ProblemSerializer
from labelsite.campaigns import removal
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.imports import Import, brought_in, import_at, imports_of
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job


class ImportedSerializer(serializers.Serializer[Any]):
    """An import of which something is in the campaign still."""

    imported_at = serializers.CharField(source="key", help_text="the moment by which it is known, in UTC")
    tasks = serializers.IntegerField(help_text="of its tasks, how many are there still")
    file = serializers.CharField(help_text="empty where a command on the server imported it")


class KeptSerializer(serializers.Serializer[Any]):
    """How many tasks stay, by the first reason that keeps each."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            reason.value: serializers.IntegerField(help_text=str(reason.label)) for reason in removal.Reason
        }


class ImportedTasksSerializer(ImportedSerializer):
    """An import, and what undoing it would come to just now."""

    free = serializers.IntegerField(help_text="tasks that would go")
    kept = KeptSerializer()


class TakenOutSerializer(serializers.Serializer[Any]):
    taken_out = serializers.IntegerField()
    kept = serializers.IntegerField(help_text="tasks that stay, with somebody's work")


class CampaignTask(Endpoint):
    """One task of a campaign."""

    needs = (IsAdmin,)

    @extend_schema(responses={204: None, 409: ProblemSerializer})
    def delete(self, request: Request, pk: int, task: int) -> Response:
        """Take the solution out of the campaign, as an admin.

        Refused (409) where somebody's work would go with it; `reason` says what that is.
        """
        campaign = campaign_or_404(self.person, pk)
        removal.take_out(
            get_object_or_404(Task.objects.select_related("campaign"), pk=task, campaign=campaign),
            self.person,
        )
        return Response(status=204)


class CampaignImports(Endpoint):
    """What was imported into a campaign and is there still, the newest first."""

    needs = (IsAdmin,)

    @extend_schema(responses={200: ImportedSerializer(many=True)})
    def get(self, request: Request, pk: int) -> Response:
        campaign = campaign_or_404(self.person, pk)
        return Response(ImportedSerializer(imports_of(campaign), many=True).data)


class CampaignImport(Endpoint):
    """One import: how many of its tasks nobody has worked on, and what keeps the others."""

    needs = (IsAdmin,)

    @extend_schema(responses={200: ImportedTasksSerializer})
    def get(self, request: Request, pk: int, moment: str) -> Response:
        campaign = campaign_or_404(self.person, pk)
        imported = _import_or_404(campaign, moment)
        found = removal.look_at(brought_in(campaign, imported.imported_at))
        kept = {reason.value: found.kept.get(reason, 0) for reason in removal.Reason}
        told = ImportedSerializer(imported).data
        return Response({**told, "free": found.free, "kept": kept})

    @extend_schema(responses={200: TakenOutSerializer, 202: JobSerializer})
    def delete(self, request: Request, pk: int, moment: str) -> Response:
        """Take out what the import brought, as far as nobody has worked on it.

        Where it brought many tasks, a job does it: then the answer is 202 and the job.
        """
        campaign = campaign_or_404(self.person, pk)
        imported = _import_or_404(campaign, moment)
        taken = removal.undo(campaign, imported, self.person)
        if isinstance(taken, Job):
            return Response(JobSerializer(taken).data, status=202)
        return Response({"taken_out": taken, "kept": imported.tasks - taken})


def _import_or_404(campaign: Campaign, moment: str) -> Import:
    found = import_at(campaign, moment)
    if found is None:
        raise Http404
    return found
