"""Agreement of ratings, corrected for what chance alone would give: kappa and alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ml.agreement.columns import Floats, counted, paired


def cohen_kappa(first: ArrayLike, second: ArrayLike, counts: ArrayLike | None = None) -> float | None:
    """Cohen's kappa of two raters over the same n items (Cohen 1960).

    NaN means "not rated": such pairs are left out. counts: how often each pair occurs (once).
    None where chance alone already agrees fully: one category, or no pair.
    """
    a, b = paired(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    rated = ~(np.isnan(a) | np.isnan(b))
    categories, codes = np.unique(np.concatenate([a[rated], b[rated]]), return_inverse=True)
    size, rows, times = len(categories), int(rated.sum()), counted(counts, a)[rated]
    cells = codes[:rows] * size + codes[rows:]
    observed = np.bincount(cells, weights=times, minlength=size**2).reshape(size, size)
    differ = 1 - np.eye(size)
    chance = float((np.outer(observed.sum(1), observed.sum(0)) * differ).sum())
    return 1 - float(times.sum()) * float((observed * differ).sum()) / chance if chance else None


def krippendorff_alpha(units: ArrayLike, values: ArrayLike) -> float | None:
    """Krippendorff's nominal alpha of n ratings, for any number of raters and any pattern of missing ones.

    units: which item each rating is about. values: the ratings; NaN is "not rated". Items with one rating say
    nothing about agreement and drop out. Computed from the coincidence matrix (Krippendorff, "Computing
    Krippendorff's Alpha-Reliability", 2011). None where all ratings are one value, or no item has two.
    """
    counts = _ratings_per_unit(units, values)
    raters = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(raters - 1, 1)
    coincidences = counts.T @ shares - np.diag(shares.sum(axis=0))
    totals = coincidences.sum(axis=0)
    differ = 1 - np.eye(len(totals))
    expected = float((np.outer(totals, totals) * differ).sum())
    observed = float((coincidences * differ).sum())
    return 1 - (totals.sum() - 1) * observed / expected if expected else None


def percent_agreement(units: ArrayLike, values: ArrayLike) -> float | None:
    """Share of the pairs of ratings of one item that are equal; None where no item has two ratings."""
    counts = _ratings_per_unit(units, values)
    raters = counts.sum(axis=1)
    pairs = float((raters * (raters - 1)).sum())
    return float((counts * (counts - 1)).sum()) / pairs if pairs else None


def _ratings_per_unit(units: ArrayLike, values: ArrayLike) -> Floats:
    """Counts of shape (items with at least two ratings, categories)."""
    which, ratings = paired(np.asarray(units), np.asarray(values, dtype=np.float64))
    rated = ~np.isnan(ratings)
    unit_names, unit_codes = np.unique(which[rated], return_inverse=True)
    categories, codes = np.unique(ratings[rated], return_inverse=True)
    cells = np.bincount(unit_codes * len(categories) + codes, minlength=len(unit_names) * len(categories))
    counts = cells.reshape(len(unit_names), len(categories)).astype(np.float64)
    return counts[counts.sum(axis=1) >= 2]
