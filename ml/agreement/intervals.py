"""How sure a figure is: an interval around a share, and around any statistic of paired columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, float]
# That two models differ on fewer problems, all the same way, chance may do in more than 5 % (a sign test).
FEWEST_PROBLEMS = 6


def wilson_interval(successes: float, count: float) -> Interval:
    """The 95 % score interval of a share (Wilson 1927), which stays inside [0, 1]; (0, 1) where count is 0."""
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
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


def bootstrap_intervals(
    statistics: Callable[..., Sequence[float | None]],
    *arrays: ArrayLike,
    samples: int = 1000,
    seed: int = 0,
) -> list[Interval | None]:
    """95 % percentile intervals of statistics of paired arrays of length n, all of the same draws; [] where n is 0.

    The same seed gives the same intervals. One is None where its statistic is mostly undefined. Steps of one solution
    are not independent: sum them up by solution, or by problem, first.
    """
    columns = [np.asarray(array) for array in arrays]
    count = len(columns[0])
    if not count:
        return []
    random = np.random.default_rng(seed)
    found: list[Sequence[float | None]] = []
    for _ in range(samples):
        drawn = random.integers(count, size=count)
        found.append(statistics(*(column[drawn] for column in columns)))
    return [_percentiles(values) for values in zip(*found, strict=True)]


def _percentiles(values: Sequence[float | None]) -> Interval | None:
    """None where most values are undefined."""
    known = [value for value in values if value is not None]
    if 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
