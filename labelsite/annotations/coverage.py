"""Finished tasks that lack labels, because an admin excluded somebody's.

They count as done, and a snapshot has fewer people's labels of them than the campaign asks for, or none.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Least

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns import arranging
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.campaigns.settling import AGREEING, open_again

BATCH = 500
# What was done before its campaign became adaptive may have been for fewer.
_WANTED = Case(
    When(
        campaign__adaptive_overlap=True,
        then=Least(Value(AGREEING), F("overlap"), output_field=IntegerField()),
    ),
    default=F("campaign__overlap"),
    output_field=IntegerField(),
)


def uncovered(person: User) -> QuerySet[Any]:
    """The finished tasks that an excluded person looked at and that have fewer labels of others than wanted, and no
    decision; each with how many are `missing`. What was put away is waited for by nobody.
    """
    live = Annotation.objects.filter(task=OuterRef("pk"), is_live=True, annotator__is_machine=False)
    heard = live.filter(annotator__labels_excluded=False).order_by().values("task")
    done = Task.objects.filter(kind=TaskKind.WORK, state=TaskState.DONE, campaign__is_archived=False)
    # A reviewer's word stands in a snapshot by itself.
    undecided = done.exclude(adjudications__is_live=True)
    looked_at = undecided.filter(Exists(live.filter(annotator=person, annotator__labels_excluded=True)))
    count = Coalesce(Subquery(heard.annotate(count=Count("pk")).values("count")), 0)
    return looked_at.annotate(missing=_WANTED - count).filter(missing__gt=0)


def reopen(person: User) -> int:
    """Gives every such task as many free places as labels are missing; returns how many tasks there were.

    What excluded people said stays, so none of them gets the task again. In short steps, because people go on
    meanwhile. Then they are put in order, which they were last before they were done.
    """
    rows = list(uncovered(person).order_by("pk").values_list("pk", "campaign", "missing", "remaining"))
    # Three who agreed may have left places free.
    places = [(task, max(missing - free, 0)) for task, _, missing, free in rows]
    opened = sum(open_again(dict(places[start : start + BATCH])) for start in range(0, len(places), BATCH))
    for campaign in Campaign.objects.filter(pk__in={row[1] for row in rows}).order_by("pk"):
        arranging.arrange(campaign, places=False, order=True)
    return opened
