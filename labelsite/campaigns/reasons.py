"""Why there is no task for a person: said only when it is true, and precisely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil

from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.accounts.models import User
from labelsite.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    MemberState,
    Task,
    TaskKind,
    TaskState,
)
from labelsite.campaigns.ordering import waiting


class Reason(StrEnum):
    YOU_ARE_PAUSED = "you_are_paused"
    CAMPAIGN_PAUSED = "campaign_paused"
    NOT_ADMITTED = "not_admitted"
    SCREENING_WAITS = "screening_waits"
    SCREENING_DECIDES = "screening_decides"
    NO_TASKS = "no_tasks"
    LEASED = "leased"
    YOUR_SHARE_IS_DONE = "your_share_is_done"
    FINISHED = "finished"
    SECTION_IS_DONE = "section_is_done"
    SECTION_LEASED = "section_leased"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """No task, and the reason. `until`: when the first lease that is in the way runs out."""

    reason: Reason
    until: datetime | None = None

    @property
    def minutes(self) -> int:
        """From now until then, rounded up: a time of day would be that of the server's zone."""
        seconds = (self.until - timezone.now()).total_seconds() if self.until else 0
        return max(1, ceil(seconds / 60))

    def __str__(self) -> str:
        texts = {
            Reason.YOU_ARE_PAUSED: _("You are paused, so there are no new tasks for you. Ask an admin."),
            Reason.CAMPAIGN_PAUSED: _("This campaign is paused. What you did is saved."),
            Reason.NOT_ADMITTED: _("You are not admitted to this campaign."),
            Reason.SCREENING_WAITS: _("You have done every screening item there is. An admin must add more."),
            Reason.SCREENING_DECIDES: _("What comes next is decided by this last screening item."),
            Reason.NO_TASKS: _("This campaign has no tasks yet."),
            Reason.LEASED: ngettext(
                "All that is left is in other people's hands for %(minutes)s more minute at least.",
                "All that is left is in other people's hands for %(minutes)s more minutes at least.",
                self.minutes,
            )
            % {"minutes": self.minutes},
            Reason.YOUR_SHARE_IS_DONE: _(
                "You have done your share: what is open needs somebody else's eyes."
            ),
            Reason.FINISHED: _("Everything is labelled. Thank you!"),
            Reason.SECTION_IS_DONE: _(
                "Nothing is left for you in your section; others still have open tasks."
            ),
            Reason.SECTION_LEASED: ngettext(
                "All that is left in your section is in other people's hands for %(minutes)s more minute at least;"
                " other sections still have open tasks.",
                "All that is left in your section is in other people's hands for %(minutes)s more minutes at least;"
                " other sections still have open tasks.",
                self.minutes,
            )
            % {"minutes": self.minutes},
            Reason.BUSY: _(
                "What comes next is being changed at this very moment. Trying again in a few seconds."
            ),
        }
        return str(texts[self.reason])


def why_nothing_is_left(
    campaign: Campaign, annotator: User, member_state: str, sections: Sequence[str] = ()
) -> NothingLeft:
    """Looks for the reason after a claim found nothing in `sections`; a handful of indexed questions."""
    if member_state == MemberState.SCREENING:
        return NothingLeft(Reason.SCREENING_WAITS)
    work = Task.objects.filter(campaign=campaign, kind=TaskKind.WORK)
    held = _held_by_others(campaign, annotator)
    if sections:
        held = held.filter(task__section__in=sections)
    if sections and waiting(campaign).exclude(section__in=sections).exists():
        until = _first_end(held)
        return NothingLeft(Reason.SECTION_LEASED if until else Reason.SECTION_IS_DONE, until)
    if not work.exists():
        return NothingLeft(Reason.NO_TASKS)
    if waiting(campaign).exists():
        # Only tasks that this person has already done have free places; anything else would have been claimed.
        return NothingLeft(Reason.YOUR_SHARE_IS_DONE)
    if until := _first_end(held):
        return NothingLeft(Reason.LEASED, until)
    if sections and work.filter(state=TaskState.OPEN).exclude(section__in=sections).exists():
        return NothingLeft(Reason.SECTION_IS_DONE)
    if work.filter(state=TaskState.OPEN).exists():
        return NothingLeft(Reason.YOUR_SHARE_IS_DONE)
    return NothingLeft(Reason.FINISHED)


def _held_by_others(campaign: Campaign, annotator: User) -> QuerySet[Assignment]:
    """Others' leases of what may still come to this person: also of what has lapsed in their own hands."""
    leases = Assignment.objects.filter(
        state=AssignmentState.LEASED,
        task__campaign=campaign,
        task__kind=TaskKind.WORK,
        task__state=TaskState.OPEN,
    )
    own = Assignment.objects.filter(task=OuterRef("task"), annotator=annotator)
    return leases.exclude(annotator=annotator).exclude(Exists(own.exclude(state=AssignmentState.LAPSED)))


def _first_end(leases: QuerySet[Assignment]) -> datetime | None:
    end: datetime | None = leases.aggregate(end=Min("leased_until"))["end"]
    return end
