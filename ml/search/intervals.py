"""How sure a count of right rollouts is: exact binomial bounds, by which sampling stops early."""

from __future__ import annotations

import math
from collections.abc import Callable

# Nobody samples as often. Of the smallest rates that a float can hold the number would be infinite.
MOST_FAILURES = 10**12


def upper_bound(correct: int, visits: int, confidence: float = 0.95) -> float:
    """The highest success rate that `correct` of `visits` does not refute (Clopper and Pearson,
    one-sided).
    """
    if correct >= visits:
        return 1.0
    return _solve(lambda rate: _at_most(correct, visits, rate) > 1.0 - confidence)


def lower_bound(correct: int, visits: int, confidence: float = 0.95) -> float:
    """The lowest success rate that `correct` of `visits` does not refute (Clopper and Pearson, one-sided)."""
    return 1.0 - upper_bound(visits - correct, visits, confidence)


def rollouts_to_refute(rate: float, confidence: float = 0.95) -> int:
    """How many failures in a row show that the success rate is below `rate`, which is above 0."""
    if rate >= 1.0:
        return 1
    return math.ceil(min(math.log(1.0 - confidence) / math.log1p(-rate), MOST_FAILURES))


def _at_most(count: int, trials: int, rate: float) -> float:
    """P(X <= count) for X binomial(trials, rate)."""
    return sum(
        math.comb(trials, hits) * rate**hits * (1.0 - rate) ** (trials - hits) for hits in range(count + 1)
    )


def _solve(is_below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
