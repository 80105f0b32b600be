"""One solution a line without any label: what the site hands to its jobs, and the simplest input."""

from __future__ import annotations

from collections.abc import Iterator

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import chain
from ml.records import LabelledSolution, Problem, Solution

ID_KEY = "id"
KEYS = frozenset({"problem", "steps"})


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """`{"id"?, "problem", "answer"?, "steps": [...], "final_answer"?, "is_correct"?, "generator"?}`."""
    identity = fields.identity(record, "id") if "id" in record else str(line)
    problem = Problem(
        id=identity, text=fields.text(record, "problem"), answer=fields.short_answer(record, "answer")
    )
    solution = Solution(
        id=identity,
        problem=problem,
        positions=chain(fields.texts(record, "steps")),
        generator=fields.optional_text(record, "generator"),
        final_answer=fields.short_answer(record, "final_answer"),
        is_correct=fields.optional_boolean(record, "is_correct"),
    )
    yield LabelledSolution(line, solution)
