"""Fusion: each annotator and the search are noisy witnesses of the first mistake (Dawid and Skene, 1979).

The hidden truth of a solution with K steps is one of K + 1 places: a first mistake at 0 .. K-1, or none (K).
A witness has three error rates: `false_alarm` (names a step although none is wrong; any step alike), `miss`
(says "none" although a step is wrong) and `exact` (names the right step, given that it names one; otherwise
any other step alike). Expectation-maximisation finds the rates without gold; gold items, where there are any,
hold their truth fixed. Whether the final answer was right is evidence as well: correct steps cannot end in a
wrong answer, and a wrong process ends right only with the probability `lucky`, which is estimated too.

The search testifies step by step: the share of its rollouts that end right falls into one of five classes,
and each class has a probability behind a right prefix and behind a wrong one, both estimated. A verdict
alone would not do: of two witnesses who name different steps, nothing says who is right, but a share that
falls to nothing and stays there says where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Witnessed:
    """One solution: its number of steps and what each witness named (a step, or None for "no mistake").

    answer_correct: whether its final answer was right, None if unknown or if it should not count.
    truth, has_truth: a gold item's known first mistake.
    shares: per step the share of right rollouts behind it, None where there is no estimate.
    """

    step_count: int
    verdicts: Mapping[str, int | None]
    answer_correct: bool | None = None
    truth: int | None = None
    has_truth: bool = False
    shares: Sequence[float | None] = ()


@dataclass(frozen=True)
class WitnessRates:
    """One witness's error rates, each in (0, 1)."""

    false_alarm: float
    miss: float
    exact: float


@dataclass(frozen=True)
class Fusion:
    """The fitted model. `places[i]` has shape [K_i + 1]: P(first mistake at k), last entry P(none).

    share_table: P(class of share | prefix right, prefix wrong), shape [2, SHARE_CLASSES].
    """

    places: list[Array]
    rates: dict[str, WitnessRates]
    mistake_rate: float
    lucky: float
    share_table: Array
    log_likelihood: list[float]

    def correct_through(self, index: int) -> list[float]:
        """P(no mistake up to and with step k) for each step of one item: shape [K]."""
        return [float(value) for value in np.clip(1.0 - np.cumsum(self.places[index][:-1]), 0.0, 1.0)]


# Beta(a, b) priors as pseudo-counts: a witness is presumed decent until the data say otherwise. Without a
# prior, two witnesses can swap the meaning of "mistake" and "none".
PRIOR = {"false_alarm": (1.0, 4.0), "miss": (1.0, 4.0), "exact": (4.0, 1.0)}
ANSWER_NOISE = 1e-3
# Classes of the share of right rollouts: none, up to a quarter, a half, three quarters, and above.
SHARE_EDGES = (0.0, 0.25, 0.5, 0.75)
SHARE_CLASSES = len(SHARE_EDGES) + 1
# Behind a right prefix any share is possible, behind a wrong one few rollouts come right.
SHARE_PRIOR = np.array([[1.0, 1.0, 1.0, 1.0, 1.0], [8.0, 1.0, 0.5, 0.25, 0.25]])


def fuse(items: Sequence[Witnessed], iterations: int = 100, tolerance: float = 1e-7) -> Fusion:
    """Fit by expectation-maximisation; deterministic. Items without any witness keep the prior."""
    names = sorted({name for item in items for name in item.verdicts})
    rates = {name: WitnessRates(0.2, 0.2, 0.8) for name in names}
    mistake_rate, lucky = 0.5, 0.1
    table = SHARE_PRIOR / SHARE_PRIOR.sum(1, keepdims=True)
    trace: list[float] = []
    places: list[Array] = []
    for _ in range(iterations):
        places, log_likelihood = _expect(items, rates, mistake_rate, lucky, table)
        trace.append(log_likelihood)
        rates = {name: _witness_rates(name, items, places) for name in names}
        wrong = sum(1.0 - float(place[-1]) for place in places)
        mistake_rate = (wrong + 1.0) / (len(items) + 2.0)
        lucky = _lucky(items, places)
        table = _share_table(items, places)
        if len(trace) > 1 and abs(trace[-1] - trace[-2]) < tolerance * max(1.0, abs(trace[-1])):
            break
    return Fusion(places, rates, mistake_rate, lucky, table, trace)


