"""What a person did: reads for "my day". Gold is told only once the person can no longer change the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.accounts.models import User
from labelsite.annotations.known_answers import counts
from labelsite.annotations.models import Annotation, FinishReason, first_mistake_sql
from labelsite.annotations.services import verdict_of
from labelsite.asked import page_below
from labelsite.campaigns.access import takes_changes
from labelsite.campaigns.models import TaskKind

PAGE, DAYS = 25, 14


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    count: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history."""

    annotation: Annotation
    verdict: str
    gold: str
    gold_agrees: bool | None
    can_edit: bool
    can_look: bool

    @property
    def seconds(self) -> float | None:
        took = self.annotation.total_time_ms
        return None if took is None else took / 1000


def mine(user: User) -> QuerySet[Annotation]:
    return Annotation.objects.filter(annotator=user, is_live=True)


def submitted(user: User) -> QuerySet[Annotation]:
    """What the person submitted, as it was first: a correction is no further solution, and moves none to its day."""
    return Annotation.objects.filter(annotator=user, revision=1)


def days(user: User) -> list[Day]:
    """The person's last days with work, newest first: how many, and the mean seconds for one."""
    rows = (
        submitted(user)
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(count=Count("id"), mean=Avg("total_time_ms"))
        .order_by("-day")[:DAYS]
    )
    return [
        Day(row["day"], row["count"], None if row["mean"] is None else row["mean"] / 1000) for row in rows
    ]


def today(user: User) -> dict[str, Any]:
    """Today's count, and the median seconds of the last fifty annotations."""
    newest = submitted(user).order_by("-id").values_list("total_time_ms", flat=True)[:50]
    times = [milliseconds for milliseconds in newest if milliseconds is not None]
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "count": submitted(user).filter(created_at__gte=start).count(),
        "median_seconds": median(times) / 1000 if times else None,
        "total": submitted(user).count(),
    }


def entries(user: User, before: str = "") -> tuple[list[Entry], int | None]:
    """A page of the history, newest first, and the id that the next page starts below."""
    rows = mine(user).select_related("task__campaign", "task__solution__problem").order_by("-id")
    page = page_below(rows, before, PAGE)
    campaigns = {row.task.campaign_id for row in page.rows}
    newest, doors = newest_by_campaign(user, campaigns), takes_changes(user, campaigns)
    shown = [
        _entry(row, newest[row.task.campaign_id] == row.task_id, doors.get(row.task.campaign_id))
        for row in page.rows
    ]
    return shown, page.further


def newest_by_campaign(user: User, campaigns: set[int]) -> dict[int, int]:
    """The task of the person's last submission in each campaign: the one that `undo` still reaches."""
    rows = (
        Annotation.objects.filter(annotator=user, revision=1, task__campaign__in=campaigns)
        .order_by("task__campaign", "-id")
        .distinct("task__campaign")
    )
    return dict(rows.values_list("task__campaign_id", "task_id"))


def last_one(user: User, campaign: int) -> Annotation | None:
    """What `undo` reaches in the campaign: the live revision of the person's last submission."""
    task = newest_by_campaign(user, {campaign}).get(campaign)
    return None if task is None else mine(user).filter(task=task).select_related("task__campaign").first()


def _entry(annotation: Annotation, is_newest: bool, takes_change: bool | None) -> Entry:
    """`takes_change`: whether the campaign takes changes from the person; None where it exists for them no more."""
    task, campaign = annotation.task, annotation.task.campaign
    told = task.kind != TaskKind.WORK and task.gold is not None and not is_newest
    return Entry(
        annotation=annotation,
        verdict=verdict_text(annotation),
        gold=gold_text(task.gold) if told and task.gold else "",
        gold_agrees=verdict_of(annotation) in task.gold if told and task.gold else None,
        can_edit=bool(takes_change)
        and (is_newest or (campaign.allows_editing and task.kind == TaskKind.WORK)),
        # Of whatever kind: a row without its button would tell that the task is gold.
        can_look=takes_change is not None and annotation.offers_second_look,
    )


