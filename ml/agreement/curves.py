"""Scores against binary ratings: how well they rank (ROC), how literally they can be taken (calibration)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml.agreement.columns import Floats, Integers, counted, scored


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Shares of shape (k,), from (0, 0) to (1, 1); the threshold falls from point to point."""

    false_positive_rate: Floats
    true_positive_rate: Floats


def roc_curve(scores: ArrayLike, positive: ArrayLike, counts: ArrayLike | None = None) -> RocCurve | None:
    """The curve of n scores against n booleans, one point per distinct score; None if a class is empty.

    counts: how often each pair occurs (once), here and below.
    """
    values, right = scored(scores, positive)
    if right.all() or not right.any():
        return None
    order = np.argsort(-values, kind="stable")
    times = counted(counts, values)[order]
    values, right = values[order], right[order]
    # Equal scores move together: a point stands only at the last of each run.
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    true_positives = np.cumsum(right * times)[ends]
    false_positives = np.cumsum(times)[ends] - true_positives
    return RocCurve(
        np.append(0.0, false_positives / false_positives[-1]),
        np.append(0.0, true_positives / true_positives[-1]),
    )


def auc(scores: ArrayLike, positive: ArrayLike, counts: ArrayLike | None = None) -> float | None:
    """Chance that a positive scores above a negative, ties half (Mann-Whitney); None if a class is empty."""
    values, right = scored(scores, positive)
    times = counted(counts, values)
    positives = int(times[right].sum())
    negatives = int(times.sum()) - positives
    if not positives or not negatives:
        return None
    _, codes = np.unique(values, return_inverse=True)
    sizes = np.bincount(codes, weights=times)
    mean_ranks = np.cumsum(sizes) - (sizes - 1) / 2
    ranks = float((mean_ranks[codes] * times)[right].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities against outcomes in equal-width bins; shapes (bins,), NaN where a bin is empty."""

    counts: Integers
    mean_probability: Floats
    share_positive: Floats
    expected_calibration_error: float
    brier: float


def reliability(
    probabilities: ArrayLike, positive: ArrayLike, bins: int = 10, counts: ArrayLike | None = None
) -> Reliability | None:
    """Calibration of n probabilities in [0, 1]; None where n is 0, ValueError for a value outside.

    The expected calibration error weighs each bin's |mean probability - share| by its size (Guo et al. 2017).
    """
    values, right = scored(probabilities, positive)
    if not len(values):
        return None
    if values.min() < 0 or values.max() > 1:
        raise ValueError("a probability outside [0, 1]")
    which = np.minimum((values * bins).astype(np.int64), bins - 1)
    times = counted(counts, values)
    sizes = np.bincount(which, weights=times, minlength=bins).astype(np.int64)
    summed = np.bincount(which, weights=values * times, minlength=bins)
    hits = np.bincount(which, weights=right * times, minlength=bins)
    filled = np.where(sizes, sizes, np.nan)
    return Reliability(
        counts=sizes,
        mean_probability=summed / filled,
        share_positive=hits / filled,
        expected_calibration_error=float(np.abs(summed - hits).sum() / times.sum()),
        brier=float((np.square(values - right) * times).sum() / times.sum()),
    )
