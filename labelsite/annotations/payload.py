"""A task as the annotation page receives it: one query, and nothing in it that its reader may not see yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection

from labelsite.accounts.models import User
from labelsite.annotations import screening
from labelsite.annotations.models import Annotation
from labelsite.annotations.services import draft_of
from labelsite.autolabels.gauges import share_of_range
from labelsite.campaigns.models import Campaign, Exposure, Ordering
from labelsite.campaigns.priority_reasons import reason_text
from labelsite.campaigns.queue import NothingLeft, desk_of
from labelsite.statements import Statement

# Steps that other annotators wrote stay out; so do gold, kind and whether the answer is right.
_TASK = """
SELECT lease.id, lease.token::text, lease.draft::text, lease.draft_version, lease.exposure, lease.attempt,
       task.priority_reason, solution.id, problem.text, problem.answer, problem.reference_solution,
       (SELECT COALESCE(json_agg(json_build_object('id', step.id, 'position', step.position, 'text', step.text,
                'chosen', step.is_chosen, 'output', step.output, 'verdict', step.verdict)
               ORDER BY step.position, step.option), '[]')::text
        FROM problems_step AS step
        WHERE step.solution_id = solution.id AND (step.source <> 'human' OR step.is_chosen))
FROM campaigns_assignment AS lease
JOIN campaigns_task AS task ON task.id = lease.task_id
JOIN problems_solution AS solution ON solution.id = task.solution_id
JOIN problems_problem AS problem ON problem.id = solution.problem_id
WHERE lease.annotator_id = %(annotator)s AND
"""
_BY_ASSIGNMENT = Statement(_TASK + "lease.id = %(assignment)s")
_BY_TASK = Statement(_TASK + "task.id = %(task)s")

_MACHINE = """
SELECT step.id, estimate.q_value, run.method, estimate.visits, estimate.correct, score.score
FROM problems_step AS step
LEFT JOIN autolabels_stepestimate AS estimate ON estimate.step_id = step.id AND estimate.run_id = %s
LEFT JOIN autolabels_estimaterun AS run ON run.id = estimate.run_id
LEFT JOIN autolabels_stepscore AS score ON score.step_id = step.id AND score.run_id = %s
WHERE step.solution_id = %s AND (estimate.id IS NOT NULL OR score.id IS NOT NULL)
"""


def machine_labels(campaign: Campaign, solution: int) -> dict[int, dict[str, Any]]:
    """What machines say of each step. Callers must have made sure that the reader may see it."""
    with connection.cursor() as cursor:
        cursor.execute(_MACHINE, [campaign.estimate_run_id, campaign.score_run_id, solution])
        return {
            step: {
                "q_value": q_value,
                "bar": share_of_range(q_value, method),
                "visits": visits,
                "correct": correct,
                "score": score,
            }
            for step, q_value, method, visits, correct, score in cursor.fetchall()
        }


def task_payload(campaign: Campaign, annotator: int, assignment: int) -> dict[str, Any]:
    """The person's leased task. Machine labels are in it only in an assisted arm."""
    row = _BY_ASSIGNMENT.rows(annotator=annotator, assignment=assignment)[0]
    return _payload(campaign, row, sees_machine=row[4] == Exposure.BEFORE)


def revision_payload(campaign: Campaign, annotation: Annotation) -> dict[str, Any]:
    """A finished annotation opened again; machine labels only if the person has seen them already."""
    row = _BY_TASK.rows(annotator=annotation.annotator_id, task=annotation.task_id)[0]
    payload = _payload(campaign, row, sees_machine=annotation.has_seen_machines)
    return payload | {
        "draft": draft_of(annotation),
        "annotation": annotation.pk,
        "revision": annotation.revision,
    }


def _payload(campaign: Campaign, row: tuple[Any, ...], *, sees_machine: bool) -> dict[str, Any]:
    (pk, token, draft, version, _exposure, attempt, reason, solution, text, answer, reference, steps) = row
    options: list[dict[str, Any]] = json.loads(steps)
    if sees_machine:
        labels: Mapping[int, Any] = machine_labels(campaign, solution)
        for option in options:
            option["machine"] = labels.get(option["id"])
    return {
        "assignment": pk,
        "token": token,
        "draft": json.loads(draft),
        "version": version,
        "assisted": sees_machine,
        "attempt": attempt,
        "why": reason_text(reason if sees_machine else _open_reason(campaign)),
        "problem": text,
        "answer": answer,
        "reference": reference if campaign.shows_reference_solution else None,
        "options": options,
        # What the page shows and asks; one that was opened before these changed must learn of it.
        "protocol": campaign.protocol,
        "asks_reason": campaign.asks_reason,
        "guideline_version": campaign.guideline_version,
    }


def _open_reason(campaign: Campaign) -> str:
    """What may be told of a task's place before machine labels may be seen: that of all tasks, and none of its own.

    The reason that its row keeps can speak of scores and of the answer, also where the ordering does not: a task that
    was done when the campaign was ordered anew kept the one it had.
    """
    return Ordering.RANDOM.value if campaign.ordering == Ordering.RANDOM else ""


def next_payload(campaign: int, user: User, besides: int | None = None) -> dict[str, Any]:
    """The task that is the person's next, or why there is none; raises Campaign.DoesNotExist."""
    desk = desk_of(campaign, user)
    found = screening.claim_at(desk, user, besides=besides)
    return (
        nothing_payload(found)
        if isinstance(found, NothingLeft)
        else task_payload(desk.campaign, user.pk, found)
    )


def submitted(annotation: Annotation) -> dict[str, Any]:
    """What the page is told of a judgement that stands now."""
    return {
        "annotation": annotation.pk,
        "revision": annotation.revision,
        "second_look": annotation.offers_second_look,
    }


def nothing_payload(nothing: NothingLeft) -> dict[str, Any]:
    return {"nothing": {"reason": nothing.reason.value, "text": str(nothing)}}
