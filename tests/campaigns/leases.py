"""What tests of the queue do with a lease."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.campaigns.leases import hold, submission, take_up
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign
from labelsite.campaigns.queue import claim_at, desk_of
from labelsite.campaigns.reasons import NothingLeft, Reason
from labelsite.deadlocks import again_after_deadlock

_USE = submission("used AS (SELECT task_id FROM lease)", "SELECT task_id FROM lease")


def claim_next(
    campaign: Campaign, annotator: User, *, besides: int | None = None
) -> Assignment | NothingLeft:
    """The person's task: the one already in hand, else the next of the queue, else why there is none.

    `besides` names the assignment in hand when the page prepares the one after it.
    """
    found = claim_at(desk_of(campaign.pk, annotator), annotator, besides=besides)
    if isinstance(found, NothingLeft):
        return found
    return Assignment.objects.select_related("task__campaign", "task__solution__problem").get(pk=found)


def expire(lease: Assignment) -> None:
    """Its time ran out a second ago; nobody has taken note yet."""
    Assignment.objects.filter(pk=lease.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


@again_after_deadlock
@transaction.atomic
def finish(lease: Assignment) -> Assignment:
    """Uses the lease up without an annotation; the task stays open."""
    held = hold(lease.pk, lease.annotator_id)
    take_up(held, str(lease.token))
    _USE.row(assignment=held.pk, token=str(lease.token), state=held.state, alone=False)
    held.state = AssignmentState.SUBMITTED
    return held


def reason(campaign: Campaign, annotator: User, **how: int) -> Reason:
    """Why somebody gets no task."""
    found = claim_next(campaign, annotator, **how)
    assert isinstance(found, NothingLeft) and str(found)
    return found.reason
