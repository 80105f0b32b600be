"""What people and machines said of a campaign's solutions, as numpy arrays, in two queries.

A million labels are compared on a page that a person waits for, so no row becomes a Python object: looks and solutions
cross as packed values that are read in place, and are joined and counted here. A join in the database carries every
column along, and taking lists apart there costs more than sending them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from labelsite.autolabels.first_mistakes import NAMED, NONE, UNKNOWN
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.packing import Column, Columns, Integers, packed, unpacked

NO_BIAS = -1000
Floats = NDArray[np.float64]

# A position is a small integer of the database's, so it takes 15 bits, and one more where it may be negative.
LOOKS: Columns = {
    "annotator": Column("a.annotator_id"),
    "task": Column("a.task_id"),
    "milliseconds": Column("a.milliseconds", 32, UNKNOWN),
    "length": Column("a.length", 16),
    "first": Column("a.first", 16, NONE),
    "in_gold": Column(
        "CASE WHEN a.gold IS NULL THEN -1 ELSE COALESCE((a.first = ANY(a.gold))::int, -1) END", 2, -1
    ),
    "is_item": Column("a.is_item::int", 1),
    "gold_bias": Column(
        """CASE WHEN a.gold IS NULL OR a.first < 0 THEN -1000 ELSE COALESCE((SELECT a.first - g
        FROM unnest(a.gold) g WHERE g >= 0 ORDER BY abs(a.first - g), g LIMIT 1), -1000) END""",
        17,
        -(2**15),
    ),
}
SOLUTIONS: Columns = {
    "task": Column("t.id"),
    "is_correct": Column("COALESCE(s.is_correct::int, -1)", 2, -1),
    "machine": Column(NAMED, 16, UNKNOWN),
    "steps": Column("COALESCE(cardinality(e.q_values), 0)", 15),
    "has_own_soft": Column("COALESCE((e.soft_values IS DISTINCT FROM e.q_values)::int, 0)", 1),
}
# A list of floats as the database holds it: behind a head of twenty bytes each one stands with its size before it.
FLOATS = "substr(array_send(array_replace(e.{name}, NULL, 'NaN')), 21)"
SIZED = np.dtype([("size", ">i4"), ("value", ">f8")])
# To three decimals: more than rollouts can tell apart, and few enough groups for a page.
GRAIN = 1000


@dataclass(frozen=True, slots=True)
class Judgements:
    """One entry per finished look, shape [looks]; positions are 0-based, NONE for no mistake.

    place: of the solution among all (`Solutions`). machine: the run's first mistake, UNKNOWN where it did not
    estimate the solution or cannot say. length: steps rated. in_gold: 1, 0, or -1 where no answer is known but the
    labeler's own.
    is_item: of a task that is served as gold or for screening. is_correct: of the answer, -1 for not graded.
    milliseconds: -1 for unknown. gold_bias: steps too early (negative) or too late to the nearest acceptable mistake,
    NO_BIAS where there is none.
    """

    annotator: Integers
    task: Integers
    length: Integers
    first: Integers
    place: Integers
    machine: Integers
    milliseconds: Integers
    is_correct: Integers
    in_gold: Integers
    is_item: Integers
    gold_bias: Integers

    def __len__(self) -> int:
        return len(self.task)

    def where(self, mask: NDArray[Any]) -> Judgements:
        """The looks for which `mask` holds, or that it numbers."""
        return Judgements(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


@dataclass(frozen=True, slots=True)
class Solutions:
    """What is known of the solutions that somebody looked at, in the order of their tasks, shape [tasks].

    q_value, soft: of all their steps one after the other, NaN for none; a task's own begin at `start`, and there
    are `steps` of them.
    """

    task: Integers
    is_correct: Integers
    machine: Integers
    steps: Integers
    start: Integers
    q_value: Floats
    soft: Floats


@dataclass(frozen=True, slots=True)
class RatedSteps:
    """Steps that both a person and rollouts judged, in groups of equal values, shape [groups].

    is_right: the person did not rate it -1. q_value, soft: what rollouts said (soft is NaN where a method has
    none). count: how many steps the group has.
    """

    is_right: NDArray[np.bool_]
    q_value: Floats
    soft: Floats
    count: Integers

    @property
    def total(self) -> int:
        return int(self.count.sum())


def solutions(campaign: Campaign, run: EstimateRun | None, tasks: Integers) -> Solutions:
    """The solutions of these tasks and of all gold ones, and what the run estimated."""
    table, q_value, own = _row(
        f"""
        SELECT {packed(SOLUTIONS)}, string_agg({FLOATS.format(name="q_values")}, ''::bytea),
            string_agg(CASE WHEN e.soft_values IS DISTINCT FROM e.q_values
                       THEN {FLOATS.format(name="soft_values")} END, ''::bytea)
        FROM campaigns_task t JOIN problems_solution s ON s.id = t.solution_id
        LEFT JOIN autolabels_solutionestimate e ON e.solution_id = t.solution_id AND e.run_id = %(run)s
        WHERE t.campaign_id = %(campaign)s{_only(campaign, tasks)}
        """,
        {
            "campaign": campaign.pk,
            "run": run.pk if run else None,
            "tasks": f"{{{','.join(map(str, tasks.tolist()))}}}",
        },
    )
    found = unpacked(SOLUTIONS, table)
    q_values = _floats(q_value)
    soft = q_values.copy()
    soft[np.repeat(found.pop("has_own_soft") == 1, found["steps"])] = _floats(own)
    start = np.cumsum(found["steps"]) - found["steps"]
    order = np.argsort(found["task"])
    return Solutions(
        **{name: values[order] for name, values in found.items()},
        start=start[order],
        q_value=q_values,
        soft=soft,
    )


def _only(campaign: Campaign, tasks: Integers) -> str:
    """Leaves out what nobody looked at, where that is much: to test each task costs as much as to read it."""
    if 2 * len(tasks) > campaign.tasks.count():
        return ""
    return " AND (t.gold IS NOT NULL OR t.id = ANY(%(tasks)s::bigint[]))"


def looks_at(
    campaign: Campaign, against: Against = EVERYBODY, run: EstimateRun | None = None
) -> dict[str, Integers]:
    """Every finished look in the campaign, a column each. `run` is the one that gold is compared with."""
    (raw,) = _row(
        f"SELECT {packed(LOOKS)} FROM ({against.looks}) a",
        {
            "campaign": campaign.pk,
            "run": run.pk if run else None,
            "annotators": list(against.annotators),
        },
    )
    return unpacked(LOOKS, raw)


def has_looks(campaign: Campaign, against: Against = EVERYBODY) -> bool:
    """Whether any person's finished look is there to compare: a checker's label, an excluded and a given-up one
    are none."""
    (found,) = _row(f"SELECT EXISTS ({against.looks})", {"campaign": campaign.pk})
    return bool(found)


def judgements(looks: Mapping[str, Integers], about: Solutions) -> Judgements:
    """The looks, each beside what is known of its solution. One at a solution that `about` has not read, because it
    became gold since, is left to the next view.
    """
    place = np.searchsorted(about.task, looks["task"])
    known = np.append(about.task, UNKNOWN)[place] == looks["task"]
    place = place[known]
    return Judgements(
        **{name: values[known] for name, values in looks.items()},
        place=place,
        machine=about.machine[place],
        is_correct=about.is_correct[place],
    )


def rated_steps(looks: Judgements, about: Solutions) -> RatedSteps:
    """The steps that people rated and the run estimated, counted by what both said."""
    rated = np.minimum(looks.length, about.steps[looks.place])
    behind = np.arange(rated.sum()) - np.repeat(np.cumsum(rated) - rated, rated)
    step = np.repeat(about.start[looks.place], rated) + behind
    is_right = behind != np.repeat(looks.first, rated)
    known = ~np.isnan(about.q_value[step])
    step, is_right = step[known], is_right[known]
    q_value, q_code = _distinct(about.q_value[step])
    soft, soft_code = _distinct(about.soft[step])
    counts = np.bincount(
        (q_code * len(soft) + soft_code) * 2 + is_right, minlength=2 * len(soft) * len(q_value)
    ).reshape(len(q_value), len(soft), 2)
    at_q, at_soft, right = np.nonzero(counts)
    return RatedSteps(right == 1, q_value[at_q], soft[at_soft], counts[at_q, at_soft, right])


def _distinct(values: Floats) -> tuple[Floats, Integers]:
    """The values to three decimals, each once, and which of them each one is. Sorts the few, not the many."""
    missing = 2 * GRAIN
    grains = np.where(np.isnan(values), missing, np.rint(np.nan_to_num(values) * GRAIN)).astype(np.int64)
    lowest = grains.min(initial=0)
    used = np.flatnonzero(np.bincount(grains - lowest))
    rank = np.zeros(missing - lowest + 1, dtype=np.int64)
    rank[used] = np.arange(len(used))
    found = (used + lowest) / GRAIN
    return np.where(used + lowest == missing, np.nan, found), rank[grains - lowest]


def _floats(raw: bytes | None) -> Floats:
    return np.frombuffer(raw or b"", dtype=SIZED)["value"].astype(np.float64)


def _row(query: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
    return row
