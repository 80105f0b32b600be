"""The first mistake that people name in a solution: the truth that scores and critiques are measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from ml.formats import looks_by_solution
from ml.records import FinishReason, LabelledSolution, Solution
from ml.targets.consensus import Look, is_reported, people_first, verdict_of
from ml.targets.file_rows import look_of


class NoTruth(StrEnum):
    """Why a solution is left out, under the name by which results count it."""

    UNLABELLED = "without_label"
    UNDECIDED = "without_decision"


Truth = int | None | NoTruth


def truths(labelled: Iterable[LabelledSolution]) -> Iterator[tuple[Solution, Truth]]:
    """Each solution with its first mistake, None where there is none, or why it is not known."""
    for looks in looks_by_solution(labelled):
        yield looks[0].solution, _by_one(looks[0]) if len(looks) == 1 else _by_several(looks)


def _by_one(look: LabelledSolution) -> Truth:
    """The word of a look that knows the first mistake, or that there is none.

    One that broke off, or that breaks a label rule, names no mistake either, but does not mean that there is none.
    """
    said = look.annotation
    if said is None or look.broken_rule or not look.solution.steps:
        return NoTruth.UNLABELLED
    if said.finish_reason not in (FinishReason.FOUND_ERROR, FinishReason.SOLUTION):
        return NoTruth.UNLABELLED
    # Who left the solution and reached the answer through steps of their own made these its steps.
    return said.first_mistake if said.finish_reason == FinishReason.FOUND_ERROR else None


def _by_several(labelled: Sequence[LabelledSolution]) -> Truth:
    """What a snapshot of the same file would take for people's verdict."""
    looks: list[Look] = []
    for one in labelled:
        look = look_of(one, {earlier.annotator for earlier in looks}, Counter())
        looks += [] if look is None else [look]
    heard = people_first(looks)
    steps = len(labelled[0].solution.steps)
    verdict = None if is_reported(heard) else verdict_of(heard, steps, None)
    return NoTruth.UNDECIDED if verdict is None else verdict.first_mistake
