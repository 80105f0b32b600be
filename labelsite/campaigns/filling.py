"""Fills a section with what a filter names, or renames it: at once where few tasks move, and as a job otherwise."""

from __future__ import annotations

import functools
from typing import Any

from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.campaigns import sections
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.section_forms import SectionFilter
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import Work, enqueue
from labelsite.jobs.titles import worded
from labelsite.statements import refresh_statistics
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
    return _enqueue(campaign, section or "-", by, section=section, filter=wanted.cleaned_data)


def rename(campaign: Campaign, old: str, new: str, by: User) -> Job | None:
    """Gives a section another name, or dissolves it (""), unless it returns the job that does; raises what
    `sections.reserve` raises.
    """
    if campaign.tasks.filter(section=old)[: TASKS_AT_ONCE + 1].count() <= TASKS_AT_ONCE:
        sections.rename(campaign, old, new, by=by)
        return None
    sections.reserve(campaign, old, new)
    return _enqueue(campaign, new or old, by, section=new, old=old)


def _enqueue(campaign: Campaign, named: str, by: User, **spec: Any) -> Job:
    words = gettext_noop("Section %(section)s of %(campaign)s")
    title = worded(words, section=named, campaign=campaign.name)
    spec["campaign"] = campaign.pk
    return enqueue("django", "section", spec, created_by=by, task_name=TASK, title=title)


def gather(job: Job, lease: Lease) -> Work:
    """Moves the tasks batch by batch, each committed for itself; broken off, it is finished by doing it again."""
    campaign, section = Campaign.objects.filter(pk=job.spec["campaign"]).first(), job.spec["section"]
    wanted = SectionFilter(job.spec.get("filter"))
    if campaign is None or not (wanted.is_valid() or "old" in job.spec):
        raise MisstepError(Said(gettext_noop("the campaign is no longer there")))
    result = {"campaign_id": campaign.pk}
    if "old" in job.spec:
        # Without a note it was done before: by an attempt that could not say so any more, or for whoever asked twice.
        if not section or campaign.renames.get(job.spec["old"]) == section:
            sections.rename(campaign, job.spec["old"], section, lease.check, job.created_by)
    else:
        result["tasks_of_section"] = sections.assign(campaign, wanted.rows(campaign), section, lease.check)
        # While the planner takes the index of sections for empty, each claim in a section reads all that is in it.
        refresh_statistics(Task)
    return functools.partial(_tell, result)


def _tell(result: dict[str, Any], job: Job, lease: Lease) -> dict[str, Any]:
    return result
