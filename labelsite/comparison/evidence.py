"""What people and machines said of a campaign's solutions, as numpy arrays, in two queries.

A million labels are compared on a page that a person waits for, so no row becomes a Python object: the first
query crosses as one packed value that is read in place, the second is counted by the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign

NONE, UNKNOWN, NO_BIAS = -1, -2, -1000
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# What a person's finished look says of the first mistake. Bad problems and given-up ones say nothing of it,
# and an import that breaks a label rule is kept out, as it is kept out of training.
PEOPLE = """
    SELECT a.id, a.annotator_id, a.task_id, t.solution_id, t.gold, cardinality(a.trajectory) AS length,
        CASE WHEN a.finish_reason = 'found_error' THEN cardinality(a.trajectory) - 1 ELSE -1 END AS first,
        COALESCE(a.total_time_ms, -1) AS milliseconds, (a.exposure <> 'before')::int AS is_blind
    FROM annotations_annotation a JOIN campaigns_task t ON t.id = a.task_id
    WHERE t.campaign_id = %(campaign)s AND a.is_live AND a.broken_rule = ''
        AND a.finish_reason IN ('found_error', 'solution')
"""
# The gold answers as if they were one labeler's: where several positions are acceptable, the first of them.
GOLD = """
    SELECT t.id, 0 AS annotator_id, t.id AS task_id, t.solution_id, t.gold,
        CASE WHEN t.gold[1] < 0 THEN s.position_count ELSE t.gold[1] + 1 END AS length,
        t.gold[1] AS first, -1 AS milliseconds, 1 AS is_blind
    FROM campaigns_task t JOIN problems_solution s ON s.id = t.solution_id
    WHERE t.campaign_id = %(campaign)s AND cardinality(t.gold) > 0
"""
COLUMNS: Mapping[str, str] = {
    "annotator": "a.annotator_id",
    "task": "a.task_id",
    "length": "a.length",
    "first": "a.first",
    "machine": "CASE WHEN e.id IS NULL THEN -2 ELSE COALESCE(e.first_mistake, -1) END",
    "milliseconds": "a.milliseconds",
    "is_blind": "a.is_blind",
    "is_correct": "COALESCE(s.is_correct::int, -1)",
    "in_gold": "COALESCE((a.first = ANY(a.gold))::int, -1)",
    "gold_bias": """CASE WHEN a.gold IS NULL OR a.first < 0 THEN -1000 ELSE COALESCE((SELECT a.first - g
        FROM unnest(a.gold) g WHERE g >= 0 ORDER BY abs(a.first - g) LIMIT 1), -1000) END""",
}
# Grouped to three decimals: more than rollouts can tell apart, and few enough groups for a page.
GRAIN = 1000


@dataclass(frozen=True, slots=True)
class Against:
    """Whose labels the run is compared with: people's (some, or all; perhaps blind ones only), or gold."""

    is_gold: bool = False
    annotators: Sequence[int] = ()
    is_blind: bool = False

    @property
    def looks(self) -> str:
        """The query whose rows are single looks at solutions."""
        if self.is_gold:
            return GOLD
        chosen = " AND a.annotator_id = ANY(%(annotators)s)" if self.annotators else ""
        return PEOPLE + chosen + (" AND a.exposure <> 'before'" if self.is_blind else "")


EVERYBODY = Against()


@dataclass(frozen=True, slots=True)
class Judgements:
    """One entry per finished look, shape [looks]; positions are 0-based, NONE for no mistake.

    machine: the run's first mistake, UNKNOWN where it did not estimate the solution. length: steps rated.
    in_gold: 1, 0, or -1 for not gold. is_correct: of the answer, -1 for not graded. milliseconds: -1 for
    unknown. gold_bias: steps too early (negative) or too late to the nearest acceptable mistake, NO_BIAS
    where there is none.
    """

    annotator: Integers
    task: Integers
    length: Integers
    first: Integers
    machine: Integers
    milliseconds: Integers
    is_blind: Integers
    is_correct: Integers
    in_gold: Integers
    gold_bias: Integers

    def __len__(self) -> int:
        return len(self.task)

    def where(self, mask: NDArray[Any]) -> Judgements:
        """The looks for which `mask` holds, or that it numbers."""
        return Judgements(**{name: getattr(self, name)[mask] for name in COLUMNS})


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


def judgements(campaign: Campaign, run: EstimateRun | None, against: Against = EVERYBODY) -> Judgements:
    """Every finished look in the campaign, beside the run's opinion on the same solution."""
    source = (
        f"({against.looks}) a JOIN problems_solution s ON s.id = a.solution_id"
        " LEFT JOIN autolabels_solutionestimate e"
        " ON e.solution_id = a.solution_id AND e.run_id = %(run)s"
    )
    table = _integers(list(COLUMNS.values()), source, _parameters(campaign, run, against))
    return Judgements(**{name: table[:, column] for column, name in enumerate(COLUMNS)})


def rated_steps(campaign: Campaign, run: EstimateRun, against: Against = EVERYBODY) -> RatedSteps:
    """The steps that people rated and the run estimated, counted by what both said."""
    query = f"""
        SELECT u.place - 1 <> a.first, round(u.q * {GRAIN})::int4, round(u.soft * {GRAIN})::int4, count(*)
        FROM ({against.looks}) a JOIN autolabels_solutionestimate e
            ON e.solution_id = a.solution_id AND e.run_id = %(run)s,
        LATERAL unnest(e.q_values[1:a.length], e.soft_values[1:a.length])
            WITH ORDINALITY AS u (q, soft, place)
        WHERE u.q IS NOT NULL GROUP BY 1, 2, 3
    """
    with connection.cursor() as cursor:
        cursor.execute(query, _parameters(campaign, run, against))
        rows = cursor.fetchall()
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    soft = [np.nan if value is None else value / GRAIN for value in columns[2]]
    return RatedSteps(
        is_right=np.array(columns[0], dtype=bool),
        q_value=np.array(columns[1], dtype=float) / GRAIN,
        soft=np.array(soft, dtype=float),
        count=np.array(columns[3], dtype=np.int64),
    )


def _parameters(campaign: Campaign, run: EstimateRun | None, against: Against) -> dict[str, Any]:
    return {
        "campaign": campaign.pk,
        "run": run.pk if run else None,
        "annotators": list(against.annotators),
    }


def _integers(expressions: Sequence[str], source: str, parameters: Mapping[str, Any]) -> Integers:
    """What whole-number expressions that are never null give for each row of a source, shape [rows, columns].

    The database packs all rows into one value: crossing row by row takes longer than the whole comparison.
    """
    packed = " || ".join(f"int8send(({expression})::int8)" for expression in expressions)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT string_agg({packed}, ''::bytea) FROM {source}", parameters)
        (raw,) = cursor.fetchone()
    return np.frombuffer(raw or b"", dtype=">i8").astype(np.int64).reshape(-1, len(expressions))
