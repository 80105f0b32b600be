"""Our own samples, as `python -m ml sample` writes them: one problem a line with all its solutions."""

from __future__ import annotations

from collections.abc import Iterator

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate, chain
from ml.formats.lines import Unreadable
from ml.records import Annotation, LabelledSolution, Problem, Solution

# The pocket problems' checker knows the truth of every step; its word is marked as its own.
LABELER = "checker"
ID_KEY = "id"
KEYS = frozenset({"problem", "solutions"})
# As pools of others have them.
OTHER_KEYS = frozenset({"problem", "candidates"})
# `empty_samples` and `ungraded_samples` say what is not in the file; the readers of pools count them.
OF_A_SOLUTION = ("steps", "style", "generator", "final_answer", "is_correct", "first_mistake")
# Pools of others name them `candidates`, as the readers of pools take them too.
LISTS = ("solutions", "candidates")
READS = frozenset(
    {
        "id", "problem", "answer", "reference_solution", "generator", "empty_samples", "ungraded_samples", *LISTS,
        *(f"{name}[].{key}" for name in LISTS for key in OF_A_SOLUTION),
    }
)  # fmt: skip


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution per sample, with ids PROBLEM/INDEX. Raises Unreadable."""
    identity = fields.identity_or_line(record, "id", line)
    problem = Problem(
        id=identity,
        text=fields.text(record, "problem"),
        answer=fields.short_answer(record, "answer"),
        reference_solution=fields.optional_text(record, "reference_solution"),
    )
    generator = fields.optional_text(record, "generator")
    name = _list_of(record)
    for index, entry in enumerate(fields.objects(record, name)):
        with fields.naming(f"{name}[{index}]"):
            steps = fields.texts(entry, "steps")
            style = fields.optional_text(entry, "style")
            solution = Solution(
                id=f"{identity}/{index}",
                problem=problem,
                positions=chain(steps),
                generator=fields.optional_text(entry, "generator") or generator,
                final_answer=fields.short_answer(entry, "final_answer"),
                is_correct=fields.optional_boolean(entry, "is_correct"),
                extra={} if style is None else {"style": style},
            )
            labelled = LabelledSolution(line, solution, _checked(entry, len(steps)))
        yield labelled


def _list_of(record: Record) -> str:
    if all(name in record for name in LISTS):
        raise Unreadable("both `solutions` and `candidates`", "one of them")
    return "candidates" if "candidates" in record else "solutions"


def _checked(entry: Record, steps: int) -> Annotation | None:
    """The checker's annotation; a missing `first_mistake` means "not checked", null means "no mistake"."""
    if "first_mistake" not in entry:
        return None
    return annotate(LABELER, steps, fields.optional_integer(entry, "first_mistake", high=steps - 1))
