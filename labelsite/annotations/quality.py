"""How each person does on a campaign's gold items lately, and who drifts."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.annotations.services import verdict_of
from labelsite.campaigns.models import Campaign, TaskKind

LAST = 20
# PRM800K's labelers were within the gold set on about 80 % of items; clearly below that, somebody should look.
ALARM_BELOW = 0.65
ALARM_FROM = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """One person on the last gold items. bias: mean steps late (+) or early (-), None without comparable ones."""

    user: User
    items: int
    right: int
    bias: float | None
    median_seconds: float | None

    @property
    def share(self) -> float:
        return self.right / self.items

    @property
    def drifts(self) -> bool:
        return self.items >= ALARM_FROM and self.share < ALARM_BELOW


def standings(campaign: Campaign) -> list[Standing]:
    """Everybody who did gold or screening items here, the weakest first, in one query."""
    rows = (
        Annotation.objects.filter(task__campaign=campaign, is_live=True, annotator__is_machine=False)
        .exclude(task__kind=TaskKind.WORK)
        .exclude(task__gold=None)
        .select_related("task", "annotator")
        .order_by("-id")
    )
    kept: dict[int, list[Annotation]] = {}
    for row in rows[:5000]:
        mine = kept.setdefault(row.annotator_id, [])
        if len(mine) < LAST:
            mine.append(row)
    return sorted((_standing(mine) for mine in kept.values()), key=lambda standing: standing.share)


def _standing(rows: list[Annotation]) -> Standing:
    times = [row.total_time_ms for row in rows if row.total_time_ms is not None]
    biases = [bias for row in rows if (bias := bias_of(row)) is not None]
    return Standing(
        user=rows[0].annotator,
        items=len(rows),
        right=sum(verdict_of(row) in (row.task.gold or []) for row in rows),
        bias=fmean(biases) if biases else None,
        median_seconds=median(times) / 1000 if times else None,
    )


def bias_of(annotation: Annotation) -> int | None:
    """Steps between the marked step and the nearest acceptable one; None where either names no step."""
    steps = [position for position in annotation.task.gold or [] if position >= 0]
    marked = annotation.first_mistake
    return min((marked - step for step in steps), key=abs) if steps and marked is not None else None
