"""People against a machine (or each other): where is the first mistake of each solution?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml.agreement.chance import cohen_kappa
from ml.agreement.columns import Booleans, Integers, paired
from ml.agreement.intervals import clustered_interval

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
    rows, columns = paired(encode(people), encode(machine))
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
    people: Sequence[int | None] | ArrayLike,
    machine: Sequence[int | None] | ArrayLike,
    solutions: ArrayLike | None = None,
) -> FirstMistakeAgreement | None:
    """Agreement of n pairs of looks; None where n is 0. solutions: the number of the one that each pair is of, all
    different ones if left out.
    """
    first, second = paired(encode(people), encode(machine))
    if not len(first):
        return None
    exact = first == second
    return FirstMistakeAgreement(
        count=len(first),
        exact=float(exact.mean()),
        exact_interval=clustered_interval(exact, np.arange(len(first)) if solutions is None else solutions),
        within_one=float(within_one(first, second).mean()),
        bias=step_bias(first, second),
        kappa=cohen_kappa(first, second),
    )


def within_one(people: ArrayLike, machine: ArrayLike) -> Booleans:
    """Per solution: both "none", or both a mistake at most a step apart."""
    first, second = paired(encode(people), encode(machine))
    both_found = (first != NONE) & (second != NONE)
    return (first == second) | (both_found & (np.abs(first - second) <= 1))


def step_bias(people: ArrayLike, machine: ArrayLike) -> float | None:
    """Mean of machine - people in steps, where both found a mistake; None where that is nowhere."""
    first, second = paired(encode(people), encode(machine))
    both_found = (first != NONE) & (second != NONE)
    return float((second - first)[both_found].mean()) if both_found.any() else None
