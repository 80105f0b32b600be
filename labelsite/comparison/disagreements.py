"""Which tasks to look at again, and both opinions on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from labelsite.autolabels.first_mistakes import NAMED, NONE, UNKNOWN
from labelsite.autolabels.models import EstimateRun, SolutionEstimate
from labelsite.campaigns.models import Campaign, Task
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.models import Adjudication

PAGE = 40


class Kind(TextChoices):
    """How people and the run differ on a task, or people among themselves."""

    PEOPLE = "people", _("people differ")
    ANY = "any", _("people and the run differ")
    EARLIER = "earlier", _("the run is earlier")
    LATER = "later", _("the run is later")
    MISSES = "misses", _("the run misses it")
    INVENTS = "invents", _("the run finds a mistake, somebody none")
    UNMARKED = "unmarked", _("wrong answer, no mistake marked")


# What can be told of a campaign that no run has judged.
WITHOUT_RUN = (Kind.PEOPLE, Kind.UNMARKED)


# `a.first` is a person's first mistake (-1: none), `e.first_mistake` the run's (null: none, or nobody knows).
CONDITIONS = {
    Kind.PEOPLE: "b.first <> a.first",
    Kind.ANY: f"{NAMED} NOT IN ({UNKNOWN}, a.first)",
    Kind.EARLIER: "a.first >= 0 AND e.first_mistake < a.first",
    Kind.LATER: "a.first >= 0 AND e.first_mistake > a.first",
    Kind.MISSES: f"a.first >= 0 AND {NAMED} = {NONE}",
    Kind.INVENTS: "a.first < 0 AND e.first_mistake IS NOT NULL",
    Kind.UNMARKED: "s.is_correct IS FALSE",
}
# Each is asked task by task, which OFFSET 0 sees to: a page is full after a few, and joined they would all be read.
EXISTS = "EXISTS (SELECT 1 FROM ({looks}) a WHERE a.task_id = t.id AND {condition} OFFSET 0)"
# Here nobody may have marked a mistake: one person who did settles the case.
NOBODY = (
    "EXISTS (SELECT 1 FROM ({looks}) a WHERE a.task_id = t.id OFFSET 0) AND"
    " NOT EXISTS (SELECT 1 FROM ({looks}) a WHERE a.task_id = t.id AND a.first >= 0 OFFSET 0) AND {condition}"
)
# Somebody's look, and another one at the same solution: anybody's, or of the people with whom they are compared.
DIFFER = (
    "EXISTS (SELECT 1 FROM ({looks}) a JOIN ({others}) b ON b.task_id = a.task_id"
    " WHERE a.task_id = t.id AND {condition} OFFSET 0)"
)
PATTERNS = {Kind.UNMARKED: NOBODY, Kind.PEOPLE: DIFFER}
UNDECIDED = (
    "NOT EXISTS (SELECT 1 FROM comparison_adjudication d WHERE d.task_id = t.id AND d.is_live OFFSET 0)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One task of the list: what people said, what the run said (as `NAMED`), whether a reviewer has decided."""

    task: Task
    people: Sequence[int | None]
    machine: int | None
    has_estimate: bool
    q_values: Sequence[float | None]
    is_decided: bool


