"""Reviewers' decisions in the order in which scripts pull them: by their ids.

Ids are given before the commit, so that another decision could become visible under a lower one than a script has seen.
A pull therefore waits for whoever keeps a decision at that moment, and gives out nothing newer.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from labelsite.campaigns.models import Campaign
from labelsite.comparison.models import Adjudication

_NAME = "hashtext('misstep decisions')"
_KEEP = f"SELECT pg_advisory_xact_lock_shared({_NAME})"
_PULL = f"SELECT pg_advisory_xact_lock({_NAME})"


class UnknownDecision(Exception):
    """The campaign has no decision of the id behind which a pull was to go on."""


def before_keeping() -> None:
    """Goes before the statement that keeps a decision, in its transaction; those who keep one wait for no other."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP)


def pulled(campaign: Campaign, after: int) -> QuerySet[Adjudication]:
    """The campaign's decisions, also those that were replaced, behind the one of the id `after`, or all for 0.

    Raises UnknownDecision.
    """
    rows = Adjudication.objects.filter(task__campaign=campaign)
    if after and not rows.filter(pk=after).exists():
        raise UnknownDecision
    rows = rows.filter(pk__gt=after, pk__lte=_newest()).select_related("reviewer", "task__solution")
    return rows.order_by("pk")


def _newest() -> int:
    """The highest id below which no decision is still on its way."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PULL)
        # A statement of its own sees what was committed while the one before it waited.
        newest: int | None = Adjudication.objects.aggregate(newest=Max("pk"))["newest"]
    return newest or 0
