"""A large import writes no index twice, and the planner knows afterwards what the tables hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection

from labelsite.annotations.importers import FILLED, MANY, import_file
from labelsite.autolabels.models import SolutionEstimate, StepEstimate, StepScore

pytestmark = pytest.mark.django_db


def believed_steps() -> float:
    """How many rows the planner believes the table of steps to have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'problems_step'")
        return float(cursor.fetchone()[0])


@pytest.mark.parametrize("count,steps", [(MANY, 2 * MANY), (MANY - 1, 0)])
def test_a_large_import_refreshes_the_planner_s_statistics(tmp_path: Path, count: int, steps: int) -> None:
    path = tmp_path / "solutions.jsonl"
    solutions = [{"steps": ["A step.", f"The answer is {number}."]} for number in range(count)]
    path.write_text(json.dumps({"id": "p", "problem": "A problem.", "answer": "1", "solutions": solutions}))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE problems_step")
    assert believed_steps() <= 0
    assert import_file(path, "misstep", "Large").new_solutions == count
    assert max(believed_steps(), 0) == steps


def test_large_tables_have_no_index_on_a_column_with_which_a_constraint_s_index_begins() -> None:
    """It would find nothing faster, and be written with every row."""
    tables = [model._meta.db_table for model in (*FILLED, SolutionEstimate, StepEstimate, StepScore)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT one.indexrelid::regclass::text FROM pg_index one JOIN pg_index longer USING (indrelid)"
            " WHERE one.indnatts = 1 AND longer.indnatts > 1 AND one.indkey[0] = longer.indkey[0]"
            " AND one.indpred IS NULL AND longer.indpred IS NULL AND NOT one.indisunique"
            " AND indrelid = ANY(%s::text[]::regclass[])",
            [tables],
        )
        assert cursor.fetchall() == []
