"""How sure a figure is: an interval around a share, and around any statistic of paired columns."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike


def wilson_interval(successes: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), which stays inside [0, 1]; (0, 1) where count is 0."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = successes / count, z * z / count
    centre, half = share + spread / 2, z * sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


def bootstrap_interval(
    statistic: Callable[..., float | None],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval of a statistic of paired arrays of length n; the same seed gives the same interval.

    groups: which solution (or problem) each of the n labels belongs to; whole groups are drawn then, because
    the steps of one solution are not independent. None where the statistic is mostly undefined.
    """
    columns = [np.asarray(array) for array in arrays]
    _, codes = np.unique(np.arange(len(columns[0])) if groups is None else groups, return_inverse=True)
    if not len(codes):
        return None
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    random = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(samples):
        drawn = random.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        # Row numbers of all drawn groups one after another, without a loop over groups.
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = order[np.repeat(starts[drawn], lengths) + inside]
        value = statistic(*(column[rows] for column in columns))
        if value is not None:
            found.append(value)
    if 2 * len(found) < samples:
        return None
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
