"""Stepwise rows, as TRL's trainers read them: `{prompt, completions, labels}`.

A label is a boolean (was the step right) or a probability. A reader joins the completions by a newline and
looks at the label at each step's end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate, chain
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution, Problem, Solution
from ml.said import Said

LABELER = "imported:stepwise"
KEYS = frozenset({"prompt", "completions", "labels"})
READS = KEYS
Label = bool | float


Look = Callable[[], AbstractContextManager[Iterator[tuple[int, Record]]]]


def parser(look: Look) -> Callable[[Record, int], Iterator[LabelledSolution]]:
    """`parse` for the rows of one file: where one has a fraction, the whole numbers of all are probabilities.

    look: opens the file once more. That is done at the first row of whole numbers, and not for booleans.
    """

    @functools.cache
    def has_fractions() -> bool:
        with look() as rows:
            return any(_has_fraction(record.get("labels")) for _, record in rows)

    return functools.partial(parse, has_fractions=has_fractions)


def parse(
    record: Record, line: int, has_fractions: Callable[[], bool] = lambda: False
) -> Iterator[LabelledSolution]:
    """One line, one solution; the line number is the id. Raises Unreadable.

    Booleans, or 0 and 1 where all labels are one of these whole numbers, become an annotation up to the first false;
    the row's full labels stay in `extra["labels"]`, because the rows may say something of later steps too.
    Probabilities are no person's word: no annotation. has_fractions: whether some row beside this one has one, so that
    0 and 1 are probabilities here, too.
    """
    steps = fields.texts(record, "completions")
    labels = fields.present(record, "labels")
    if not isinstance(labels, list) or len(labels) != len(steps):
        raise fields.refuse("labels", labels, Said("a list of %(count)s labels", count=len(steps)))
    labels = _of_one_kind(labels, has_fractions)
    problem = Problem(str(line), fields.text(record, "prompt"))
    solution = Solution(str(line), problem, chain(steps), extra={"labels": labels})
    if not all(isinstance(label, bool) for label in labels):
        yield LabelledSolution(line, solution)
        return
    mistake = labels.index(False) if False in labels else None
    yield LabelledSolution(line, solution, annotate(LABELER, len(steps), mistake))


def _has_fraction(labels: Any) -> bool:
    return isinstance(labels, list) and any(isinstance(label, float) for label in labels)


def _of_one_kind(labels: list[Any], has_fractions: Callable[[], bool]) -> list[Any]:
    """The labels, 0 and 1 for booleans as booleans. Raises Unreadable for what is no label, and for a mixture."""
    is_boolean = [isinstance(label, bool) for label in labels]
    if all(is_boolean):
        return labels
    for index, label in enumerate(labels):
        if is_boolean[index]:
            number = is_boolean.index(False)
            raise Unreadable(
                Said(
                    "`%(key)s` = %(value)s beside `%(other)s` = %(its)s",
                    key=f"labels[{index}]",
                    value=fields.shown(label),
                    other=f"labels[{number}]",
                    its=fields.shown(labels[number]),
                ),
                "booleans alone, or numbers alone",
            )
        fields.number({f"labels[{index}]": label}, f"labels[{index}]", 0, 1)
    is_probability = _has_fraction(labels) or has_fractions()
    return labels if is_probability else [label == 1 for label in labels]


def probabilities(solution: Solution) -> list[float] | None:
    """The labels of a row of numbers, each the probability that its step is correct; None for any other row."""
    labels = solution.extra.get("labels")
    is_of_numbers = isinstance(labels, list) and not any(isinstance(label, bool) for label in labels)
    return [float(label) for label in labels] if is_of_numbers and labels else None


def label_row(problem: str, steps: Sequence[str], labels: Sequence[Label | None]) -> dict[str, Any] | None:
    """One row from labels; None if there is no label at all.

    A step without a label is written into the completion of the next labelled one, joined by the newline
    that the reader would put there: the model sees the same text, and only the label is missing. Unlabelled
    steps at the end are left out.
    """
    completions: list[str] = []
    kept: list[Label] = []
    waiting: list[str] = []
    for text, label in zip(steps, labels, strict=True):
        waiting.append(text)
        if label is not None:
            completions.append("\n".join(waiting))
            kept.append(label)
            waiting = []
    return {"prompt": problem, "completions": completions, "labels": kept} if kept else None
