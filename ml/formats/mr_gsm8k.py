"""MR-GSM8K: GSM8K variants with one model solution, its 1-based first error step, and a person's reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ml.bounds import is_whole
from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate, chain
from ml.records import Annotation, FinishReason, LabelledSolution, Problem, Solution
from ml.said import Said

LABELER = "imported:mr_gsm8k"
NOT_APPLICABLE = "N/A"
VERDICTS = ("correct", "wrong")
ID_KEY = "uuid"
KEYS = frozenset({"uuid", "question", "model_output_steps", "model_output_solution_first_error_step"})
READS = frozenset(
    {
        "uuid",
        "question",
        "ground_truth_answer",
        "ground_truth_solution",
        "question_type",
        "model_output_steps",
        "model_output_answer_correctness",
        "model_output_solution_correctness",
        "model_output_solution_first_error_step",
        "model_output_solution_first_error_reason",
    }
)


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution with one annotation. Raises Unreadable.

    The published file has solutions called wrong without a first error step, and the reverse. They are kept
    with the label rule that they break, so that the file imports whole and nothing trains on them.
    """
    steps = fields.texts(record, "model_output_steps")
    identity = fields.identity_or_line(record, "uuid", line)
    annotation, broken = _annotation(record, len(steps))
    problem = Problem(
        id=identity,
        text=fields.text(record, "question"),
        answer=fields.short_answer(record, "ground_truth_answer"),
        reference_solution=fields.optional_text(record, "ground_truth_solution"),
    )
    correctness = fields.one_of(record, "model_output_answer_correctness", VERDICTS)
    kind = fields.optional_text(record, "question_type")
    solution = Solution(
        id=identity,
        problem=problem,
        positions=chain(steps),
        is_correct=correctness == "correct",
        extra={} if kind is None else {"question_type": kind},
    )
    yield LabelledSolution(line, solution, annotation, broken)


def _annotation(record: Record, steps: int) -> tuple[Annotation, str]:
    """The annotation and the rule that it breaks, or an empty name."""
    mistake = _first_error(record, steps)
    wrong = fields.one_of(record, "model_output_solution_correctness", VERDICTS) == "wrong"
    reason = fields.optional_text(record, "model_output_solution_first_error_reason") or ""
    annotation = annotate(LABELER, steps, mistake, "" if reason == NOT_APPLICABLE else reason)
    if wrong and mistake is None:
        # Whether any step is right cannot be said, so no step is rated.
        unrated = replace(annotation, finish_reason=FinishReason.FOUND_ERROR, ratings=())
        return unrated, "found_error_without_mistake"
    if not wrong and mistake is not None:
        return replace(annotation, finish_reason=FinishReason.SOLUTION), "solution_with_mistake"
    return annotation, ""


def _first_error(record: Record, steps: int) -> int | None:
    """The 0-based first mistake; the file counts from 1, sometimes in quotes, and says "N/A" for none."""
    key = "model_output_solution_first_error_step"
    value = fields.present(record, key)
    if value is None or value == NOT_APPLICABLE:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        value = int(value)
    if not is_whole(value) or not 1 <= value <= steps:
        raise fields.refuse(
            key, value, Said("a step from 1 to %(most)s, or %(none)s", most=steps, none=NOT_APPLICABLE)
        )
    return value - 1
