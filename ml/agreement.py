"""How far people agree with each other and with machines: counts and correlations, in numpy throughout.

Shapes: n labels are arrays of length n; a first mistake is a 0-based position, and NONE (-1) stands for "no
mistake". A measure that the data leave undefined (nobody disagreed by chance, one class is empty) is None,
never a made-up 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Weights = Literal["nominal", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]

NONE = -1


def encode(first_mistakes: Sequence[int | None] | ArrayLike) -> Integers:
    """First mistakes as integers, with NONE for None; arrays that are encoded already pass through."""
    values = np.asarray(first_mistakes, dtype=np.float64)
    return np.where(np.isnan(values), NONE, values).astype(np.int64)


def first_mistake_confusion(
    people: Sequence[int | None] | ArrayLike,
    machine: Sequence[int | None] | ArrayLike,
    positions: int | None = None,
) -> Integers:
    """Counts of shape (positions + 1, positions + 1): rows people, columns machine, the last of each "none".

    positions: at least the largest position + 1; by default exactly that.
    """
    rows, columns = _paired(encode(people), encode(machine))
    width = (
        positions if positions is not None else int(max(rows.max(initial=-1), columns.max(initial=-1))) + 1
    )
    rows, columns = np.where(rows == NONE, width, rows), np.where(columns == NONE, width, columns)
    cells = np.bincount(rows * (width + 1) + columns, minlength=(width + 1) ** 2)
    return cells.reshape(width + 1, width + 1)


@dataclass(frozen=True, slots=True)
class FirstMistakeAgreement:
    """One comparison of two sets of first mistakes; shares lie in [0, 1].

    exact, within_one: same position (or one step apart), or both "none". bias: mean of machine - people in
    steps where both found a mistake; positive means that the machine is late. kappa: Cohen's, over the
    positions and "none" as nominal categories.
    """

    count: int
    exact: float
    exact_interval: tuple[float, float]
    within_one: float
    bias: float | None
    kappa: float | None


def compare_first_mistakes(
    people: Sequence[int | None] | ArrayLike, machine: Sequence[int | None] | ArrayLike
) -> FirstMistakeAgreement | None:
    """Agreement of two looks at the same n solutions; None where n is 0."""
    first, second = _paired(encode(people), encode(machine))
    if not len(first):
        return None
    exact = int((first == second).sum())
    return FirstMistakeAgreement(
        count=len(first),
        exact=exact / len(first),
        exact_interval=wilson_interval(exact, len(first)),
        within_one=float(within(first, second).mean()),
        bias=step_bias(first, second),
        kappa=cohen_kappa(first, second),
    )


def within(people: ArrayLike, machine: ArrayLike, distance: int = 1) -> NDArray[np.bool_]:
    """Per solution: both "none", or both a mistake at most `distance` steps apart."""
    first, second = _paired(encode(people), encode(machine))
    both_found = (first != NONE) & (second != NONE)
    return (first == second) | (both_found & (np.abs(first - second) <= distance))


def step_bias(people: ArrayLike, machine: ArrayLike) -> float | None:
    """Mean of machine - people in steps, over solutions in which both found a mistake; None if there is none."""
    first, second = _paired(encode(people), encode(machine))
    both_found = (first != NONE) & (second != NONE)
    return float((second - first)[both_found].mean()) if both_found.any() else None


def gold_hits(marked: Sequence[int | None] | ArrayLike, acceptable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Per gold task: whether the marked first mistake is one of the acceptable ones (PRM800K's rule).

    acceptable: shape (n, positions + 1), the last column for "no mistake". Raises ValueError on other shapes.
    """
    answers = encode(marked)
    if (
        acceptable.ndim != 2
        or len(acceptable) != len(answers)
        or acceptable.shape[1] <= answers.max(initial=-1) + 1
    ):
        raise ValueError(f"acceptable has shape {acceptable.shape}, expected ({len(answers)}, positions + 1)")
    # NONE is -1, which indexes the last column: "no mistake".
    hits: NDArray[np.bool_] = acceptable[np.arange(len(answers)), answers]
    return hits