def verdict_text(annotation: Annotation) -> str:
    if annotation.first_mistake is not None:
        return _("first mistake: step %(number)s") % {"number": annotation.first_mistake + 1}
    return str(FinishReason(annotation.finish_reason).label)


def gold_text(gold: Sequence[int]) -> str:
    """ "reasonable to mark step 3 or 4", from the acceptable positions (-1: no mistake)."""
    steps = [str(position + 1) for position in sorted(gold) if position >= 0]
    parts = []
    if steps:
        named = _(" or ").join(steps)
        parts.append(
            ngettext("reasonable to mark step %(steps)s", "reasonable to mark step %(steps)s", len(steps))
            % {"steps": named}
        )
    if -1 in gold:
        parts.append(_("reasonable to find no mistake"))
    return _(" or ").join(parts)


def gold_standing(user: User) -> dict[str, Any]:
    """How often the person was within the gold set; only closed items, and none with gold of their own word.

    The newest submission of each campaign is none of them: a number that moves would tell that it was gold, and
    whether to correct it.
    """
    counted: Any = counts()
    rows = list(
        mine(user)
        .exclude(task__kind=TaskKind.WORK)
        .filter(counted)
        .select_related("task")
        .only("finish_reason", "trajectory", "extra", "task__gold", "task__campaign_id")
        .order_by("-id")[:200]
    )
    newest = newest_by_campaign(user, {row.task.campaign_id for row in rows})
    closed = [row for row in rows if newest.get(row.task.campaign_id) != row.task_id]
    right = [verdict_of(row) in (row.task.gold or []) for row in closed]
    return {"count": len(right), "right": sum(right), "share": sum(right) / len(right) if right else None}


# So many pairs are counted at once.
AGREEMENT_STEP = 10
# Two people say the same when they name the same first mistake, or end alike without one. A label can be changed long
# after, so what counts is what both said at first: no trying of one step after the other moves it. Nor does one label
# more, but ten, so that nobody learns of any of them what others say. The newest submission of each campaign is left
# out, as above: at an overlap of one only gold has others who looked, so a number that moves tells it.
_WITH_OTHERS = f"""
WITH pairs AS (
    SELECT ({first_mistake_sql("mine")} = {first_mistake_sql("other")}
            OR ({first_mistake_sql("mine")} IS NULL AND {first_mistake_sql("other")} IS NULL
                AND mine.finish_reason = other.finish_reason)) AS is_same,
           row_number() OVER (ORDER BY GREATEST(mine.id, other.id), other.id) AS place, count(*) OVER () AS pairs
    FROM annotations_annotation AS mine
    JOIN campaigns_task AS task ON task.id = mine.task_id
    JOIN campaigns_campaign AS campaign ON campaign.id = task.campaign_id AND campaign.shows_agreement
    JOIN annotations_annotation AS other ON other.task_id = mine.task_id AND other.annotator_id <> mine.annotator_id
         AND other.revision = 1 AND other.origin = 'annotator'
    WHERE mine.annotator_id = %(user)s AND mine.revision = 1 AND mine.origin = 'annotator'
      AND mine.task_id <> ALL (ARRAY(
          SELECT DISTINCT ON (done.campaign_id) done.id
          FROM annotations_annotation AS look JOIN campaigns_task AS done ON done.id = look.task_id
          WHERE look.annotator_id = %(user)s AND look.revision = 1 ORDER BY done.campaign_id, look.id DESC))
)
SELECT count(*), count(*) FILTER (WHERE is_same) FROM pairs WHERE place <= pairs - pairs %% %(step)s
"""


def agreement_with_others(user: User) -> dict[str, Any]:
    """Pairs of looks at the same task and how many said the same at first, where the campaign shows it; by tens."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_OTHERS, {"user": user.pk, "step": AGREEMENT_STEP})
        pairs, same = cursor.fetchone()
    return {"pairs": pairs, "share": same / pairs if pairs else None}
