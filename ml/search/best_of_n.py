"""Best-of-n, self-consistency and the reward-weighted vote: n independent solutions, then a choice among
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search.named_options import Aggregation, Amount, Count
from ml.search.requests import Aside, Completions, Grade, Graded, Search, Value
from ml.search.voting import Candidate, Chosen, best_candidate, vote


@dataclass(frozen=True, slots=True)
class BestOfN:
    """n: solutions. choice: "best" (highest score), "vote" (self-consistency: no reward model is asked) or
    "weighted" (votes weighted by score). aggregation: product, minimum, mean, last or maximum."""

    n: Count = 16
    choice: Literal["best", "vote", "weighted"] = "best"
    aggregation: Aggregation = "last"
    temperature: Amount = 0.8


def search(problem: Problem, options: BestOfN, seed: int, style: str = "prose") -> Search[Chosen]:
    """Sample and choose. The reference answer is never looked at."""
    prefix = Prefix(problem, (), style)
    completions = (yield [Completions(prefix, options.n, options.temperature, seed)])[0]
    solutions = [completion.steps for completion in completions if completion.finished]
    candidates = yield from as_candidates(problem, solutions, style, scored=options.choice != "vote")
    if options.choice == "best":
        return best_candidate(candidates, options.aggregation)
    return (yield from voted(candidates, options.aggregation, weighted=options.choice == "weighted"))


def voted(candidates: Sequence[Candidate], aggregation: str, weighted: bool) -> Search[Chosen]:
    """The vote, while other searches go on."""
    chosen: Chosen = (yield [Aside(lambda: vote(candidates, aggregation, weighted))])[0]
    return chosen


def as_candidates(
    problem: Problem, solutions: Sequence[tuple[str, ...]], style: str, scored: bool = True
) -> Search[list[Candidate]]:
    """Read the answers of finished solutions and, where `scored`, ask the reward model after every step."""
    graded: Sequence[Graded] = yield [Grade(problem, steps) for steps in solutions]
    scores: list[tuple[float, ...]] = [() for _ in solutions]
    if scored:
        requests = [
            Value(Prefix(problem, steps[: length + 1], style))
            for steps in solutions
            for length in range(len(steps))
        ]
        values = iter((yield requests))
        scores = [tuple(next(values) for _ in steps) for steps in solutions]
    return [
        Candidate(steps, grade.answer, score, grade.is_evidence)
        for steps, grade, score in zip(solutions, graded, scores, strict=True)
    ]
