"""Scores against binary ratings: how well they rank (ROC), how literally they can be taken (calibration)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml.agreement.columns import Floats, Integers, scored


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Shares of shape (k,), from (0, 0) to (1, 1); a step is called right when its score >= threshold."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> RocCurve | None:
    """The curve of n scores against n booleans, one point per distinct score; None if a class is empty."""
    values, right = scored(scores, positive)
    if right.all() or not right.any():
        return None
    order = np.argsort(-values, kind="stable")
    values, right = values[order], right[order]
    # Equal scores move together: a point stands only at the last of each run.
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    true_positives = np.cumsum(right)[ends]
    false_positives = ends + 1 - true_positives
    return RocCurve(
        np.append(0.0, false_positives / false_positives[-1]),
        np.append(0.0, true_positives / true_positives[-1]),
        np.append(np.inf, values[ends]),
    )


def auc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Chance that a positive scores above a negative, ties half (Mann-Whitney); None if a class is empty."""
    values, right = scored(scores, positive)
    positives = int(right.sum())
    negatives = len(right) - positives
    if not positives or not negatives:
        return None
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    ranks = float(mean_ranks[codes][right].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities against outcomes in equal-width bins; shapes (bins,), NaN where a bin is empty."""

    counts: Integers
    mean_probability: Floats
    share_positive: Floats
    expected_calibration_error: float
    brier: float


def reliability(probabilities: ArrayLike, positive: ArrayLike, bins: int = 10) -> Reliability | None:
    """Calibration of n probabilities in [0, 1]; None where n is 0, ValueError for a value outside.

    The expected calibration error weighs each bin's |mean probability - share| by its size (Guo et al. 2017).
    """
    values, right = scored(probabilities, positive)
    if not len(values):
        return None
    if values.min() < 0 or values.max() > 1:
        raise ValueError("a probability outside [0, 1]")
    which = np.minimum((values * bins).astype(np.int64), bins - 1)
    counts = np.bincount(which, minlength=bins)
    summed = np.bincount(which, weights=values, minlength=bins)
    hits = np.bincount(which, weights=right, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    return Reliability(
        counts=counts,
        mean_probability=summed / filled,
        share_positive=hits / filled,
        expected_calibration_error=float(np.abs(summed - hits).sum() / len(values)),
        brier=float(np.square(values - right).mean()),
    )
