"""From the scores of a solution's steps to one score: the rules by name, for test-time search and for best-of-n."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

# A step that a model is sure of to be wrong would else outweigh all others, and its logarithm is no number.
LEAST_SCORE = 1e-12


def log_product(scores: Sequence[float]) -> float:
    """The logarithm of the product: that of a long solution would be too small for a float."""
    return sum(math.log(max(score, LEAST_SCORE)) for score in scores)


def product(scores: Sequence[float]) -> float:
    """The product; it is biased against long solutions."""
    return math.exp(log_product(scores))


def mean(scores: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(scores) / len(scores)


def last(scores: Sequence[float]) -> float:
    """The last step's score."""
    return scores[-1]


AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "product": product,
    "minimum": min,
    "mean": mean,
    "last": last,
    "maximum": max,
}
