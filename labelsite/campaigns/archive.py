"""Campaigns that are over, or were never meant to be: put away and back, and deleted where nothing would be lost."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign
from ml.errors import MisstepError


def set_archived(campaign: Campaign, is_archived: bool, by: User | None = None) -> None:
    """Put the campaign away, or back. It is paused then: whoever brings it back lets it go on when it is ready."""
    changing = Campaign.objects.filter(pk=campaign.pk, is_archived=not is_archived)
    if changing.update(is_archived=is_archived, is_paused=True):
        record("campaign", campaign.name, {"is_archived": (not is_archived, is_archived)}, by)


def refuse_archived(campaign: Campaign) -> None:
    """Raises MisstepError for a campaign that was put away: nobody would see what is done to it."""
    if Campaign.objects.filter(pk=campaign.pk, is_archived=True).exists():
        message = _("campaign %(campaign)s is archived, expected it to be restored first")
        raise MisstepError(message % {"campaign": campaign.name})


def delete(campaign: Campaign, by: User | None = None) -> None:
    """Remove a campaign with its tasks; solutions stay. Raises MisstepError where labels would go with it.

    What protects it says so itself: annotations and snapshots refer to it or its tasks in a way that forbids this.
    """
    try:
        with transaction.atomic():
            _delete(campaign)
            record("campaign", campaign.name, {"is_deleted": (False, True)}, by)
    except (ProtectedError, IntegrityError) as error:
        message = _("campaign %(campaign)s has annotations or snapshots, expected none: archive it instead")
        raise MisstepError(message % {"campaign": campaign.name}) from error


def _delete(campaign: Campaign) -> None:
    # An import that makes tasks meanwhile keeps the row, so that it is waited for, and its annotations are seen.
    fresh = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if Assignment.objects.filter(task__campaign=fresh, state=AssignmentState.LEASED).exists():
        message = _("somebody is at work in campaign %(campaign)s, expected nobody: pause it first")
        raise MisstepError(message % {"campaign": campaign.name})
    if fresh.tasks.filter(adjudications__isnull=False).exists():
        message = _(
            "reviewers decided on solutions of campaign %(campaign)s, expected none: archive it instead"
        )
        raise MisstepError(message % {"campaign": campaign.name})
    fresh.delete()
