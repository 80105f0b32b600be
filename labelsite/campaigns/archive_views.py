"""Putting a campaign away, bringing it back, and deleting one that holds no labels."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.accounts.access import admin_required, person
from labelsite.asked import refused
from labelsite.campaigns import archive
from labelsite.campaigns.models import Campaign
from labelsite.wording import translated
from ml.errors import MisstepError


@require_POST
@admin_required
def put_away(request: HttpRequest, pk: int) -> HttpResponse:
    """Archive the campaign (`is_archived=1`) or restore it (`is_archived=0`)."""
    wanted = request.POST.get("is_archived", "")
    if wanted not in ("0", "1"):
        return refused(f"is_archived {wanted!r}, expected 0 or 1")
    campaign = get_object_or_404(Campaign, pk=pk)
    archive.set_archived(campaign, wanted == "1", person(request))
    if wanted == "1":
        messages.success(request, _("“%(name)s” is archived.") % {"name": campaign.name})
        return redirect("campaigns:list")
    messages.success(request, _("“%(name)s” is back, and paused.") % {"name": campaign.name})
    return redirect("campaigns:detail", pk)


@require_POST
@admin_required
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    try:
        job = archive.delete(campaign, person(request))
    except MisstepError as error:
        messages.error(request, translated(error.as_said))
        return redirect("campaigns:detail", pk)
    if job:
        messages.success(
            request, _("“%(name)s” is archived, and this job deletes it.") % {"name": campaign.name}
        )
        return redirect("jobs:detail", job.pk)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": campaign.name})
    return redirect("campaigns:list")
