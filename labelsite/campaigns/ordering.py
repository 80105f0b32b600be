"""Puts a campaign's queue in order, and writes the reason for each task's place beside it.

Priorities are computed from tables that machines filled (estimates, scores); nothing calls back when those
change, so whoever loads new scores asks for a new order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import QuerySet

from labelsite.campaigns.models import Campaign, Ordering, Task, TaskKind, TaskState
from labelsite.campaigns.sweep import hold_the_sweep
from ml import acquisition
from ml.acquisition import Priority

BATCH = 2000
# Below every priority of ml.acquisition: what nobody scored comes last, in import order.
UNSCORED = Priority(-1.0, "unscored")
IMPORT_ORDER = Priority(0.0, "import_order")

# Which of a campaign's runs each ordering reads.
READS: Mapping[str, frozenset[str]] = {
    Ordering.IMPORT_ORDER: frozenset(),
    Ordering.RANDOM: frozenset(),
    Ordering.UNCERTAINTY: frozenset({"score_run"}),
    Ordering.DISAGREEMENT: frozenset({"score_run", "estimate_run"}),
    Ordering.CONVINCING_WRONG: frozenset({"score_run"}),
}
TOP = 10

_PLACE = """
UPDATE campaigns_task AS task SET priority = new.value, priority_reason = new.reason
FROM unnest(%s::bigint[], %s::float8[], %s::text[]) AS new (id, value, reason) WHERE task.id = new.id
"""
_EVIDENCE = """
SELECT step.solution_id, step.position, score.score, estimate.soft
FROM problems_step AS step
LEFT JOIN autolabels_stepscore AS score ON score.step_id = step.id AND score.run_id = %(score_run)s
LEFT JOIN autolabels_stepestimate AS estimate ON estimate.step_id = step.id AND estimate.run_id = %(estimate_run)s
WHERE step.solution_id = ANY(%(solutions)s) AND step.is_chosen
ORDER BY step.solution_id, step.position
"""


@dataclass
class Evidence:
    """What machines said of the steps of one solution's trajectory, in order."""

    scores: list[float | None] = field(default_factory=list)
    soft: list[float | None] = field(default_factory=list)

    def complete_scores(self) -> list[float] | None:
        scores = [score for score in self.scores if score is not None]
        return scores if scores and len(scores) == len(self.scores) else None


def _no_check() -> None:
    """Nobody may break this off."""


# What the queue holds of one task: its id, its solution's id and whether that is right, its priority and the reason.
_Row = tuple[int, int, bool | None, float, str]
_ROW = ("id", "solution_id", "solution__is_correct", "priority", "priority_reason")


def reorder(campaign: Campaign, check: Callable[[], None] = _no_check) -> int:
    """Writes priority and reason of every open task by the campaign's ordering; returns how many changed.

    It commits batch by batch, so that a submission waits for one of them at most, and calls `check` before each.
    Broken off, it is finished by doing it again. Of two at once each batch goes by the settings that stand when its
    turn comes, so whichever writes a task last writes what the newest settings say.
    """
    changed, last, is_done = 0, 0, False
    while not is_done:
        check()
        with transaction.atomic(durable=True):
            # Also makes two reorderings take turns: the settings must be read when the other's batch is committed.
            hold_the_sweep()
            campaign = Campaign.objects.defer("guideline").get(pk=campaign.pk)
            batch = _batch(campaign, last)
            changed += _reorder_batch(campaign, batch)
        last, is_done = (batch[-1][0] if batch else last), len(batch) < BATCH
    return changed


def place_new(campaign: Campaign, after: int) -> None:
    """Gives the tasks that the caller's transaction has made, those after the one of that id, their places.

    A new task moves none of the others; and nobody else sees one yet, so nobody waits.
    """
    while batch := _batch(campaign, after):
        _reorder_batch(campaign, batch)
        after = batch[-1][0]


def waiting(campaign: Campaign) -> QuerySet[Task]:
    """The work that still wants somebody, in the order in which people would be given it."""
    tasks = Task.objects.filter(campaign=campaign, kind=TaskKind.WORK, state=TaskState.OPEN, remaining__gt=0)
    return tasks.order_by("-priority", "pk")


def top_of_queue(campaign: Campaign, count: int = TOP) -> list[int]:
    """The ids of the tasks that people would be given next, in order."""
    return list(waiting(campaign).values_list("pk", flat=True)[:count])


def _batch(campaign: Campaign, after: int) -> list[_Row]:
    rows = Task.objects.filter(campaign=campaign, state=TaskState.OPEN, id__gt=after).order_by("id")
    return list(rows.values_list(*_ROW)[:BATCH])


def _reorder_batch(campaign: Campaign, batch: Sequence[_Row]) -> int:
    evidence = _evidence(campaign, [row[1] for row in batch]) if READS[campaign.ordering] else {}
    ids, values, reasons = [], [], []
    for task, solution, is_correct, old_value, old_reason in batch:
        new = priority_of(campaign.ordering, str(task), is_correct, evidence.get(solution, Evidence()))
        # The import's own order needs no reason, and its rows have none.
        reason = new.code if new.reason else ""
        if (new.value, reason) != (old_value, old_reason):
            ids.append(task)
            values.append(new.value)
            reasons.append(reason)
    if ids:
        with connection.cursor() as cursor:
            # In the order of their ids, as everybody who locks many tasks does it.
            cursor.execute("SELECT 1 FROM campaigns_task WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
            cursor.execute(_PLACE, [ids, values, reasons])
    return len(ids)


def priority_of(ordering: str, identity: str, is_correct: bool | None, evidence: Evidence) -> Priority:
    """The place of one task. Without the scores that an ordering needs, it comes last and says so."""
    if ordering == Ordering.IMPORT_ORDER:
        return IMPORT_ORDER
    if ordering == Ordering.RANDOM:
        return acquisition.random_order(identity)
    scores = evidence.complete_scores()
    if scores is None:
        return UNSCORED
    if ordering == Ordering.UNCERTAINTY:
        return acquisition.uncertainty(scores)
    if ordering == Ordering.DISAGREEMENT:
        return acquisition.disagreement(scores, evidence.soft)
    return acquisition.convincing_wrong(scores, is_correct)


def _evidence(campaign: Campaign, solutions: list[int]) -> dict[int, Evidence]:
    """One query for a batch, whatever its size."""
    found: dict[int, Evidence] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _EVIDENCE,
            {
                "score_run": campaign.score_run_id,
                "estimate_run": campaign.estimate_run_id,
                "solutions": solutions,
            },
        )
        for solution, position, score, soft in cursor.fetchall():
            kept = found.setdefault(solution, Evidence())
            # The trajectory, which is all that machines were given, ends at the first position where nothing is chosen.
            if position == len(kept.scores):
                kept.scores.append(score)
                kept.soft.append(soft)
    return found
