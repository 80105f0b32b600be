"""What becomes of a task by what people say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from labelsite.campaigns.models import Task, TaskKind, TaskState
from labelsite.campaigns.sweep import hold_the_sweep
from labelsite.statements import Statement

# ProcessBench's rule: one look, then three, then up to five, until three agree.
ADAPTIVE_OVERLAPS = (1, 3, 5)
AGREEING = 3
FIVE_DISAGREE = gettext_noop("five people looked and no three agree")


def one_look_settles(task: Task) -> bool:
    """Whether one submission is all that the task waits for, whatever it says."""
    return task.kind == TaskKind.WORK and task.overlap == 1 and not task.campaign.adaptive_overlap


_DONE = Statement("UPDATE campaigns_task SET state = 'done' WHERE id = %(task)s")


def settle(task: Task, verdicts: Sequence[int | str], unheard: int = 0) -> None:
    """What becomes of a task after a submission or a correction; `task` is locked.

    `verdicts` are one per person who is done and whose labels count: a first-mistake position, -1 for "no mistake",
    or a finish reason without one. `unheard`: how many more are done whose labels an admin excluded.
    """
    if task.kind != TaskKind.WORK:
        return
    if task.campaign.adaptive_overlap:
        _settle_adaptively(task, verdicts, unheard)
    elif task.state == TaskState.OPEN and len(verdicts) + unheard >= task.overlap:
        _DONE.run(task=task.pk)


def _settle_adaptively(task: Task, verdicts: Sequence[int | str], unheard: int) -> None:
    if task.state != TaskState.OPEN and not _is_settled_by_agreement(task, verdicts):
        return
    most = max(Counter(verdicts).values(), default=0)
    # Whoever is not heard has a place too, but no say.
    places = task.overlap - unheard
    if most >= AGREEING and len(verdicts) + unheard >= min(task.least_looks, task.overlap):
        _put(task, TaskState.DONE)
    elif len(verdicts) < places:
        _put(task, TaskState.OPEN)
    elif more := next((size for size in ADAPTIVE_OVERLAPS if size > places), None):
        added = more - places
        Task.objects.filter(pk=task.pk).update(overlap=F("overlap") + added, remaining=F("remaining") + added)
        _put(task, TaskState.OPEN)
    else:
        _put(task, TaskState.SET_ASIDE, FIVE_DISAGREE)


def _is_settled_by_agreement(task: Task, verdicts: Sequence[int | str]) -> bool:
    """Whether a correction may settle a task anew that is no longer open.

    Not where a reviewer has decided, nor where so few looked that another rule than agreement has closed it.
    """
    if task.state == TaskState.SET_ASIDE and task.set_aside_reason != FIVE_DISAGREE:
        return False
    return len(verdicts) >= AGREEING and not task.adjudications.filter(is_live=True).exists()


def _put(task: Task, state: TaskState, reason: str = "") -> None:
    if task.state != state:
        Task.objects.filter(pk=task.pk).update(state=state, set_aside_reason=reason)


# Locked by id, as whoever else writes many tasks at once. What somebody else has opened meanwhile is passed over.
_OPEN_AGAIN = """
UPDATE campaigns_task AS task
SET state = 'open', overlap = task.overlap + wanted.places, remaining = task.remaining + wanted.places
FROM (SELECT locked.id, new.places FROM campaigns_task AS locked
      JOIN unnest(%s::bigint[], %s::int[]) AS new (task, places) ON locked.id = new.task
      WHERE locked.kind = 'work' AND locked.state = 'done' ORDER BY locked.id FOR UPDATE OF locked) AS wanted
WHERE task.id = wanted.id
"""


@transaction.atomic
def open_again(places: Mapping[int, int]) -> int:
    """Opens finished tasks, by id, for so many more people; returns how many were finished."""
    hold_the_sweep()
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_AGAIN, [list(places), list(places.values())])
        return cursor.rowcount
