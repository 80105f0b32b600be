"""After a large import the planner knows what the tables hold, whatever it took them for before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection

from labelsite.annotations.importers import MANY, import_file

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
