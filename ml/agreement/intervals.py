"""How sure a figure is: an interval around a share, and around any statistic of paired columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]
# That two models differ on fewer problems, all the same way, chance may do in more than 5 % (a sign test).
FEWEST_PROBLEMS = 6


def wilson_interval(successes: float, count: float, confidence: float = 0.95) -> Interval:
    """The score interval of a share (Wilson 1927), which stays inside [0, 1]; (0, 1) where count is 0."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = successes / count, z * z / count
    centre, half = share + spread / 2, z * sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


def clustered_interval(hits: ArrayLike, groups: ArrayLike) -> Interval:
    """Wilson's interval of a share where hits come in groups, as several looks at one solution do: they hit or miss
    together, and say less than as many that know nothing of each other.

    They count for as many as would give the share the variance that it has between groups (Kish 1965), and never for
    more than they are. Both variances are of a share that is itself guessed from the hits, and few groups guess it
    badly. Where all are hits, or none, nothing varies, and each group counts once, as a single one always does. groups:
    whole numbers from 0.
    """
    hit = np.asarray(hits, dtype=np.float64)
    if not len(hit):
        return 0.0, 1.0
    sizes, hits_in = np.bincount(groups), np.bincount(groups, hit)
    share = float(hit.mean())
    alone = share * (1 - share)
    group_count = float(np.count_nonzero(sizes))
    if group_count == 1 or not alone:
        return wilson_interval(share * group_count, group_count)
    few = group_count / (group_count - 1) * (len(hit) - 1) / len(hit)
    between = few * float(np.square(hits_in - share * sizes).sum()) / len(hit)
    count = len(hit) * alone / max(alone, between)
    return wilson_interval(share * count, count)


def bootstrap_interval(
    statistic: Callable[..., float | None],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of a statistic of paired arrays of length n; the same seed gives the same interval.

    groups: which solution (or problem) each of the n labels belongs to; whole groups are drawn then, because
    the steps of one solution are not independent. None where the statistic is mostly undefined.
    """

    def alone(*columns: NDArray[Any]) -> tuple[float | None]:
        return (statistic(*columns),)

    intervals = bootstrap_intervals(
        alone, *arrays, groups=groups, samples=samples, confidence=confidence, seed=seed
    )
    return intervals[0] if intervals else None


def bootstrap_intervals(
    statistics: Callable[..., Sequence[float | None]],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval | None]:
    """The same for several statistics of the same draws; [] where n is 0."""
    columns = [np.asarray(array) for array in arrays]
    _, codes = np.unique(np.arange(len(columns[0])) if groups is None else groups, return_inverse=True)
    if not len(codes):
        return []
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    random = np.random.default_rng(seed)
    found: list[Sequence[float | None]] = []
    for _ in range(samples):
        drawn = random.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        # Row numbers of all drawn groups one after another, without a loop over groups.
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = order[np.repeat(starts[drawn], lengths) + inside]
        found.append(statistics(*(column[rows] for column in columns)))
    return [_percentiles(values, confidence) for values in zip(*found, strict=True)]


def _percentiles(values: Sequence[float | None], confidence: float) -> Interval | None:
    """None where most values are undefined."""
    known = [value for value in values if value is not None]
    if 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
