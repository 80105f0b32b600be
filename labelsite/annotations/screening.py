"""Screening: what a person said of its items decides whether there is work for them."""

from __future__ import annotations

from django.db.models import QuerySet

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.annotations.store import verdict
from labelsite.campaigns import queue
from labelsite.campaigns import services as campaigns
from labelsite.campaigns.models import Campaign, MemberState, TaskKind
from labelsite.campaigns.queue import Desk
from labelsite.campaigns.reasons import NothingLeft, Reason


def judge(campaign: Campaign, annotator: int) -> str | None:
    """Admits or refuses a person by every screening item that they have done; returns the new state, if any."""
    done = (
        _done(campaign, annotator)
        .select_related("task")
        .only("finish_reason", "trajectory", "extra", "task__gold")
    )
    right = [verdict(look.finish_reason, look.first_mistake) in (look.task.gold or []) for look in done]
    return campaigns.judge_screening(campaign, annotator, right)


def _done(campaign: Campaign, annotator: int) -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        task__campaign=campaign, task__kind=TaskKind.SCREENING, annotator=annotator, is_live=True
    )


def claim_at(desk: Desk, annotator: User, *, besides: int | None = None) -> int | NothingLeft:
    """As the claim of campaigns, for people who may have done all screening items before anybody judged them.

    Whoever came back to a campaign did them in an earlier membership, and a screening set can be made smaller: no
    submission will come for them to be judged by. Nothing is prepared besides the last item that they need: once it is
    submitted, there is work for them or nothing.
    """
    is_screened = desk.member_state == MemberState.SCREENING
    if (
        besides
        and is_screened
        and _done(desk.campaign, annotator.pk).count() + 1 >= desk.campaign.screening_size
    ):
        return NothingLeft(Reason.SCREENING_DECIDES)
    found = queue.claim_at(desk, annotator, besides=besides)
    is_waiting = isinstance(found, NothingLeft) and found.reason == Reason.SCREENING_WAITS
    if is_waiting and judge(desk.campaign, annotator.pk):
        return queue.claim_at(queue.desk_of(desk.campaign.pk, annotator), annotator, besides=besides)
    return found
