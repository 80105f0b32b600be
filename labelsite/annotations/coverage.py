"""Finished tasks on which only excluded people said anything.

They count as done, and no snapshot has a label of them.
"""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, QuerySet

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns import arranging
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.campaigns.settling import open_again

BATCH = 500


def uncovered(person: User) -> QuerySet[Task]:
    """The finished tasks that an excluded person looked at and that have no other person's label, nor a decision."""
    live = Annotation.objects.filter(task=OuterRef("pk"), is_live=True, annotator__is_machine=False)
    done = Task.objects.filter(kind=TaskKind.WORK, state=TaskState.DONE)
    # A reviewer's word stands in a snapshot by itself.
    undecided = done.exclude(adjudications__is_live=True)
    return undecided.filter(
        Exists(live.filter(annotator=person, annotator__labels_excluded=True)),
        ~Exists(live.filter(annotator__labels_excluded=False)),
    )


def reopen(person: User) -> int:
    """Gives every such task as many free places as excluded people have used up; returns how many tasks there were.

    What they said stays, so none of them gets the task again. In short steps, because people go on meanwhile. Then they
    are put in order, which they were last before they were done.
    """
    rows = list(uncovered(person).order_by("pk").values_list("pk", "campaign"))
    tasks = [task for task, _ in rows]
    opened = sum(open_again(_looks_on(tasks[start : start + BATCH])) for start in range(0, len(tasks), BATCH))
    for campaign in Campaign.objects.filter(pk__in={campaign for _, campaign in rows}).order_by("pk"):
        arranging.arrange(campaign, places=False, order=True)
    return opened


def _looks_on(tasks: list[int]) -> dict[int, int]:
    """How many excluded people looked at each task."""
    looks = Annotation.objects.filter(
        task__in=tasks, is_live=True, annotator__is_machine=False, annotator__labels_excluded=True
    )
    return dict(looks.order_by().values_list("task").annotate(count=Count("pk")))
