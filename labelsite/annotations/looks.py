"""One person's looks in a campaign, each beside the known answer where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labelsite.accounts.models import User
from labelsite.annotations.known_answers import counts
from labelsite.annotations.models import Annotation
from labelsite.annotations.services import verdict_of
from labelsite.campaigns.models import Campaign

PAGE = 50


@dataclass(frozen=True, slots=True)
class Look:
    """is_right: by the known answer; None where none is known but the person's own word."""

    annotation: Annotation
    is_right: bool | None

    @property
    def seconds(self) -> float | None:
        spent = self.annotation.total_time_ms
        return None if spent is None else spent / 1000


def looks_of(campaign: Campaign, user: User) -> QuerySet[Annotation]:
    """Those that stand now, the newest first. `counts`: whether the known answer counts for the person."""
    known: Any = counts()
    rows = Annotation.objects.filter(task__campaign=campaign, annotator=user, is_live=True)
    return rows.annotate(counts=known).select_related("task__solution__problem").order_by("-pk")


def compared(rows: Sequence[Any]) -> list[Look]:
    """The rows of `looks_of` beside the known answers."""
    return [Look(row, verdict_of(row) in row.task.gold if row.counts else None) for row in rows]
