"""How well scores find the first mistake: ProcessBench's metric, exactly (arXiv 2412.06559).

A prediction is the first step whose score lies below the threshold, or none. `accuracy_wrong` is the share of
solutions with a mistake whose first one is named exactly, `accuracy_right` the share of faultless ones in
which nothing is named; F1 is their harmonic mean, 0 where both are 0. A missing score counts as a wrong
prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Scores = Sequence[float | None]
MISSING = -2
# The figures of one threshold, beside the counts of what they are measured on.
AT_THRESHOLD = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact")


def predict(scores: Scores, threshold: float) -> int | None:
    """The first step scored below the threshold, None for none; MISSING when a deciding score is absent."""
    for position, score in enumerate(scores):
        if score is None:
            return MISSING
        if score < threshold:
            return position
    return None


def harmonic(wrong: float, right: float) -> float:
    """F1 of the two accuracies; 0 where both are 0."""
    return 2.0 * wrong * right / (wrong + right) if wrong + right else 0.0


def metric(predictions: Sequence[int | None], truths: Sequence[int | None]) -> dict[str, Any]:
    """ProcessBench's three figures, the plain share of exact answers, and the counts behind them."""
    wrong = [said == truth for said, truth in zip(predictions, truths, strict=True) if truth is not None]
    right = [said == truth for said, truth in zip(predictions, truths, strict=True) if truth is None]
    accuracy_wrong = sum(wrong) / len(wrong) if wrong else 0.0
    accuracy_right = sum(right) / len(right) if right else 0.0
    return {
        "f1": harmonic(accuracy_wrong, accuracy_right),
        "accuracy_wrong": accuracy_wrong,
        "accuracy_right": accuracy_right,
        "exact": (sum(wrong) + sum(right)) / max(len(truths), 1),
        "count": len(truths),
        "count_wrong": len(wrong),
        "count_right": len(right),
    }


def best_threshold(scores: Sequence[Scores], truths: Sequence[int | None]) -> float:
    """The threshold with the highest F1, in one pass over all scores; ties go to the middle of the best
    stretch.

    Only a solution's running minimum matters: lowering the threshold past it changes the prediction there.
    """
    # For a solution with truth k, the prediction is exact for thresholds in (score_k, min(score_0 ..
    # score_k-1)]; for a faultless one, for thresholds up to its minimum. Sweep over the ends of these
    # stretches.
    starts, ends, kinds = [], [], []
    for values, truth in zip(scores, truths, strict=True):
        stretch = _exact_stretch(values, truth)
        if stretch is not None:
            starts.append(stretch[0])
            ends.append(stretch[1])
            kinds.append(truth is not None)
    if not starts:
        return 0.5
    edges = np.unique(np.concatenate([starts, ends, [0.0, 1.0]]))
    edges = edges[np.isfinite(edges)]
    # A threshold equal to a score does not flag it: each edge stands for all thresholds above the one before it.
    is_wrong = np.asarray(kinds)
    totals = (sum(t is not None for t in truths), sum(t is None for t in truths))
    hits = []
    for kind in (True, False):
        low = np.sort(np.asarray(starts)[is_wrong == kind])
        high = np.sort(np.asarray(ends)[is_wrong == kind])
        hits.append(np.searchsorted(low, edges, "left") - np.searchsorted(high, edges, "left"))
    wrong = hits[0] / max(totals[0], 1)
    right = hits[1] / max(totals[1], 1)
    f1 = np.divide(2 * wrong * right, wrong + right, out=np.zeros(len(edges)), where=wrong + right > 0)
    if not f1.any():
        # With one kind of solution only, F1 is 0 everywhere: choose by plain accuracy.
        f1 = hits[0] + hits[1]
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    run = best[: np.argmax(np.diff(best, append=best[-1] + 2) > 1) + 1]
    low, high = edges[max(run[0] - 1, 0)], edges[run[-1]]
    middle = (low + high) / 2
    # Next to each other in floating point, they have no middle above the lower one.
    return float(middle if middle > low else high)


def first_mistake_report(
    scores: Sequence[Scores], truths: Sequence[int | None], threshold: float | None = None
) -> dict[str, Any]:
    """The metric at a threshold; chosen on these solutions if none is given (`threshold_chosen_here`)."""
    chosen = best_threshold(scores, truths) if threshold is None else threshold
    predictions = [predict(values, chosen) for values in scores]
    return {
        "threshold": chosen,
        "threshold_chosen_here": threshold is None,
        **metric(predictions, truths),
        "missing": sum(said == MISSING for said in predictions),
        "by_position": _by_position(predictions, truths),
        "thresholds": threshold_curve(scores, truths),
    }


def threshold_curve(
    scores: Sequence[Scores], truths: Sequence[int | None], points: int = 33
) -> list[dict[str, float]]:
    """The metric at thresholds spread over the solutions' lowest scores: what choosing another would cost."""
    lowest = [min(numbers) for values in scores if (numbers := [v for v in values if v is not None])]
    spread = np.unique(np.quantile(lowest or [np.nan], np.linspace(0, 1, points)))
    wanted = ("f1", "accuracy_wrong", "accuracy_right")
    rows = []
    for threshold in map(float, spread[np.isfinite(spread)]):
        found = metric([predict(values, threshold) for values in scores], truths)
        rows.append({"threshold": threshold, **{name: found[name] for name in wanted}})
    return rows


def _exact_stretch(values: Scores, truth: int | None) -> tuple[float, float] | None:
    """Thresholds (low, high] at which the prediction is exact; None where there are none."""
    needed = list(values) if truth is None else list(values[: truth + 1])
    if any(value is None for value in needed) or (truth is not None and len(needed) <= truth):
        return None
    numbers = [float(value) for value in needed if value is not None]
    if truth is None:
        return -np.inf, min(numbers, default=np.inf)
    high = min(numbers[:-1], default=np.inf)
    return (numbers[-1], high) if numbers[-1] < high else None


def _by_position(predictions: Sequence[int | None], truths: Sequence[int | None]) -> list[dict[str, Any]]:
    """Exactness by where the first mistake stands; position null is the faultless solutions."""
    rows = []
    for position in [*sorted({t for t in truths if t is not None}), None]:
        said = [p for p, truth in zip(predictions, truths, strict=True) if truth == position]
        if said:
            exact = sum(p == position for p in said) / len(said)
            rows.append({"position": position, "count": len(said), "exact": exact})
    return rows
