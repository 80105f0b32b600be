"""Figures of named first mistakes with their intervals: at a threshold, held out, and on problems that are unseen.

The intervals are a 95 % bootstrap over problems, because solutions of the same problem are not independent. Thresholds
and calibrations stay as they were chosen: an interval says how much the figures depend on which problems were measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.agreement import bootstrap_intervals
from ml.evaluation.first_mistake import harmonic, metric
from ml.evaluation.judged import Judged, JudgedSolution
from ml.evaluation.most_likely import MostLikely
from ml.evaluation.rules import (
    OTHER_HALF,
    Predict,
    Rule,
    by_chance,
    by_other_half,
    by_shifted_chance,
    cross_fitted,
    said_by,
)

Said = Sequence[int | None]
MEASURES = ("f1", "accuracy_wrong", "accuracy_right", "exact")
# Where one half of the problems has nothing to fit a rule on.
NO_FIGURES: dict[str, Any] = dict.fromkeys([*metric([], []), "intervals"])


def figures(said: Said, rows: Sequence[JudgedSolution]) -> dict[str, Any]:
    """The metric of what was said of each solution, and the interval of each of its shares."""
    sums = sums_by_problem(said, [row.truth for row in rows], [row.problem for row in rows])
    return {**metric(said, [row.truth for row in rows]), "intervals": intervals_of(shares, sums)}


def intervals_of(statistics: Any, *sums: NDArray[np.int64]) -> dict[str, list[float] | None]:
    """The interval of each measure, by the same draws of problems; None where it is mostly undefined."""
    found = bootstrap_intervals(statistics, *sums) or [None] * len(MEASURES)
    return {name: ends and list(ends) for name, ends in zip(MEASURES, found, strict=True)}


def sums_by_problem(said: Said, truths: Said, problems: Sequence[str]) -> NDArray[np.int64]:
    """Of each problem, in the order of names: solutions with a mistake, exact ones of them, those without one, exact
    ones of these; shape [problems, 4]."""
    names, places = np.unique(np.array(problems, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), 4), dtype=np.int64)
    for place, one, truth in zip(places, said, truths, strict=True):
        column = 2 * (truth is None)
        sums[place, column] += 1
        sums[place, column + 1] += one == truth
    return sums


def shares(sums: NDArray[np.int64]) -> tuple[float | None, ...]:
    """The measures of a draw of problems; None for what no solution in it shows."""
    count_wrong, exact_wrong, count_right, exact_right = map(int, sums.sum(axis=0))
    wrong = exact_wrong / count_wrong if count_wrong else None
    right = exact_right / count_right if count_right else None
    f1 = None if wrong is None or right is None else harmonic(wrong, right)
    return f1, wrong, right, (exact_wrong + exact_right) / (count_wrong + count_right)


def held_out(judged: Judged) -> dict[str, Any]:
    """ProcessBench's figures with the threshold from other problems."""
    said = by_other_half(judged)
    if said is None:
        return {"threshold_chosen_on": None, **NO_FIGURES}
    return {"threshold_chosen_on": OTHER_HALF, **figures(said, judged.rows)}


def unseen(
    judged: Judged, known: Collection[str], other: Judged | None, other_name: str | None
) -> dict[str, Any]:
    """How many solutions are of problems that the model was trained on, and the others' figures: cross-fitted, and by
    the most likely first mistake. Neither is chosen or calibrated on a problem that it was trained on.
    """
    others = judged.not_of(known)
    beside = other and other.not_of(known)
    found = held_out(others) | {"count": len(others.rows)}
    is_measured = others.rows and (beside is None or beside.rows)
    likely = most_likely(others, beside, other_name) if is_measured else None
    return {
        "of_training_problems": len(judged.rows) - len(others.rows),
        "unseen": {**found, "most_likely": likely},
    }


def most_likely(judged: Judged, other: Judged | None, other_name: str | None) -> dict[str, Any]:
    """The rule without a threshold; the same with the share of mistakes that the scores speak for, and with the share
    of wrong answers, and with each answer, where known."""

    def measured(rule: Rule, rows: Sequence[JudgedSolution]) -> dict[str, Any] | None:
        said = said_by(rule(other), rows) if other else cross_fitted(judged, rule, rows)
        return None if said is None else figures(said, rows)

    alone, known = measured(by_chance(lambda likely, _: 1.0), judged.rows), judged.with_known_answer()
    told: dict[str, Any] = {
        "calibrated_on": other_name if other else alone and OTHER_HALF,
        **(alone or NO_FIGURES),
        "by_scores": _by_scores(judged, other),
        "with_share": None,
        "with_answers": None,
    }
    if known and (other or judged).with_known_answer():
        wrong = sum(not row.is_correct for row in known) / len(known)
        shared = measured(by_chance(lambda likely, _: likely.odds_knowing_share(wrong)), known)
        told["with_share"] = shared and {"wrong_answers": wrong, **shared}
        told["with_answers"] = measured(by_chance(MostLikely.odds_knowing), known)
    return told


def _by_scores(judged: Judged, other: Judged | None) -> dict[str, Any] | None:
    """Each half of the problems has a share of its own where the other half is what is known."""
    if other:
        return figures(said_by(by_shifted_chance(other, judged.rows), judged.rows), judged.rows)

    def rule(half: Judged) -> Predict:
        return by_shifted_chance(half, [row for row in judged.rows if row.half != half.rows[0].half])

    said = cross_fitted(judged, rule)
    return None if said is None else figures(said, judged.rows)
