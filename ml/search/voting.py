"""From scored solutions to one answer: aggregation of step scores, and votes over equal answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ml.aggregation import AGGREGATIONS, log_product
from ml.answers import is_equivalent


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished solution. step_scores: what the reward model said after each step, empty where nobody asked.
    is_evidence: False where the sandbox or the grader failed; that it has no answer says nothing of it then.
    """

    steps: tuple[str, ...]
    answer: str | None
    step_scores: tuple[float, ...] = ()
    is_evidence: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a test-time method answers, and what it chose from."""

    answer: str | None
    candidates: tuple[Candidate, ...]


def score_of(candidate: Candidate, aggregation: str) -> float:
    """One score for a solution; a solution without step scores counts 1, so that a vote over it is plain."""
    return AGGREGATIONS[aggregation](candidate.step_scores) if candidate.step_scores else 1.0


def best_candidate(candidates: Sequence[Candidate], aggregation: str = "last") -> Chosen:
    """The answer of the solution with the highest score (best-of-n)."""
    answered = [candidate for candidate in candidates if candidate.answer is not None]
    best = max(answered, key=lambda candidate: score_of(candidate, aggregation), default=None)
    return Chosen(best.answer if best is not None else None, tuple(candidates))


def _weights(voters: Sequence[Candidate], aggregation: str) -> list[float]:
    """What each vote weighs, as in the evaluation of best-of-n: a score below 0 nothing, since many poor solutions of
    one answer do not speak against it, and a product its share of the largest one, since all may be next to nothing.
    """
    if aggregation != "product":
        return [max(score_of(candidate, aggregation), 0.0) for candidate in voters]
    logarithms = [log_product(candidate.step_scores) for candidate in voters]
    return [math.exp(one - max(logarithms)) for one in logarithms]


def vote(candidates: Sequence[Candidate], aggregation: str = "last", weighted: bool = False) -> Chosen:
    """The answer with the most votes, or with the highest sum of scores where `weighted`.

    Equal answers are grouped by the grader, not by their text; among equal sums the first seen wins.
    """
    groups: list[tuple[str, float]] = []
    voters = [candidate for candidate in candidates if candidate.answer is not None]
    weights = _weights(voters, aggregation) if weighted else [1.0] * len(voters)
    for candidate, weight in zip(voters, weights, strict=True):
        assert candidate.answer is not None
        for index, (answer, total) in enumerate(groups):
            if is_equivalent(candidate.answer, answer):
                groups[index] = (answer, total + weight)
                break
        else:
            groups.append((candidate.answer, weight))
    best = max(groups, key=lambda group: group[1], default=(None, 0.0))
    return Chosen(best[0], tuple(candidates))
