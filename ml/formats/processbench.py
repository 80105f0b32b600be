"""ProcessBench: `{id, generator, problem, steps, final_answer_correct, label}`; 0-based label, -1 = none.

Beyond ProcessBench, `final_answer_correct` may be null: nobody knows whether the answer is right.
"""

from __future__ import annotations

from collections.abc import Iterator

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate, chain
from ml.records import LabelledSolution, Problem, Solution

LABELER = "imported:processbench"
ID_KEY = "id"
KEYS = frozenset({"problem", "steps", "final_answer_correct", "label"})
READS = frozenset({"id", "generator", "problem", "steps", "final_answer_correct", "label"})


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution with one annotation. Raises Unreadable."""
    steps = fields.texts(record, "steps")
    label = fields.integer(record, "label", low=-1, high=len(steps) - 1)
    identity = fields.identity_or_line(record, "id", line)
    solution = Solution(
        id=identity,
        problem=Problem(id=identity, text=fields.text(record, "problem")),
        positions=chain(steps),
        generator=fields.optional_text(record, "generator"),
        is_correct=fields.boolean_or_null(record, "final_answer_correct"),
    )
    yield LabelledSolution(line, solution, annotate(LABELER, len(steps), None if label == -1 else label))
