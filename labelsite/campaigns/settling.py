"""What becomes of a task by what people say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db.models import F
from django.utils.translation import gettext_noop

from labelsite.campaigns.models import Task, TaskKind, TaskState
from labelsite.statements import Statement

# ProcessBench's rule: one look, then three, then up to five, until three agree.
ADAPTIVE_OVERLAPS = (1, 3, 5)
AGREEING = 3
FIVE_DISAGREE = gettext_noop("five people looked and no three agree")


def one_look_settles(task: Task) -> bool:
    """Whether one submission is all that the task waits for, whatever it says."""
    return task.kind == TaskKind.WORK and task.overlap == 1 and not task.campaign.adaptive_overlap


_DONE = Statement("UPDATE campaigns_task SET state = 'done' WHERE id = %(task)s")


def settle(task: Task, verdicts: Sequence[int | str]) -> None:
    """What becomes of a task after a submission; `task` is locked. `verdicts` are one per person who is done.

    A verdict is a first-mistake position, -1 for "no mistake", or a finish reason without one.
    """
    if task.kind != TaskKind.WORK or task.state != TaskState.OPEN:
        return
    if task.campaign.adaptive_overlap:
        _settle_adaptively(task, verdicts)
    elif len(verdicts) >= task.overlap:
        _DONE.run(task=task.pk)


def _settle_adaptively(task: Task, verdicts: Sequence[int | str]) -> None:
    most = max(Counter(verdicts).values(), default=0)
    if most >= AGREEING:
        _DONE.run(task=task.pk)
    elif len(verdicts) >= task.overlap:
        more = next((size for size in ADAPTIVE_OVERLAPS if size > task.overlap), None)
        if more is None:
            Task.objects.filter(pk=task.pk).update(state=TaskState.SET_ASIDE, set_aside_reason=FIVE_DISAGREE)
        else:
            added = more - task.overlap
            Task.objects.filter(pk=task.pk).update(overlap=more, remaining=F("remaining") + added)