def cohen_kappa(first: ArrayLike, second: ArrayLike, weights: Weights = "nominal") -> float | None:
    """Cohen's kappa of two raters over the same n items (Cohen 1960; weighted 1968).

    NaN means "not rated": such pairs are left out. Weights use the rank of the category among those used.
    None where chance alone already agrees fully: one category, or no pair.
    """
    a, b = _paired(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    rated = ~(np.isnan(a) | np.isnan(b))
    categories, codes = np.unique(np.concatenate([a[rated], b[rated]]), return_inverse=True)
    size, pairs = len(categories), int(rated.sum())
    observed = np.bincount(codes[:pairs] * size + codes[pairs:], minlength=size**2).reshape(size, size)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    cost = {"nominal": (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}[
        weights
    ]
    chance = float((np.outer(observed.sum(1), observed.sum(0)) * cost).sum())
    return 1 - pairs * float((observed * cost).sum()) / chance if chance else None


def krippendorff_alpha(units: ArrayLike, values: ArrayLike, level: Level = "nominal") -> float | None:
    """Krippendorff's alpha of n ratings, for any number of raters and any pattern of missing ones.

    units: which item each rating is about. values: the ratings; NaN is "not rated". Items with one rating say
    nothing about agreement and drop out. Computed from the coincidence matrix (Krippendorff, "Computing
    Krippendorff's Alpha-Reliability", 2011). None where all ratings are one value, or no item has two.
    """
    counts, categories = _ratings_per_unit(units, values)
    raters = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(raters - 1, 1)
    coincidences = counts.T @ shares - np.diag(shares.sum(axis=0))
    totals = coincidences.sum(axis=0)
    distance = _distance(level, categories, totals)
    expected = float((np.outer(totals, totals) * distance).sum())
    observed = float((coincidences * distance).sum())
    return 1 - (totals.sum() - 1) * observed / expected if expected else None


def percent_agreement(units: ArrayLike, values: ArrayLike) -> float | None:
    """Share of the pairs of ratings of one item that are equal; None where no item has two ratings."""
    counts, _ = _ratings_per_unit(units, values)
    raters = counts.sum(axis=1)
    pairs = float((raters * (raters - 1)).sum())
    return float((counts * (counts - 1)).sum()) / pairs if pairs else None


def _ratings_per_unit(units: ArrayLike, values: ArrayLike) -> tuple[Floats, Floats]:
    """Counts of shape (items with at least two ratings, categories), and the categories in order."""
    which, ratings = _paired(np.asarray(units), np.asarray(values, dtype=np.float64))
    rated = ~np.isnan(ratings)
    unit_names, unit_codes = np.unique(which[rated], return_inverse=True)
    categories, codes = np.unique(ratings[rated], return_inverse=True)
    cells = np.bincount(unit_codes * len(categories) + codes, minlength=len(unit_names) * len(categories))
    counts = cells.reshape(len(unit_names), len(categories)).astype(np.float64)
    return counts[counts.sum(axis=1) >= 2], categories


def _distance(level: Level, categories: Floats, totals: Floats) -> Floats:
    """Squared distance between each two categories at a level of measurement."""
    if level == "nominal":
        return 1 - np.eye(len(categories))
    if level == "interval":
        return np.square(np.subtract.outer(categories, categories))
    # Between two ranks lie all ratings up to the one, less half of those on either end.
    middle = np.cumsum(totals) - totals / 2
    return np.square(np.subtract.outer(middle, middle))


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Shares of shape (k,), from (0, 0) to (1, 1); a step is called right when its score >= threshold."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> RocCurve | None:
    """The curve of n scores against n booleans, one point per distinct score; None if a class is empty."""
    values, right = _scored(scores, positive)
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
    values, right = _scored(scores, positive)
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
    """Probabilities against outcomes in equal-width bins; arrays of shape (bins,), NaN where a bin is empty."""

    counts: Integers
    mean_probability: Floats
    share_positive: Floats
    expected_calibration_error: float
    brier: float


def reliability(probabilities: ArrayLike, positive: ArrayLike, bins: int = 10) -> Reliability | None:
    """Calibration of n probabilities in [0, 1]; None where n is 0, ValueError for a value outside.

    The expected calibration error weighs each bin's |mean probability - share| by its size (Guo et al. 2017).
    """
    values, right = _scored(probabilities, positive)
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


def _paired(first: NDArray, second: NDArray) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"arrays of shapes {first.shape} and {second.shape}, expected two of one length")
    return first, second


def _scored(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values, right = _paired(np.asarray(scores, dtype=np.float64), np.asarray(positive).astype(bool))
    if np.isnan(values).any():
        raise ValueError("a score that is not a number; leave out what was not scored")
    return values, right
