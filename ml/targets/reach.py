"""How far the search's policy reaches in a problem, and behind each of its solutions: hidden, in three levels.

A problem's level is drawn first. Each of its solutions then mostly has the same, and another where its own way is
easier or harder to go on from than the problem's others: how often, is estimated. Given the problem's level its
solutions are independent, so that summing over three levels of it weighs all of them together, exactly.

N: solutions, P: problems, R: levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.targets.testimony import Array, Whole

REACHES = 3
# So many problems of each level are presumed, and of each so many solutions of its own level and of every other.
PROBLEM_PRIOR = np.ones(REACHES)
SOLUTION_PRIOR = 1.0 + 4.0 * np.eye(REACHES)


@dataclass(frozen=True)
class ReachRates:
    """problems: P(level of a problem), [R]. solutions: P(level of a solution | its problem's), [R, R]."""

    problems: Array
    solutions: Array

    @classmethod
    def of_counts(cls, problems: Array, solutions: Array) -> ReachRates:
        """The posterior means where so many of each were seen."""
        problems, solutions = problems + PROBLEM_PRIOR, solutions + SOLUTION_PRIOR
        return cls(problems / problems.sum(), solutions / solutions.sum(1, keepdims=True))

    @classmethod
    def presumed(cls) -> ReachRates:
        """Before anything was seen."""
        return cls.of_counts(np.zeros(REACHES), np.zeros((REACHES, REACHES)))


@dataclass(frozen=True)
class Reach:
    """Which problem each solution is of, counted from 0, and which solutions and problems have any share: the others
    tell nothing of the policy. problems, solutions_searched: [N]; problems_searched: [P].
    """

    problems: Whole
    solutions_searched: NDArray[np.bool_]
    problems_searched: NDArray[np.bool_]

    @classmethod
    def of(cls, names: Iterable[str | None], searched: NDArray[np.bool_]) -> Reach:
        """names: each solution's problem, None for one that it shares with no other."""
        known: dict[str | int, int] = {}
        # A number is no problem's name.
        each = (index if name is None else name for index, name in enumerate(names))
        problems = np.array([known.setdefault(name, len(known)) for name in each], dtype=np.int64)
        by_problem = np.bincount(problems[searched], minlength=len(known)) > 0
        return cls(problems, searched, by_problem)

    def weigh(self, said: Array, rates: ReachRates) -> tuple[Array, float, ReachRates]:
        """P(level of each solution | everything), [N, R]; the log-likelihood of everything; and the rates anew.

        said: log P(all that was said of a solution | its level), [N, R].
        """
        own, by_problem = normalised(said[:, None] + np.log(rates.solutions))
        size = len(self.problems_searched)
        summed = np.stack([np.bincount(self.problems, level, size) for level in by_problem.T], axis=1)
        of_problem, logs = normalised(np.log(rates.problems) + summed)
        pairs = own * of_problem[self.problems][:, :, None]
        anew = ReachRates.of_counts(
            of_problem[self.problems_searched].sum(0), pairs[self.solutions_searched].sum(0)
        )
        return pairs.sum(1), float(logs.sum()), anew


def normalised(logs: Array) -> tuple[Array, Array]:
    """What these logarithms say of the last axis as probabilities, and the logarithm of their sum over it."""
    # Many shares would underflow: the likeliest counts as 1 here, and in full in the logarithm.
    largest = logs.max(-1, keepdims=True)
    weights = np.exp(logs - largest)
    total = weights.sum(-1, keepdims=True)
    return weights / total, (np.log(total) + largest)[..., 0]
