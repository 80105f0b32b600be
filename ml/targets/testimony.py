"""What each kind of evidence says of the place of a first mistake: likelihoods over a solution's K + 1 places.

All solutions of K steps are looked at together: N of them, each with a place of 0 .. K-1, or K for "no mistake".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# Where a witness, an estimate, an answer or the truth is not known.
ABSENT = -1
ANSWER_NOISE = 1e-3
# Classes of the share of right rollouts: none, up to a quarter, a half, three quarters, and above.
SHARE_EDGES = (0.0, 0.25, 0.5, 0.75)
SHARE_CLASSES = len(SHARE_EDGES) + 1
# The first step, those between, the last one.
FIRST, BETWEEN, LAST = 0, 1, 2


@dataclass(frozen=True)
class WitnessRates:
    """One witness's error rates, each in (0, 1)."""

    false_alarm: float
    miss: float
    exact: float


def verdict_table(step_count: int, rates: WitnessRates) -> Array:
    """P(verdict | truth), shape [K + 1 verdicts, K + 1 truths]; each column adds up to one."""
    # With a single step there is no other step to name, so a named step is the right one.
    exact = rates.exact if step_count > 1 else 1.0
    table = np.full(
        (step_count + 1, step_count + 1), (1.0 - rates.miss) * (1.0 - exact) / max(step_count - 1, 1)
    )
    np.fill_diagonal(table, (1.0 - rates.miss) * exact)
    table[:, -1] = rates.false_alarm / step_count
    table[-1, :] = rates.miss
    table[-1, -1] = 1.0 - rates.false_alarm
    return table


def verdicts_log_likelihood(verdicts: Whole, step_count: int, rates: WitnessRates) -> Array:
    """log P(verdict | truth) of each solution, shape [N, K + 1]; nothing where the witness is absent."""
    logs = np.log(verdict_table(step_count, rates))[verdicts]
    return np.where((verdicts == ABSENT)[:, None], 0.0, logs)


def share_class(share: float | None) -> int:
    """0 for no right rollout at all, then by quarters; ABSENT for no estimate."""
    return ABSENT if share is None else bisect_left(SHARE_EDGES, share)


def shares_log_likelihood(classes: Whole, table: Array) -> Array:
    """log P(all shares of a solution | its reach, truth), shape [N, R, K + 1].

    classes: [N, K]; table: P(class | prefix right) for each of R reaches, and below them P(class | prefix wrong),
    [R + 1, SHARE_CLASSES]. With the first mistake at t, the prefixes through steps 0 .. t-1 are right and those from
    t on are wrong.
    """
    padded = np.concatenate([np.log(table), np.zeros((len(table), 1))], axis=1)
    *reaches, wrong = padded[:, classes]
    right = np.stack(reaches, axis=1)
    nothing = np.zeros((*right.shape[:2], 1))
    before = np.concatenate([nothing, np.cumsum(right, axis=2)], axis=2)
    behind = np.concatenate([np.cumsum(wrong[:, ::-1], axis=1)[:, ::-1], nothing[:, 0]], axis=1)
    return np.asarray(before + behind[:, None], dtype=np.float64)


def answers_log_likelihood(answers: Whole, step_count: int, lucky: float) -> Array:
    """log P(final answer right or wrong | truth), shape [N, K + 1]; nothing where the answer is not known."""
    chances = np.empty((2, step_count + 1))
    chances[0], chances[1] = 1.0 - lucky, lucky
    chances[:, -1] = ANSWER_NOISE, 1.0 - ANSWER_NOISE
    return np.where((answers == ABSENT)[:, None], 0.0, np.log(chances)[answers])


def kinds_of_place(step_count: int) -> Whole:
    """FIRST, BETWEEN or LAST of each of K steps; a single step is the last one."""
    kinds = np.full(step_count, BETWEEN)
    kinds[0], kinds[-1] = FIRST, LAST
    return kinds


def place_prior(step_count: int, place_rates: Sequence[float] | Array) -> Array:
    """P(first mistake at k | some step is wrong), shape [K]: steps between the first and the last share alike."""
    kinds = kinds_of_place(step_count)
    prior = np.asarray(place_rates)[kinds] / np.bincount(kinds, minlength=3)[kinds]
    return np.asarray(prior / prior.sum(), dtype=np.float64)
