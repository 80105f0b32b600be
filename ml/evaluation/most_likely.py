"""The first mistake that calibrated step scores make most likely: no threshold, and a known answer counts.

A threshold (ProcessBench's rule) asks of each step by itself whether it looks wrong enough. Somebody who sees all
scores can do better: if h_k is the chance that step k is wrong when all before it were right, then the first
mistake stands at k with chance (1 - h_1) ... (1 - h_(k-1)) h_k, as in discrete survival analysis (Cox 1972), and
nowhere with what is left. The h are scores made honest by Platt scaling (Platt 1999) on solutions with known first
mistakes. Where a reference says that the final answer is wrong, "nowhere" is all but ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.first_mistake import MISSING, Scores

Floats = NDArray[np.float64]
# Scores nearer to 0 and 1 than this say no more: a logit has to be finite.
NEAREST = 1e-6
ITERATIONS, SETTLED = 100, 1e-9


@dataclass(frozen=True)
class MostLikely:
    """Platt's line for a step's logit, and the odds by which a known answer makes any mistake likelier."""

    slope: float
    intercept: float
    odds: Mapping[bool, float]

    def chances(self, scores: Sequence[float], is_correct: bool | None = None) -> Floats:
        """Of each step to be the first mistake, then of there being none: shape (steps + 1,), sum 1.

        `is_correct` is whether the final answer is right, None where that is not known or must not count.
        """
        right = _sigmoid(self.slope * _logits(scores) + self.intercept)
        before = np.concatenate([[1.0], np.cumprod(right)])
        odds = 1.0 if is_correct is None else self.odds[is_correct]
        weights = np.append(before[:-1] * (1.0 - right) * odds, before[-1])
        return weights / weights.sum()

    def predict(self, scores: Scores, is_correct: bool | None = None) -> int | None:
        """The likeliest place, None for no mistake; MISSING when a score is absent."""
        numbers = [score for score in scores if score is not None]
        if len(numbers) < len(scores):
            return MISSING
        place = int(np.argmax(self.chances(numbers, is_correct)))
        return place if place < len(scores) else None


def fit(
    scores: Sequence[Scores], truths: Sequence[int | None], are_correct: Sequence[bool | None]
) -> MostLikely:
    """Calibrated on solutions whose first mistakes are known; those with an absent score are left out."""
    kept = [
        ([score for score in values if score is not None], truth, is_correct)
        for values, truth, is_correct in zip(scores, truths, are_correct, strict=True)
        if None not in values
    ]
    # A step behind the first mistake says nothing: nobody judged it.
    reached = [(values if truth is None else values[: truth + 1], truth) for values, truth, _ in kept]
    logits = _logits([score for values, _ in reached for score in values])
    right = np.array(
        [place != truth for values, truth in reached for place in range(len(values))], dtype=bool
    )
    slope, intercept = _platt(logits, right)
    return MostLikely(
        slope, intercept, _odds([(truth is not None, is_correct) for _, truth, is_correct in kept])
    )


def _platt(logits: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of highest likelihood, by Newton's method, towards Platt's targets.

    His targets (n + 1) / (n + 2) and 1 / (n + 2) keep the line finite where scores separate perfectly.
    """
    count = int(right.sum()), int((~right).sum())
    if not min(count):
        return 1.0, 0.0
    target = np.where(right, (count[0] + 1) / (count[0] + 2), 1 / (count[1] + 2))
    rows = np.stack([logits, np.ones_like(logits)], axis=1)
    line = np.array([0.0, np.log((count[0] + 1) / (count[1] + 1))])
    for _ in range(ITERATIONS):
        step = _newton_step(rows, target, line)
        line = line + step
        if np.abs(step).max() < SETTLED:
            break
    return float(line[0]), float(line[1])


def _newton_step(rows: Floats, target: Floats, line: Floats) -> Floats:
    """One step uphill, halved until the likelihood does not fall."""
    said = _sigmoid(rows @ line)
    curvature = (rows * (said * (1 - said))[:, None]).T @ rows + 1e-9 * np.eye(2)
    step = np.linalg.solve(curvature, rows.T @ (target - said))
    now = _log_likelihood(rows @ line, target)
    while np.abs(step).max() > SETTLED and _log_likelihood(rows @ (line + step), target) < now:
        step = step / 2
    return np.asarray(step)


def _log_likelihood(logits: Floats, target: Floats) -> float:
    return float((target * logits - np.logaddexp(0.0, logits)).sum())


def _odds(known: Sequence[tuple[bool, bool | None]]) -> dict[bool, float]:
    """How much likelier a mistake is where the answer is wrong, and where it is right, than anywhere.

    Half a solution more on either side keeps the odds finite where, say, no wrong answer is without a mistake.
    """
    anywhere = _ratio([has_mistake for has_mistake, _ in known])
    return {
        answer: _ratio([has_mistake for has_mistake, is_correct in known if is_correct is answer]) / anywhere
        if any(is_correct is answer for _, is_correct in known)
        else 1.0
        for answer in (True, False)
    }


def _ratio(has_mistake: Sequence[bool]) -> float:
    return (sum(has_mistake) + 0.5) / (len(has_mistake) - sum(has_mistake) + 0.5)


def _logits(scores: Sequence[float]) -> Floats:
    inside = np.clip(np.asarray(scores, dtype=np.float64), NEAREST, 1.0 - NEAREST)
    return np.asarray(np.log(inside / (1.0 - inside)))


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))
