"""The first mistake that calibrated step scores make most likely: no threshold, and a known answer counts.

A threshold (ProcessBench's rule) asks of each step by itself whether it looks wrong enough. Somebody who sees all
scores can do better: if h_k is the chance that step k is wrong when all before it were right, then the first
mistake stands at k with chance (1 - h_1) ... (1 - h_(k-1)) h_k, as in discrete survival analysis (Cox 1972), and
nowhere with what is left. The h are scores made honest by isotonic regression (Zadrozny and Elkan 2002) on solutions
with known first mistakes: any rising curve, so that a few sure scores that are wrong do not bend the rest. Where a
reference says that the final answer is wrong, "nowhere" is all but ruled out; where it is known only how many of
the answers are wrong, the odds of a mistake shift for all alike, and where nothing is known, the share that makes the
scores themselves likeliest may take its place (Saerens, Latinne and Decaestecker 2002).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.first_mistake import MISSING, Scores

Floats = NDArray[np.float64]
# Far more than it takes, unless the scores tell next to nothing.
ROUNDS = 1000


@dataclass(frozen=True)
class MostLikely:
    """A rising curve from score to chance, and how often there is a mistake: anywhere, and by the final answer."""

    scores: tuple[float, ...]
    chances_of_right: tuple[float, ...]
    mistake_anywhere: float
    mistake_given: Mapping[bool, float]

    def odds_knowing(self, is_correct: bool | None) -> float:
        """How much likelier a mistake is where the final answer is right or wrong; 1 where that is not known."""
        return 1.0 if is_correct is None else _odds(self.mistake_given[is_correct]) / self._odds_anywhere

    def odds_knowing_share(self, wrong: float) -> float:
        """How much likelier a mistake is among solutions of which this share has a wrong answer."""
        mixed = wrong * self.mistake_given[False] + (1.0 - wrong) * self.mistake_given[True]
        return _odds(mixed) / self._odds_anywhere

    def odds_by_scores(self, solutions: Sequence[Scores]) -> float:
        """How much likelier a mistake is among these solutions, of which only the scores are known: their likeliest
        share of mistakes, by expectation and maximisation. Those with an absent score are left out; 1 without any.
        """
        whole = [[s for s in scores if s is not None] for scores in solutions if None not in scores]
        if not whole:
            return 1.0
        nowhere = np.array([self.chances(scores)[-1] for scores in whole])
        odds = 1.0
        for _ in range(ROUNDS):
            shifted = odds * (1.0 - nowhere)
            found = float(np.mean(shifted / (shifted + nowhere)))
            # One solution more with a mistake, and one without: no share is certain.
            share = (found * len(whole) + 1.0) / (len(whole) + 2.0)
            odds, before = _odds(share) / self._odds_anywhere, odds
            if abs(odds - before) < 1e-9 * before:
                break
        return odds

    @property
    def _odds_anywhere(self) -> float:
        return _odds(self.mistake_anywhere)

    def chances(self, scores: Sequence[float], odds: float = 1.0) -> Floats:
        """Of each step to be the first mistake, then of there being none: shape (steps + 1,), sum 1.

        odds: how much likelier any mistake is than where the curve comes from.
        """
        right = np.interp(scores, self.scores, self.chances_of_right)
        before = np.concatenate([[1.0], np.cumprod(right)])
        weights = np.append(before[:-1] * (1.0 - right) * odds, before[-1])
        return np.asarray(weights / weights.sum())

    def predict(self, scores: Scores, odds: float = 1.0) -> int | None:
        """The likeliest place, None for no mistake.

        MISSING when a score is absent and the place that it belongs to, or one behind it, could be the likeliest.
        """
        numbers = list(_before_the_first_absent(scores))
        chances = self.chances(numbers, odds)
        if len(numbers) < len(scores):
            # All that is left for the places behind may stand at one of them.
            chances[-1] *= max(odds, 1.0)
        place = int(np.argmax(chances))
        if place < len(numbers):
            return place
        return None if len(numbers) == len(scores) else MISSING


def fit(
    scores: Sequence[Scores], truths: Sequence[int | None], are_correct: Sequence[bool | None]
) -> MostLikely:
    """Calibrated on solutions whose first mistakes are known; those with an absent score are left out.

    One entry a solution in each: its steps' scores, the place of its first mistake or None, whether its final
    answer is right (None: unknown). Raises ValueError where they are not equally many. With nothing to calibrate
    on, scores count as they are.
    """
    kept = [
        ([score for score in values if score is not None], truth, is_correct)
        for values, truth, is_correct in zip(scores, truths, are_correct, strict=True)
        if None not in values
    ]
    # A step behind the first mistake says nothing: nobody judged it.
    reached = [(values if truth is None else values[: truth + 1], truth) for values, truth, _ in kept]
    steps = [(score, place != truth) for values, truth in reached for place, score in enumerate(values)]
    curve = _rising_curve(steps) if steps else ((0.0, 1.0), (0.0, 1.0))
    return MostLikely(*curve, *_mistakes([(truth is not None, is_correct) for _, truth, is_correct in kept]))


def _rising_curve(steps: Sequence[tuple[float, bool]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Isotonic regression by pooling adjacent violators: the ends of each pool and its mean.

    Targets are Platt's (1999), (n + 1) / (n + 2) and 1 / (n + 2), so that no pool is certain.
    """
    right = np.array([is_right for _, is_right in steps])
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    scores, places, counts = np.unique([score for score, _ in steps], return_inverse=True, return_counts=True)
    sums = np.bincount(places, target)
    pools: list[tuple[float, int, float, float]] = []  # sum, count, lowest and highest score
    for score, total, count in zip(scores.tolist(), sums.tolist(), counts.tolist(), strict=True):
        lowest = score
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            before = pools.pop()
            total, count, lowest = total + before[0], count + before[1], before[2]
        pools.append((total, count, lowest, score))
    ends = [(end, total / count) for total, count, *both in pools for end in sorted(set(both))]
    return tuple(score for score, _ in ends), tuple(chance for _, chance in ends)


def _before_the_first_absent(scores: Scores) -> Iterator[float]:
    for score in scores:
        if score is None:
            return
        yield score


def _mistakes(known: Sequence[tuple[bool, bool | None]]) -> tuple[float, dict[bool, float]]:
    """How often there is a mistake, and how often where the answer is right and where it is wrong.

    To each answer's solutions one is added, which has a mistake as often as they all do: no answer is certain then,
    and one that was never seen changes nothing.
    """
    anywhere = (sum(has_mistake for has_mistake, _ in known) + 0.5) / (len(known) + 1)
    given = {}
    for answer in (True, False):
        those = [has_mistake for has_mistake, is_correct in known if is_correct is answer]
        given[answer] = (sum(those) + anywhere) / (len(those) + 1)
    return anywhere, given


def _odds(chance: float) -> float:
    return chance / (1.0 - chance)
