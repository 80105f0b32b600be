"""What the page of an import tells of the file that waits for another try."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.urls import reverse

from labelsite.annotations.uploads import find
from labelsite.campaigns.imports import is_there
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job, JobState

register = template.Library()


@register.simple_tag
def preview_of(job: Job) -> str:
    """Where the file of an import that came to nothing is looked at again, as it was asked for; "" where it is gone."""
    upload = job.spec.get("upload")
    if not upload or job.state not in (JobState.FAILED, JobState.CANCELLED) or find(upload) is None:
        return ""
    asked = {name: job.spec.get(name, "") for name in ("format", "campaign", "section")}
    paused = {"begins_paused": "on"} if job.spec.get("begins_paused") else {}
    return f"{reverse('annotations:import_preview', args=[upload])}?{urlencode(asked | paused)}"


@register.simple_tag
def brought_by(job: Job, campaign: Campaign) -> bool:
    """Whether something that this import brought is in the campaign still."""
    result = job.result or {}
    moment = result.get("imported_at")
    return bool(moment and result.get("campaign_id") == campaign.pk and is_there(campaign, moment))
