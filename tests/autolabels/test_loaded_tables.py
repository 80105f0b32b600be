"""What a load leaves to the database beside its rows: what the planner knows, and nothing to check at the commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from labelsite.autolabels.loading import load_estimates, load_scores
from labelsite.autolabels.models import EstimateRun, StepScore
from tests.autolabels.files import estimate_line, write_lines, write_run
from tests.factories import make_score_run, make_solution

pytestmark = pytest.mark.django_db
SCORES, STEPS, SOLUTIONS = (
    f"autolabels_{name}" for name in ("stepscore", "stepestimate", "solutionestimate")
)


def scored(folder: Path) -> None:
    run = make_score_run()
    line = {"id": str(make_solution().pk), "scores": [0.9, 0.25]}
    load_scores(run, write_lines(folder / "scores.jsonl", [line]))


def estimated(folder: Path) -> None:
    run = EstimateRun.objects.create(name="run", method="math-shepherd", policy="pocket")
    load_estimates(run, write_run(folder, [estimate_line(make_solution().pk, [4, 0])]))


def believed_rows(table: str) -> float:
    """How many rows the planner believes the table to have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])
        return max(float(cursor.fetchone()[0]), 0)


@pytest.mark.parametrize(("load", "filled"), [(scored, {SCORES: 2}), (estimated, {STEPS: 2, SOLUTIONS: 1})])
def test_the_planner_knows_the_rows_that_a_run_brought(
    tmp_path: Path, load: Callable[[Path], None], filled: dict[str, int]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(filled)}")
    assert {table: believed_rows(table) for table in filled} == dict.fromkeys(filled, 0)
    load(tmp_path)
    assert {table: believed_rows(table) for table in filled} == filled


@pytest.mark.parametrize("load", [scored, estimated])
def test_a_load_leaves_no_reference_to_be_checked_at_the_commit(
    tmp_path: Path, load: Callable[[Path], None]
) -> None:
    load(tmp_path)
    run = make_score_run()
    with pytest.raises(IntegrityError, match="is not present"), transaction.atomic():
        StepScore.objects.create(run=run, step_id=0, score=0.5)
