"""The rules by which searches choose: plain arithmetic over arrays of floats, no tree in sight.

Every rule returns one score for each candidate, shape [candidates]; `best` takes the highest with seeded
ties.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

INFINITE = math.inf


def uct(
    q_values: Sequence[float | None],
    visits: Sequence[int],
    parent_visits: int,
    c: float = 2.0,
    unvisited: str = "infinite",
) -> list[float]:
    """rStar-Math's rule: Q + c * sqrt(ln N_parent / N) (arXiv 2501.04519, equation 1).

    `unvisited`: "infinite" (the usual reading at N = 0) or "zero" (the public code: both terms are 0).
    """
    scores = []
    for q_value, count in zip(q_values, visits, strict=True):
        if count == 0 or q_value is None:
            scores.append(INFINITE if unvisited == "infinite" else 0.0)
        else:
            scores.append(q_value + c * math.sqrt(math.log(max(parent_visits, 1)) / count))
    return scores


def mcts_star(
    values: Sequence[float],
    visits: Sequence[int],
    parent_visits: int,
    c: float = 0.4,
    unvisited_bonus: float = 0.8,
) -> list[float]:
    """MCTS*'s rule: V + c * sqrt(2 ln N_parent / n); an unvisited child gets V + a fixed bonus
    (2406.03816).
    """
    scores = []
    for value, count in zip(values, visits, strict=True):
        bonus = c * math.sqrt(2 * math.log(max(parent_visits, 1)) / count) if count else unvisited_bonus
        scores.append(value + bonus)
    return scores


def rollout_value(
    mc: float, length: int, alpha: float = 0.5, beta: float = 0.9, scale: float = 500.0
) -> float:
    """OmegaPRM's Q(s, r) = alpha^(1 - MC(s)) * beta^(len(r) / L): long and hopeless rollouts count for
    less.
    """
    return float(alpha ** (1.0 - mc) * beta ** (length / scale))


def rollout_bonus(visits: int, total_visits: int, c_puct: float = 0.125) -> float:
    """OmegaPRM's U(s) = c_puct * sqrt(sum of N) / (1 + N(s))."""
    return c_puct * math.sqrt(total_visits) / (1 + visits)


def best(scores: Sequence[float], generator: random.Random, weights: Sequence[int] | None = None) -> int:
    """The index of the highest score. Ties are broken by the seeded generator, never by order.

    weights: how often each candidate was drawn before equal ones were merged. A tie is then broken as it
    would have been among the draws themselves, so that merging does not favour rare candidates.
    """
    highest = max(scores)
    tied = [index for index, score in enumerate(scores) if score == highest]
    if len(tied) == 1:
        return tied[0]
    if weights is None:
        return tied[generator.randrange(len(tied))]
    return generator.choices(tied, [weights[index] for index in tied])[0]