def verdict_likelihood(verdict: int | None, step_count: int, rates: WitnessRates) -> Array:
    """P(verdict | truth) for each of the K + 1 places: shape [K + 1]."""
    chances = np.empty(step_count + 1)
    if verdict is None:
        chances[:-1] = rates.miss
        chances[-1] = 1.0 - rates.false_alarm
        return chances
    # With a single step there is no other step to name, so a named step is the right one.
    exact = rates.exact if step_count > 1 else 1.0
    chances[:-1] = (1.0 - rates.miss) * (1.0 - exact) / max(step_count - 1, 1)
    chances[verdict] = (1.0 - rates.miss) * exact
    chances[-1] = rates.false_alarm / step_count
    return chances


def share_class(share: float) -> int:
    """0 for no right rollout at all, then by quarters."""
    return int(np.searchsorted(SHARE_EDGES, share, side="left"))


def shares_log_likelihood(shares: Sequence[float | None], step_count: int, table: Array) -> Array:
    """log P(all shares | truth) for each of the K + 1 places: shape [K + 1].

    With the first mistake at t, the prefixes through steps 0 .. t-1 are right and those from t on are wrong.
    """
    logs = np.zeros((2, step_count))
    for k, share in enumerate(shares[:step_count]):
        if share is not None:
            logs[:, k] = np.log(table[:, share_class(share)])
    right = np.concatenate([[0.0], np.cumsum(logs[0])])
    wrong = np.concatenate([np.cumsum(logs[1][::-1])[::-1], [0.0]])
    return np.asarray(right + wrong, dtype=np.float64)


def _share_table(items: Sequence[Witnessed], places: Sequence[Array]) -> Array:
    """Expected counts of the classes behind right and wrong prefixes, with the prior's pseudo-counts."""
    counts = SHARE_PRIOR.copy()
    for item, place in zip(items, places, strict=True):
        wrong = np.cumsum(place[:-1])
        for k, share in enumerate(item.shares[: item.step_count]):
            if share is not None:
                counts[:, share_class(share)] += (1.0 - wrong[k], wrong[k])
    return np.asarray(counts / counts.sum(1, keepdims=True), dtype=np.float64)


def _expect(
    items: Sequence[Witnessed],
    rates: Mapping[str, WitnessRates],
    mistake_rate: float,
    lucky: float,
    table: Array,
) -> tuple[list[Array], float]:
    places, log_likelihood = [], 0.0
    for item in items:
        count = item.step_count
        weights = np.full(count + 1, mistake_rate / count)
        weights[-1] = 1.0 - mistake_rate
        for name, verdict in item.verdicts.items():
            weights *= verdict_likelihood(verdict, count, rates[name])
        logs = shares_log_likelihood(item.shares, count, table)
        # Many shares would underflow: the largest place counts as 1 here, and in full in the log-likelihood.
        weights *= np.exp(logs - logs.max())
        if item.answer_correct is not None:
            right = item.answer_correct
            weights[:-1] *= lucky if right else 1.0 - lucky
            weights[-1] *= 1.0 - ANSWER_NOISE if right else ANSWER_NOISE
        if item.has_truth:
            known = np.zeros(count + 1)
            known[count if item.truth is None else item.truth] = 1.0
            weights *= known
        total = float(weights.sum())
        log_likelihood += float(np.log(total) + logs.max())
        places.append(weights / total)
    return places, log_likelihood


def _witness_rates(name: str, items: Sequence[Witnessed], places: Sequence[Array]) -> WitnessRates:
    """The rates' posterior means given the expected truth."""
    counts = {key: list(pseudo) for key, pseudo in PRIOR.items()}
    for item, place in zip(items, places, strict=True):
        if name not in item.verdicts:
            continue
        verdict, wrong = item.verdicts[name], 1.0 - float(place[-1])
        named = verdict is not None
        counts["false_alarm"][0 if named else 1] += 1.0 - wrong
        counts["miss"][1 if named else 0] += wrong
        if verdict is not None and item.step_count > 1:
            counts["exact"][0] += float(place[verdict])
            counts["exact"][1] += wrong - float(place[verdict])
    return WitnessRates(**{key: yes / (yes + no) for key, (yes, no) in counts.items()})


def _lucky(items: Sequence[Witnessed], places: Sequence[Array]) -> float:
    """P(right final answer | a step is wrong), with a weak prior of one in ten."""
    lucky, wrong = 1.0, 10.0
    for item, place in zip(items, places, strict=True):
        if item.answer_correct is not None:
            wrong += 1.0 - float(place[-1])
            lucky += (1.0 - float(place[-1])) * item.answer_correct
    return lucky / wrong
