"""BIG-Bench-Mistake: `{input, steps, answer, target, mistake_index}`; the index is 0-based, null = none."""

from __future__ import annotations

from collections.abc import Iterator

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate, chain
from ml.records import LabelledSolution, Problem, Solution

LABELER = "imported:big_bench_mistake"
# All traces of the published files come from this model (the paper, section 2.1).
GENERATOR = "PaLM 2"
KEYS = frozenset({"input", "steps", "answer", "target", "mistake_index"})
READS = KEYS


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution with one annotation; the line number is the id. Raises Unreadable.

    A wrong answer with a null index is kept as "no mistake": the files hold some, and finding them is what
    the comparison with search is for.
    """
    steps = fields.texts(record, "steps")
    fields.present(record, "mistake_index")
    mistake = fields.optional_integer(record, "mistake_index", high=len(steps) - 1)
    answer, target = fields.short_answer(record, "answer"), fields.short_answer(record, "target")
    if target is None:
        raise fields.refuse("target", record.get("target"), "the reference answer")
    solution = Solution(
        id=str(line),
        problem=Problem(id=str(line), text=fields.text(record, "input"), answer=target),
        positions=chain(steps),
        generator=GENERATOR,
        final_answer=answer,
        # Equal texts are equal answers; what unequal texts mean `ml.given_answers` asks the grader where it matters.
        is_correct=True if answer is not None and answer.strip() == target.strip() else None,
    )
    yield LabelledSolution(line, solution, annotate(LABELER, len(steps), mistake))
