"""How each person does in a campaign: on its gold items lately, on every known answer, and at what pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.db import connection
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from labelsite.accounts.models import User
from labelsite.annotations.known_answers import counts, counts_sql
from labelsite.annotations.models import Annotation, first_mistake_sql
from labelsite.annotations.pace import Pace, too_fast
from labelsite.annotations.services import verdict_of
from labelsite.campaigns.models import Campaign, TaskKind

LAST = 20
# PRM800K's labelers were within the gold set on about 80 % of items; clearly below that, somebody should look.
ALARM_BELOW = 0.65
ALARM_FROM = 8

_JUDGED = "a.finish_reason IN ('found_error', 'solution')"
_COUNTS = counts_sql("a", "t")
# Everybody's looks that stand, counted. Times are of looks with a verdict: to give up takes no time.
_TOTALS = f"""
    SELECT a.annotator_id, count(*),
        count(*) FILTER (WHERE a.finish_reason = 'bad_problem'),
        count(*) FILTER (WHERE a.finish_reason = 'give_up'),
        count(*) FILTER (WHERE {_COUNTS}),
        count(*) FILTER (WHERE {_COUNTS} AND {_JUDGED} AND COALESCE({first_mistake_sql("a")}, -1) = ANY(t.gold)),
        count(a.total_time_ms) FILTER (WHERE {_JUDGED}),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY a.total_time_ms) FILTER (WHERE {_JUDGED})
    FROM annotations_annotation a JOIN campaigns_task t ON t.id = a.task_id
    JOIN accounts_user u ON u.id = a.annotator_id AND NOT u.is_machine
    WHERE t.campaign_id = %(campaign)s AND a.is_live
    GROUP BY a.annotator_id
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """All that one person did in a campaign. known: looks at solutions whose first mistake is known."""

    looks: int
    bad_problems: int
    give_ups: int
    known: int
    known_right: int
    timed: int
    milliseconds: float | None

    @property
    def pace(self) -> Pace | None:
        return None if self.milliseconds is None else Pace(self.timed, self.milliseconds / 1000)


@dataclass(frozen=True, slots=True)
class Standing:
    """One person on the last gold items, and in all.

    bias: mean steps late (+) or early (-) on those items, None without comparable ones.
    """

    user: User
    items: int
    right: int
    bias: float | None
    totals: Totals
    is_too_fast: bool = False

    @property
    def share(self) -> float:
        return self.right / self.items if self.items else 1.0

    @property
    def drifts(self) -> bool:
        return self.items >= ALARM_FROM and self.share < ALARM_BELOW

    @property
    def median_seconds(self) -> float | None:
        return self.totals.pace.seconds if self.totals.pace else None


def standings(campaign: Campaign) -> list[Standing]:
    """Everybody who looked at a solution here: the weakest on gold first, then who did none; in three queries."""
    totals = _totals(campaign)
    items = _last_items(campaign)
    users = User.objects.in_bulk(list(totals))
    fast = too_fast(
        {person: pace for person, row in totals.items() if (pace := row.pace)},
        excluded=[person for person, user in users.items() if user.labels_excluded],
    )
    found = [
        _standing(users[person], row, items.get(person, []), person in fast)
        for person, row in totals.items()
        if person in users
    ]
    return sorted(found, key=lambda row: (not row.items, row.share, row.user.username))


def _totals(campaign: Campaign) -> Mapping[int, Totals]:
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"campaign": campaign.pk})
        return {person: Totals(*row) for person, *row in cursor.fetchall()}


def _last_items(campaign: Campaign) -> dict[int, list[Annotation]]:
    """Each person's last looks at gold and screening items that are not their own word."""
    counted: Any = counts()
    nth_last = Window(RowNumber(), partition_by=F("annotator_id"), order_by=F("id").desc())
    rows = (
        Annotation.objects.filter(task__campaign=campaign, is_live=True, annotator__is_machine=False)
        .exclude(task__kind=TaskKind.WORK)
        .filter(counted)
        .annotate(nth_last=nth_last)
        .filter(nth_last__lte=LAST)
        .select_related("task")
    )
    kept: dict[int, list[Annotation]] = {}
    for row in rows:
        kept.setdefault(row.annotator_id, []).append(row)
    return kept


def _standing(user: User, totals: Totals, items: list[Annotation], is_too_fast: bool) -> Standing:
    biases = [bias for row in items if (bias := bias_of(row)) is not None]
    return Standing(
        user=user,
        items=len(items),
        right=sum(verdict_of(row) in (row.task.gold or []) for row in items),
        bias=fmean(biases) if biases else None,
        totals=totals,
        is_too_fast=is_too_fast,
    )


def bias_of(annotation: Annotation) -> int | None:
    """Steps between the marked step and the nearest acceptable one; None where either names no step."""
    steps = [position for position in annotation.task.gold or [] if position >= 0]
    marked = annotation.first_mistake
    return min((marked - step for step in steps), key=abs) if steps and marked is not None else None