def task_ids(
    campaign: Campaign,
    run: EstimateRun | None,
    kind: Kind,
    after: int = 0,
    limit: int = PAGE + 1,
    against: Against = EVERYBODY,
    backwards: bool = False,
    with_decided: bool = True,
) -> list[int]:
    """The next tasks of one kind after the task `after`, in order of their ids (or before it, backwards)."""
    wanted = _wanted(kind, against) if with_decided else f"{UNDECIDED} AND {_wanted(kind, against)}"
    order, beyond = ("DESC", "<") if backwards else ("ASC", ">")
    query = f"""
        SELECT t.id FROM campaigns_task t JOIN problems_solution s ON s.id = t.solution_id
        LEFT JOIN autolabels_solutionestimate e ON e.solution_id = t.solution_id AND e.run_id = %(run)s
        WHERE t.campaign_id = %(campaign)s AND t.id {beyond} %(after)s AND {wanted}
        ORDER BY t.id {order} LIMIT %(limit)s
    """
    parameters: dict[str, Any] = {
        "campaign": campaign.pk, "run": run.pk if run else None, "after": after, "limit": limit,
        "annotators": list(against.annotators), "others": list(against.others),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [identity for (identity,) in cursor.fetchall()]


def decided_counts(
    campaign: Campaign, run: EstimateRun | None, kinds: Sequence[Kind], against: Against
) -> dict[Kind, int]:
    """On how many tasks of each kind a reviewer's decision stands; only these tasks, which are few, are gone over.

    Among themselves people are compared by everybody's labels.
    """
    if not kinds:
        return {}
    wanted = [_wanted(kind, EVERYBODY if kind == Kind.PEOPLE else against) for kind in kinds]
    query = f"""
        SELECT {", ".join(f"count(*) FILTER (WHERE {one})" for one in wanted)}
        FROM comparison_adjudication d JOIN campaigns_task t ON t.id = d.task_id AND d.is_live
        JOIN problems_solution s ON s.id = t.solution_id
        LEFT JOIN autolabels_solutionestimate e ON e.solution_id = t.solution_id AND e.run_id = %(run)s
        WHERE t.campaign_id = %(campaign)s
    """
    parameters = {
        "campaign": campaign.pk,
        "run": run.pk if run else None,
        "annotators": list(against.annotators),
    }
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return dict(zip(kinds, cursor.fetchone(), strict=True))


def are_compared(campaign: Campaign, run: EstimateRun | None, against: Against) -> bool:
    """Whether there is a look at a solution of which the run says where the first mistake is, or that there is none."""
    query = f"""
        SELECT EXISTS (
            SELECT FROM ({against.looks}) a JOIN autolabels_solutionestimate e ON e.solution_id = a.solution_id
            WHERE e.run_id = %(run)s AND {NAMED} <> {UNKNOWN}
        )
    """
    parameters = {
        "campaign": campaign.pk,
        "run": run.pk if run else None,
        "annotators": list(against.annotators),
    }
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return bool(cursor.fetchone()[0])


def _wanted(kind: Kind, against: Against) -> str:
    """The condition on a task `t`, its solution `s` and its estimate `e`."""
    pattern = PATTERNS.get(kind, EXISTS)
    return pattern.format(looks=against.looks, others=against.other_looks, condition=CONDITIONS[kind])


def rows(task_numbers: Sequence[int], run: EstimateRun | None, against: Against = EVERYBODY) -> list[Row]:
    """Tasks of one campaign with both opinions, in four queries whatever their number."""
    tasks = Task.objects.select_related("solution__problem").in_bulk(task_numbers)
    estimates = {
        estimate.solution_id: estimate
        for estimate in SolutionEstimate.objects.filter(
            run=run, solution__in=[task.solution_id for task in tasks.values()]
        )
    }
    people = _people(tasks, against)
    decisions = Adjudication.objects.filter(task__in=tasks, is_live=True)
    decided = set(decisions.values_list("task", flat=True))
    found = []
    for number in task_numbers:
        task = tasks[number]
        estimate = estimates.get(task.solution_id)
        found.append(
            Row(
                task=task,
                people=people.get(number, []),
                machine=estimate.named if estimate else None,
                has_estimate=estimate is not None,
                q_values=estimate.q_values if estimate else [],
                is_decided=number in decided,
            )
        )
    return found


def _people(tasks: dict[int, Task], against: Against) -> dict[int, list[int | None]]:
    """The first mistakes that were named for each task: by people, or by gold."""
    if against.is_gold:
        return {
            number: [position if position >= 0 else None for position in task.gold or []]
            for number, task in tasks.items()
        }
    found: dict[int, list[int | None]] = {}
    query = f"""
        SELECT a.task_id, NULLIF(a.first, -1) FROM ({against.looks}) a
        WHERE a.task_id = ANY(%(tasks)s) ORDER BY a.id
    """
    parameters = {
        "campaign": next((task.campaign_id for task in tasks.values()), None),
        "annotators": list(against.annotators),
        "tasks": list(tasks),
    }
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        for task, first_mistake in cursor.fetchall():
            found.setdefault(task, []).append(first_mistake)
    return found
