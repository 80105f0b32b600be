"""Whose estimates a snapshot freezes; one that needs some and has none is refused, with the search under way."""

from __future__ import annotations

from django.utils.translation import gettext as _

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.comparison.services import ESTIMATE_TASK
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots.models import LabelSource
from ml.errors import MisstepError


def run_for(campaign: Campaign, labels: str) -> EstimateRun | None:
    """The run that a snapshot of these labels reads; None for people's labels, which need none.

    Raises MisstepError where there is none for the others: "mixed" labels without estimates would be people's alone
    under a name that says otherwise.
    """
    if labels == LabelSource.HUMAN:
        return None
    if run := estimate_run_of(campaign):
        return run
    raise MisstepError(" ".join([_missing(campaign), *_under_way(campaign)]))


def estimate_run_of(campaign: Campaign) -> EstimateRun | None:
    """The campaign's own loaded run, or else the latest loaded one that estimated any of its solutions."""
    if campaign.estimate_run and campaign.estimate_run.loaded_at:
        return campaign.estimate_run
    return (
        EstimateRun.objects.filter(
            loaded_at__isnull=False, solution_estimates__solution__tasks__campaign=campaign
        )
        .order_by("-loaded_at", "-pk")
        .first()
    )


def _missing(campaign: Campaign) -> str:
    message = _("campaign %(campaign)s has no loaded estimates, expected a finished search before freezing")
    return message % {"campaign": campaign.name}


def _under_way(campaign: Campaign) -> list[str]:
    """A word about the newest search of this campaign that still runs or waits, if there is one."""
    jobs = Job.objects.filter(
        task_name=ESTIMATE_TASK, spec__campaign=campaign.pk, state__in=[JobState.QUEUED, JobState.RUNNING]
    )
    job = jobs.only("pk", "title", "words", "state").order_by("-pk").first()
    if job is None:
        return []
    message = _("(job %(job)s, “%(title)s”, is %(state)s: freeze when it is done)")
    return [message % {"job": job.pk, "title": job.said, "state": JobState(job.state).label}]
