"""Scores beside first mistakes: what a checkpoint said of solutions that were judged."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import MisstepError
from ml.evaluation.pools import read_scores
from ml.evaluation.truths import NoTruth, truths
from ml.formats import format_of, read
from ml.given_answers import GivenAnswers
from ml.snapshot import problem_hash


def half_of(problem: str) -> int:
    """Which half of the problems one belongs to, by its hash."""
    # The hash's last decimal digit decides the split, so that by it a whole split could fall into one half.
    return int(problem, 16) // 10 % 2


@dataclass(frozen=True)
class JudgedSolution:
    """Step scores, first mistake or None, whether the final answer is right (None: unknown), problem's hash, id."""

    scores: list[float | None]
    truth: int | None
    is_correct: bool | None
    problem: str
    id: str = ""

    @property
    def half(self) -> int:
        """Which half of the problems it belongs to."""
        return half_of(self.problem)


@dataclass(frozen=True)
class Judged:
    """Judged solutions, and how many more have no known first mistake, by the reason."""

    rows: Sequence[JudgedSolution]
    left_out: Mapping[NoTruth, int] = field(default_factory=dict)

    @property
    def scores(self) -> list[list[float | None]]:
        return [row.scores for row in self.rows]

    def with_known_answer(self) -> list[JudgedSolution]:
        """Those of which it is known whether the final answer is right."""
        return [row for row in self.rows if row.is_correct is not None]

    def not_of(self, problems: Collection[str]) -> Judged:
        """Those of other problems than these."""
        return Judged([row for row in self.rows if row.problem not in problems])

    @property
    def truths(self) -> list[int | None]:
        return [row.truth for row in self.rows]


def joined(solutions: Path, format: str | None, scores_path: Path) -> Judged:
    """The labelled solutions with their scores; raises MisstepError where the two files do not go together.

    Warns of judged solutions without scores, which a file of another part or of an earlier state would leave.
    """
    kind, by_id = format_of(solutions, format), read_scores(scores_path)
    rows: list[JudgedSolution] = []
    left_out, found, unscored = Counter[NoTruth](), 0, 0
    answers = GivenAnswers()
    for solution, truth in truths(read(solutions, kind)):
        values = by_id.get(solution.id)
        found += values is not None
        if isinstance(truth, NoTruth):
            left_out[truth] += 1
            continue
        if values is not None and len(values) != len(solution.steps):
            raise MisstepError(
                f"record {solution.id}: {len(values)} scores for {len(solution.steps)} steps,"
                " expected one for each"
            )
        unscored += values is None
        # A missing prediction counts as wrong and is never dropped (as ProcessBench counts).
        scores: list[float | None] = values if values is not None else [None] * len(solution.steps)
        problem = problem_hash(solution.problem.text)
        rows.append(JudgedSolution(scores, truth, answers.is_correct(solution), problem, solution.id))
    if not found:
        raise MisstepError(f"{scores_path}: none of its ids is in {solutions}, expected the same solutions")
    if not rows:
        raise MisstepError(f"{solutions}: no solution has a label, expected first mistakes to compare with")
    if unscored:
        warnings.warn(
            f"{scores_path} has no scores of {unscored} of the {len(rows)} judged solutions in {solutions}:"
            " each counts as wrong",
            stacklevel=2,
        )
    return Judged(rows, left_out)


def apart(other: Judged, solutions: Path, judged: Judged, judged_solutions: Path) -> Judged:
    """Those of `other` whose problems are not judged: what was chosen on a judged problem flatters.

    Warns of those left out; raises MisstepError where none is left.
    """
    found = other.not_of({row.problem for row in judged.rows})
    if not found.rows:
        raise MisstepError(
            f"{solutions}: all of its {len(other.rows)} labelled solutions are of problems in {judged_solutions},"
            " expected other problems to choose a threshold on"
        )
    if count := len(other.rows) - len(found.rows):
        warnings.warn(
            f"{count} of the {len(other.rows)} labelled solutions in {solutions} are of judged problems:"
            " no threshold is chosen on them",
            stacklevel=2,
        )
    return found
