"""GSM8K's sample solutions: `{question, ground_truth, MODEL: {is_correct, solution}, ...}`, no labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ml import segmentation
from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import chain
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution, Problem, Solution

KEYS = frozenset({"question", "ground_truth"})
INSIDE = frozenset({"is_correct", "solution"})
# These files end a solution with "A: 18"; the problem sets of the same source with "#### 18".
ANSWER_LINE = re.compile(r"^\s*(?:A:|####)\s*(\S.*?)\s*$", re.MULTILINE)


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution per model, with ids LINE:MODEL and no annotation. Raises Unreadable.

    Each line of text is one step, the answer line too: copying a result wrongly is a mistake of its own.
    """
    models = [key for key in record if key not in KEYS]
    if not models:
        raise Unreadable(
            "a question without any model's solution", "at least one MODEL: {is_correct, solution}"
        )
    reference = fields.text(record, "ground_truth")
    problem = Problem(str(line), fields.text(record, "question"), _answer(reference), reference)
    for model in models:
        entry = fields.mapping(record, model)
        trace = fields.text(entry, "solution")
        yield LabelledSolution(
            line,
            Solution(
                id=f"{line}:{model}",
                problem=problem,
                positions=chain(segmentation.segment(trace, "newline")),
                generator=model,
                final_answer=_answer(trace),
                is_correct=fields.boolean(entry, "is_correct"),
            ),
        )


def unread_inside(record: Record) -> Iterator[str]:
    """The keys that models' entries have beside ours; they are told together, whosever they are."""
    for model, entry in record.items():
        if model not in KEYS:
            yield from (f"MODEL.{key}" for key in entry if key not in INSIDE)


def _answer(trace: str) -> str | None:
    """The last answer line's text; a solution that ran out of tokens has none."""
    found = ANSWER_LINE.findall(trace)
    return found[-1] if found else None
