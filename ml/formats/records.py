"""One solution a line without any label: what the site hands to its jobs, and the simplest input."""

from __future__ import annotations

from collections.abc import Iterator

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import chain
from ml.formats.keys import others
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution, Problem, Solution
from ml.said import Said

ID_KEY = "id"
KEYS = frozenset({"problem", "steps"})
READS = frozenset({"id", "problem", "answer", "steps", "final_answer", "is_correct", "generator"})
# Whatever else a line says stays with its solution, under this key of `extra`.
KEEPS_OTHERS = True
METADATA = "metadata"
# Keys under which people's labels come; this format has no place for them.
LABEL_KEYS = frozenset(
    {
        "annotation", "annotations", "annotator", "annotators", "first_error", "first_error_step", "first_mistake",
        "label", "labeler", "labelers", "labels", "mistake_index", "rating", "ratings", "step_labels", "step_ratings",
    }
)  # fmt: skip


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """`{"id"?, "problem", "answer"?, "steps": [...], "final_answer"?, "is_correct"?, "generator"?}`, and more keys."""
    if labels := sorted(LABEL_KEYS & record.keys()):
        named = ", ".join(f"`{key}`" for key in labels)
        raise Unreadable(
            Said("%(keys)s, which looks like labels", keys=named),
            "none in the format `records`; people's labels come in the format `annotated`, as"
            ' `"annotations": [{"annotator": NAME, "first_mistake": INDEX or null}]`',
        )
    yield LabelledSolution(line, solution_of(record, line, READS))


def solution_of(record: Record, line: int, reads: frozenset[str]) -> Solution:
    """The solution that a line describes; the line number is its id where it has none."""
    identity = fields.identity_or_line(record, "id", line)
    problem = Problem(
        id=identity, text=fields.text(record, "problem"), answer=fields.short_answer(record, "answer")
    )
    more = others(record, reads)
    return Solution(
        id=identity,
        problem=problem,
        positions=chain(fields.texts(record, "steps")),
        generator=fields.optional_text(record, "generator"),
        final_answer=fields.short_answer(record, "final_answer"),
        is_correct=fields.optional_boolean(record, "is_correct"),
        extra={METADATA: more} if more else {},
    )
