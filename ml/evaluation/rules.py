"""Rules that name a first mistake from step scores, and what they say of problems they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ml.evaluation.first_mistake import Scores, best_threshold, predict
from ml.evaluation.judged import Judged, JudgedSolution
from ml.evaluation.most_likely import MostLikely, fit

# Step scores and whether the final answer is right, to a place, None or MISSING.
Predict = Callable[[Scores, bool | None], int | None]
Rule = Callable[[Judged], Predict]
OTHER_HALF = "the other half of the problems"


def by_threshold(judged: Judged) -> Predict:
    """ProcessBench's: the first step below the threshold of best F1."""
    threshold = best_threshold(judged.scores, judged.truths)
    return lambda scores, is_correct: predict(scores, threshold)


def by_chance(odds: Callable[[MostLikely, bool | None], float]) -> Rule:
    """The most likely first mistake. odds: what it makes of a mistake whether the final answer is right."""

    def rule(judged: Judged) -> Predict:
        likely = _fitted(judged)
        return lambda scores, is_correct: likely.predict(scores, odds(likely, is_correct))

    return rule


def by_shifted_chance(judged: Judged, asked: Sequence[JudgedSolution]) -> Predict:
    """The most likely first mistake, with as many mistakes as the scores of those that are `asked` speak for."""
    likely = _fitted(judged)
    odds = likely.odds_by_scores([row.scores for row in asked])
    return lambda scores, is_correct: likely.predict(scores, odds)


def _fitted(judged: Judged) -> MostLikely:
    return fit(judged.scores, judged.truths, [row.is_correct for row in judged.rows])


def said_by(predict: Predict, rows: Sequence[JudgedSolution]) -> list[int | None]:
    """What a fitted rule says of each solution."""
    return [predict(row.scores, row.is_correct) for row in rows]


def cross_fitted(
    judged: Judged, rule: Rule, asked: Sequence[JudgedSolution] | None = None
) -> list[int | None] | None:
    """What the rule says of each solution when it is fitted on the half of the problems to which that one does not
    belong.

    asked: of these alone. None where all problems fall into one half: there is nothing to fit on.
    """
    halves = _halves(judged)
    if not all(half.rows for half in halves):
        return None
    fitted, rows = [rule(half) for half in halves], judged.rows if asked is None else asked
    return [fitted[1 - row.half](row.scores, row.is_correct) for row in rows]


def by_other_half(judged: Judged) -> list[int | None] | None:
    """What the threshold of best F1 of one half of the problems says of the other, and the other way round.

    None where there is no other half, or one half has a single kind of solution and the other has both or the other
    kind: the best threshold of one kind alone lies beyond all its scores, and says nothing of the other kind.
    """
    kinds = [{truth is None for truth in half.truths} for half in _halves(judged)]
    return cross_fitted(judged, by_threshold) if kinds[0] == kinds[1] else None


def _halves(judged: Judged) -> list[Judged]:
    return [Judged([row for row in judged.rows if row.half == half]) for half in (0, 1)]
