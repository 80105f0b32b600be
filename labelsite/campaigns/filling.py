"""Fills a section with what a filter names: at once where few tasks move, and as a job otherwise."""

from __future__ import annotations

import functools
from typing import Any

from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.campaigns import sections
from labelsite.campaigns.models import Campaign
from labelsite.campaigns.section_forms import SectionFilter
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import Work, enqueue
from labelsite.jobs.titles import worded
from ml.errors import MisstepError
from ml.said import Said

TASK = "labelsite.campaigns.tasks.run_filling"
# About a second's work.
TASKS_AT_ONCE = 5000


def fill(campaign: Campaign, wanted: SectionFilter, section: str, by: User) -> int | Job:
    """Puts the tasks that a valid filter names into `section` ("": into none); returns how many moved, or the job
    that moves them.
    """
    rows = wanted.rows(campaign)
    if rows.exclude(section=section)[: TASKS_AT_ONCE + 1].count() <= TASKS_AT_ONCE:
        return sections.assign(campaign, rows, section)
    words = gettext_noop("Section %(section)s of %(campaign)s")
    title = worded(words, section=section or "-", campaign=campaign.name)
    spec = {"campaign": campaign.pk, "section": section, "filter": wanted.cleaned_data}
    return enqueue("django", "section", spec, created_by=by, task_name=TASK, title=title)


def gather(job: Job, lease: Lease) -> Work:
    """Moves the tasks batch by batch, each committed for itself; broken off, it is finished by doing it again."""
    campaign = Campaign.objects.filter(pk=job.spec["campaign"]).first()
    wanted = SectionFilter(job.spec["filter"])
    if campaign is None or not wanted.is_valid():
        raise MisstepError(Said(gettext_noop("the campaign is no longer there")))
    moved = sections.assign(campaign, wanted.rows(campaign), job.spec["section"], lease.check)
    return functools.partial(_tell, {"campaign_id": campaign.pk, "tasks_of_section": moved})


def _tell(result: dict[str, Any], job: Job, lease: Lease) -> dict[str, Any]:
    return result
