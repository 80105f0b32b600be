"""Looks that ended without a verdict: reported problems and give-ups, each with the reason that was given."""

from __future__ import annotations

from django.db.models import QuerySet

from labelsite.annotations.models import EXITS, Annotation, FinishReason
from labelsite.campaigns.models import Campaign

PAGE = 50


def exits_of(campaign: Campaign, kind: str = "") -> QuerySet[Annotation]:
    """Those that stand now, the newest first; `kind` is one of the two finish reasons, or empty for both."""
    wanted = [FinishReason(kind)] if kind in EXITS else list(EXITS)
    rows = Annotation.objects.filter(task__campaign=campaign, is_live=True, finish_reason__in=wanted)
    return rows.select_related("annotator", "task__solution__problem").order_by("-pk")
