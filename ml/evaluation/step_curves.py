"""How well scores order and calibrate single steps: ROC, precision and recall, reliability, by position.

The steps that count are those up to and with the first mistake: behind it, what "correct" means is not
defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.agreement import auc, reliability, roc_curve

Floats = NDArray[np.float64]
POINTS = 101


def judged_steps(
    scores: Sequence[Sequence[float | None]], truths: Sequence[int | None]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Flat score, correctness and position of every step up to and with the first mistake; shape [N] each."""
    flat, correct, positions = [], [], []
    for values, truth in zip(scores, truths, strict=True):
        last = len(values) if truth is None else min(truth + 1, len(values))
        for position, score in enumerate(values[:last]):
            if score is not None:
                flat.append(score)
                correct.append(position != truth)
                positions.append(position)
    return np.array(flat), np.array(correct, dtype=bool), np.array(positions, dtype=np.int64)


def curve(scores: Floats, correct: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Finding mistakes by `score < threshold`: recall, false alarms and precision at every distinct score.

    Of more than POINTS thresholds, those that lie evenly along the ROC curve. Evenly among the scores would leave one
    or two for all mistakes where these are few. [] where no step is wrong, or every one.
    """
    # Here a positive is a mistake, and low scores are its sign.
    exact = roc_curve(-scores, ~correct)
    if exact is None:
        return []
    recall, false_alarms = exact.true_positive_rate, exact.false_positive_rate
    along, kept = recall + false_alarms, np.arange(len(recall))
    if len(kept) > POINTS:
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], POINTS)))
    # What lies below a threshold is flagged: up to a score, by the next score, and all of them above the highest.
    distinct = -exact.thresholds[1:]
    thresholds = np.append(distinct, np.nextafter(distinct[-1], np.inf))
    hits, alarms = recall * (~correct).sum(), false_alarms * correct.sum()
    precision = hits / np.maximum(hits + alarms, 1)
    columns = {
        "threshold": thresholds, "recall": recall, "false_alarms": false_alarms, "precision": precision,
    }  # fmt: skip
    return [{name: float(column[place]) for name, column in columns.items()} for place in kept]


def calibration(scores: Floats, correct: NDArray[np.bool_]) -> dict[str, Any]:
    """Reliability in equal bins of the score, the expected calibration error, and the Brier score."""
    found = reliability(scores, correct)
    if found is None:
        return {"expected_calibration_error": None, "brier": None, "bins": []}
    columns = zip(found.mean_probability, found.share_positive, found.counts, strict=True)
    return {
        "expected_calibration_error": found.expected_calibration_error,
        "brier": found.brier,
        "bins": [
            {"score": float(said), "correct": float(happened), "count": int(count)}
            for said, happened, count in columns
            if count
        ],
    }


def step_report(scores: Sequence[Sequence[float | None]], truths: Sequence[int | None]) -> dict[str, Any]:
    """All of the above, and the AUC by position (the last row gathers all positions from the tenth on)."""
    flat, correct, positions = judged_steps(scores, truths)
    rows = []
    for position in range(min(int(positions.max(initial=-1)) + 1, 10)):
        inside = positions >= 9 if position == 9 else positions == position
        rows.append(
            {
                "position": position,
                "count": int(inside.sum()),
                "wrong": int((~correct[inside]).sum()),
                "roc_auc": auc(flat[inside], correct[inside]),
            }
        )
    return {
        "count": len(flat),
        "wrong": int((~correct).sum()),
        "roc_auc": auc(flat, correct),
        "curve": curve(flat, correct),
        "calibration": calibration(flat, correct),
        "by_position": rows,
    }
