"""Labels without a look at the reference answer: the policy's own majority stands in for it.

Self-consistency: many solutions of the bare problem vote, and rollouts from the given steps are graded
against the winner. As good as the vote, and no better: where the policy is mostly wrong, so are the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ml.records import Problem, Solution, SolutionEstimate
from ml.search.best_of_n import BestOfN
from ml.search.best_of_n import search as best_of_n
from ml.search.requests import Search
from ml.seeds import seed_of

Estimate = Callable[[Solution], Search[SolutionEstimate]]


def estimate_by_consensus(
    solution: Solution, estimate: Estimate, voters: int, seed: int, style: str, temperature: float = 0.8
) -> Search[SolutionEstimate]:
    """Estimate `solution` against the majority of `voters` solutions of its problem.

    Where no voter reaches an answer, no step has an estimate.
    """
    problem = yield from agreed_problem(solution.problem, voters, seed, style, temperature)
    if problem.answer is None:
        return SolutionEstimate.of_nothing(solution)
    return (yield from estimate(replace(solution, problem=problem)))


def agreed_problem(
    problem: Problem, voters: int, seed: int, style: str, temperature: float
) -> Search[Problem]:
    """The problem with the policy's majority answer in place of its reference.

    The voters are other draws than a seed's samples: where those are what is judged, each would vote for itself.
    """
    blind = replace(problem, answer=None, reference_solution=None)
    options = BestOfN(n=voters, choice="vote", temperature=temperature)
    chosen = yield from best_of_n(blind, options, seed_of(seed, "voters"), style)
    return replace(blind, answer=chosen.answer)
