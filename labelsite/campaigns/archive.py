"""Campaigns that are over, or were never meant to be: put away and back, and deleted where nothing would be lost."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns.drafts import IS_BEGUN
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.campaigns.sweep import IN_HAND
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from ml.errors import MisstepError
from ml.said import Said

TASK = "labelsite.campaigns.tasks.run_deletion"
# About a second's work.
TASKS_AT_ONCE = 2000
# Row by row, Django would fetch all tasks. Whatever refers to one that goes says so now, and not at the commit.
_DELETE_ASSIGNMENTS = """
DELETE FROM campaigns_assignment AS lease USING campaigns_task AS task
WHERE task.id = lease.task_id AND task.campaign_id = %s
"""
_DELETE_TASKS = "DELETE FROM campaigns_task WHERE campaign_id = %s"
_DRAFTS_BEGUN = f"""
SELECT count(*) FROM campaigns_assignment AS lease JOIN campaigns_task AS task ON task.id = lease.task_id
WHERE task.campaign_id = %s AND {IS_BEGUN}
"""
_CHECK = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"


@transaction.atomic
def set_archived(campaign: Campaign, is_archived: bool, by: User | None = None) -> None:
    """Put the campaign away, or back. It is paused then: whoever brings it back lets it go on when it is ready."""
    fresh = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk).first()
    if fresh is not None and fresh.is_archived != is_archived:
        changed = {"is_archived": (not is_archived, is_archived), "is_paused": (fresh.is_paused, True)}
        Campaign.objects.filter(pk=fresh.pk).update(is_archived=is_archived, is_paused=True)
        record("campaign", fresh.name, changed, by)


def refuse_archived(campaign: Campaign) -> None:
    """Raises MisstepError for a campaign that was put away: nobody would see what is done to it."""
    if Campaign.objects.filter(pk=campaign.pk, is_archived=True).exists():
        message = _("campaign %(campaign)s is archived, expected it to be restored first")
        raise MisstepError(message % {"campaign": campaign.name})


def delete(campaign: Campaign, by: User | None = None) -> Job | None:
    """Remove a campaign with its tasks; solutions stay. Raises MisstepError where labels would go with it.

    A large one is archived at once, and removed by the job that is returned.
    """
    if campaign.tasks.all()[: TASKS_AT_ONCE + 1].count() <= TASKS_AT_ONCE:
        _delete(campaign, by)
        return None
    with transaction.atomic():
        _refuse_labels(campaign)
        set_archived(campaign, True, by)
        title = worded(gettext_noop("Delete %(campaign)s"), campaign=campaign.name)
        spec = {"campaign": campaign.pk}
        return enqueue("django", "delete", spec, created_by=by, task_name=TASK, title=title)


def work(job: Job, lease: Lease) -> dict[str, Any]:
    """Delete what the job names; runs in the transaction that marks the job as done."""
    campaign = Campaign.objects.filter(pk=job.spec["campaign"]).first()
    if campaign and not campaign.is_archived:
        message = gettext_noop("campaign %(campaign)s was restored, expected it to be archived")
        raise MisstepError(Said(message, campaign=campaign.name))
    if campaign:
        _delete(campaign, job.created_by)
    return {}


def _delete(campaign: Campaign, by: User | None) -> None:
    """What protects it says so itself: annotations and snapshots refer to it, or to its tasks, so that it stays."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            fresh = _refuse_labels(campaign)
            cursor.execute(_DELETE_ASSIGNMENTS, [campaign.pk])
            cursor.execute(_DELETE_TASKS, [campaign.pk])
            fresh.delete()
            cursor.execute(_CHECK)
            record("campaign", campaign.name, {"is_deleted": (False, True)}, by)
    except (ProtectedError, IntegrityError) as error:
        raise _has_labels(campaign) from error


def _has_labels(campaign: Campaign) -> MisstepError:
    message = gettext_noop(
        "campaign %(campaign)s has annotations or snapshots, expected none: archive it instead"
    )
    return MisstepError(Said(message, campaign=campaign.name))


def _refuse_labels(campaign: Campaign) -> Campaign:
    """The campaign, locked. Raises MisstepError where anybody has worked in it, or does so now."""
    # An import that makes tasks meanwhile keeps the row, so that it is waited for, and its annotations are seen.
    fresh = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if Assignment.objects.filter(IN_HAND, task__campaign=fresh).exists():
        message = gettext_noop(
            "somebody is at work in campaign %(campaign)s, expected nobody: pause it first"
        )
        raise MisstepError(Said(message, campaign=campaign.name))
    if fresh.tasks.filter(adjudications__isnull=False).exists():
        message = gettext_noop(
            "reviewers decided on solutions of campaign %(campaign)s, expected none: archive it instead"
        )
        raise MisstepError(Said(message, campaign=campaign.name))
    if fresh.tasks.filter(annotations__isnull=False).exists() or fresh.snapshots.exists():
        raise _has_labels(campaign)
    # What a person has rated is their work also where the lease lapsed: they go on with it when the task comes again.
    if count := _drafts_begun(fresh):
        message = gettext_noop(
            "campaign %(campaign)s holds drafts that nobody submitted (%(count)s), expected none: archive it instead"
        )
        raise MisstepError(Said(message, campaign=campaign.name, count=count))
    return fresh


def _drafts_begun(campaign: Campaign) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_DRAFTS_BEGUN, [campaign.pk])
        return int(cursor.fetchone()[0])
