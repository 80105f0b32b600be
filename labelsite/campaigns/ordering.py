"""Puts a campaign's queue in order, and writes the reason for each task's place beside it.

Priorities are computed from tables that machines filled (estimates, scores); nothing calls back when those
change, so whoever loads new scores asks for a new order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from labelsite.campaigns.models import Campaign, Ordering, Task, TaskState
from ml import acquisition
from ml.acquisition import Priority

BATCH = 2000
# Below every priority of ml.acquisition: what nobody scored comes last, in import order.
UNSCORED = Priority(-1.0, "unscored")
IMPORT_ORDER = Priority(0.0, "import_order")

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


def reorder(campaign: Campaign, *, after: int = 0) -> int:
    """Writes priority and reason of every open task by the campaign's ordering; returns how many changed.

    `after`: only of tasks that were made after the one of that id, because a new task moves none of the others.
    """
    open_tasks = Task.objects.filter(campaign=campaign, state=TaskState.OPEN, id__gt=after).order_by("id")
    rows = open_tasks.values_list("id", "solution_id", "solution__is_correct", "priority", "priority_reason")
    changed = 0
    with transaction.atomic():
        batch: list[tuple[int, int, bool | None, float, str]] = []
        for row in rows.iterator(chunk_size=BATCH):
            batch.append(row)
            if len(batch) == BATCH:
                changed += _reorder_batch(campaign, batch)
                batch = []
        changed += _reorder_batch(campaign, batch)
    return changed


def _reorder_batch(campaign: Campaign, batch: Sequence[tuple[int, int, bool | None, float, str]]) -> int:
    evidence = _evidence(campaign, [row[1] for row in batch]) if _needs_evidence(campaign) else {}
    ids, values, reasons = [], [], []
    for task, solution, is_correct, old_value, old_reason in batch:
        new = priority_of(campaign.ordering, str(task), is_correct, evidence.get(solution, Evidence()))
        # The import's own order needs no reason, and its rows have none.
        reason = new.code if new.reason else ""
        if (new.value, reason) != (old_value, old_reason):
            ids.append(task)
            values.append(new.value)
            reasons.append(reason)
    with connection.cursor() as cursor:
        # Sorted by id, so that two reorderings at once lock rows in one order.
        cursor.execute(
            "UPDATE campaigns_task AS task SET priority = new.value, priority_reason = new.reason"
            " FROM (SELECT * FROM unnest(%s::bigint[], %s::float8[], %s::text[]) AS given (id, value, reason)"
            " ORDER BY id) AS new WHERE task.id = new.id",
            [ids, values, reasons],
        )
    return len(ids)


def _needs_evidence(campaign: Campaign) -> bool:
    return campaign.ordering not in (Ordering.IMPORT_ORDER, Ordering.RANDOM)


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
