"""From evidence to figures, through `ml.agreement`. Nothing here touches the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from labelsite.comparison.evidence import NO_BIAS, NONE, UNKNOWN, Integers, Judgements, RatedSteps
from labelsite.comparison.exits import Exits
from ml.agreement import (
    FirstMistakeAgreement,
    Reliability,
    RocCurve,
    auc,
    cohen_kappa,
    compare_first_mistakes,
    first_mistake_confusion,
    krippendorff_alpha,
    percent_agreement,
    reliability,
    roc_curve,
    wilson_interval,
)

# Columns of the heatmap: positions from here on are shown together.
POSITIONS_SHOWN = 12
# Pairs of people with fewer common solutions say nothing yet.
FEWEST_COMMON = 5
PAIRS_SHOWN = 60
MOST_STEPS = 8


@dataclass(frozen=True, slots=True)
class StepFigures:
    """Rollouts against ratings, step by step. Each measure is None where the data leave it undefined."""

    count: int
    kappa: float | None
    auc: float | None
    roc: RocCurve | None
    reliability: Reliability | None


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """One annotator's row. Shares are in [0, 1]; bias in steps, positive is late; seconds is the median.

    looks: those with a verdict. gold_seen: all looks at gold items; known_seen: at every solution whose first mistake
    is known, so at gold items too (`annotations.known_answers`). timed: looks of which the time is known.
    """

    annotator: int
    looks: int
    steps: int
    mistakes: int
    bad_problems: int
    give_ups: int
    gold_seen: int
    gold_accuracy: float | None
    gold_interval: tuple[float, float]
    known_seen: int
    known_accuracy: float | None
    gold_bias: float | None
    timed: int
    seconds: float | None
    machine_agreement: float | None
    machine_count: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people on the solutions that both looked at."""

    first: int
    second: int
    common: int
    exact: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class PeopleFigures:
    """People against people: nominal alpha over first mistakes, and the pairs with most in common.

    differ: solutions on which not everybody who looked names the same step.
    """

    solutions_shared: int
    differ: int
    alpha: float | None
    percent: float | None
    pairs: list[Pair] = field(default_factory=list)


def compared(looks: Judgements) -> Judgements:
    """The looks at solutions of which the run says where the first mistake is, or that there is none."""
    return looks.where(looks.machine != UNKNOWN)


def first_mistakes(looks: Judgements) -> FirstMistakeAgreement | None:
    """People's first mistakes against the run's."""
    return compare_first_mistakes(looks.first, looks.machine, looks.place)


def confusion(looks: Judgements) -> Integers:
    """Counts, rows people, columns the run; the last of each is "none", the one before it "further on"."""
    width = min(POSITIONS_SHOWN, int(max(looks.first.max(initial=-1), looks.machine.max(initial=-1))) + 1)
    return first_mistake_confusion(
        np.minimum(looks.first, width - 1), np.minimum(looks.machine, width - 1), positions=width
    )


def unmarked(looks: Judgements) -> int:
    """How many solutions have a wrong answer although nobody who looked marked a mistake."""
    marked = np.bincount(looks.place, weights=looks.first != NONE)
    wrong = np.bincount(looks.place, weights=looks.is_correct == 0)
    return int(((marked == 0) & (wrong > 0)).sum())


def offsets(looks: Judgements) -> list[tuple[str, int]]:
    """How many steps the run is early (-) or late (+), where both found a mistake; the ends are open."""
    both = (looks.first != NONE) & (looks.machine != NONE)
    away = np.clip((looks.machine - looks.first)[both], -MOST_STEPS, MOST_STEPS)
    counts = np.bincount(away + MOST_STEPS, minlength=2 * MOST_STEPS + 1)
    used = np.flatnonzero(counts)
    if not len(used):
        return []
    first = min(int(used[0]) - MOST_STEPS, -2)
    last = max(int(used[-1]) - MOST_STEPS, 2)
    names = [_offset_name(step) for step in range(first, last + 1)]
    return list(zip(names, counts[MOST_STEPS + first : MOST_STEPS + last + 1].tolist(), strict=True))


def _offset_name(step: int) -> str:
    """A number of steps as the chart names it: at an end, those further away count as well."""
    if not step:
        return "0"
    end = {-MOST_STEPS: "≤", MOST_STEPS: "≥"}.get(step, "")
    return f"{end}{step:+d}".replace("-", "−")


def step_figures(steps: RatedSteps, threshold: float = 0.0) -> StepFigures:
    """Kappa of right against wrong, ROC of Q, and how literally the share of right rollouts can be taken.

    A step counts as wrong for the run when the share of right rollouts through it is not above `threshold`.
    """
    if not steps.total:
        return StepFigures(0, None, None, None, None)
    known = ~np.isnan(steps.soft)
    soft, is_right, count = steps.soft[known], steps.is_right[known], steps.count[known]
    return StepFigures(
        count=steps.total,
        kappa=cohen_kappa(is_right, soft > threshold, counts=count),
        auc=auc(steps.q_value, steps.is_right, steps.count),
        roc=roc_curve(steps.q_value, steps.is_right, steps.count),
        reliability=reliability(soft, is_right, counts=count),
    )


def by_person(
    looks: Judgements, exits: Mapping[int, Exits] | None = None, beside: Judgements | None = None
) -> list[PersonFigures]:
    """One row an annotator, the busiest first; also for who only reported problems or gave up.

    beside: the looks that are compared with the run, where that is not all of `looks`.
    """
    exits = exits or {}
    agreement = _agreement_with_the_run(looks if beside is None else beside)
    people, counts = np.unique(looks.annotator, return_counts=True)
    order = np.argsort(looks.annotator, kind="stable")
    ends = np.cumsum(counts)
    of_each = {
        int(person): looks.where(order[end - count : end])
        for person, count, end in zip(people, counts, ends, strict=True)
    }
    nothing = looks.where(np.zeros(len(looks), dtype=bool))
    rows = [
        _person(
            person,
            of_each.get(person, nothing),
            exits.get(person, Exits()),
            agreement.get(person, (None, 0)),
        )
        for person in [*of_each, *sorted(set(exits) - set(of_each))]
    ]
    return sorted(rows, key=lambda row: -row.looks)


def _agreement_with_the_run(looks: Judgements) -> dict[int, tuple[float | None, int]]:
    """Of each annotator, the share of looks that name the run's first mistake, and of how many."""
    both = compared(looks)
    people, code = np.unique(both.annotator, return_inverse=True)
    counts, same = np.bincount(code), np.bincount(code, both.first == both.machine)
    return {
        int(person): (float(hits / count), int(count))
        for person, hits, count in zip(people, same, counts, strict=True)
    }


def _person(
    annotator: int, looks: Judgements, exits: Exits, agreement: tuple[float | None, int]
) -> PersonFigures:
    known = looks.in_gold[looks.in_gold >= 0]
    gold = looks.in_gold[(looks.in_gold >= 0) & (looks.is_item == 1)]
    gold_seen, known_seen = len(gold) + exits.gold, len(known) + exits.known
    bias = looks.gold_bias[looks.gold_bias != NO_BIAS]
    times = looks.milliseconds[looks.milliseconds >= 0]
    return PersonFigures(
        annotator=annotator,
        looks=len(looks),
        steps=int(looks.length.sum()),
        mistakes=int((looks.first != NONE).sum()),
        bad_problems=exits.bad_problems,
        give_ups=exits.give_ups,
        gold_seen=gold_seen,
        gold_accuracy=float(gold.sum()) / gold_seen if gold_seen else None,
        gold_interval=wilson_interval(int(gold.sum()), gold_seen),
        known_seen=known_seen,
        known_accuracy=float(known.sum()) / known_seen if known_seen else None,
        gold_bias=float(bias.mean()) if len(bias) else None,
        timed=len(times),
        seconds=float(np.median(times)) / 1000 if len(times) else None,
        machine_agreement=agreement[0],
        machine_count=agreement[1],
    )


def between_people(looks: Judgements) -> PeopleFigures:
    """Alpha over every solution with at least two looks, and each pair with enough in common."""
    counts = np.bincount(looks.place)
    shared = looks.where(counts[looks.place] >= 2)
    pairs = sorted(_pairs(shared), key=lambda pair: -pair.common)[:PAIRS_SHOWN]
    return PeopleFigures(
        solutions_shared=int((counts >= 2).sum()),
        differ=_differ(shared),
        alpha=krippendorff_alpha(shared.task, shared.first) if len(shared) else None,
        percent=percent_agreement(shared.task, shared.first) if len(shared) else None,
        pairs=pairs,
    )


def _differ(shared: Judgements) -> int:
    """How many of these solutions have two looks that name different steps."""
    order = np.lexsort((shared.first, shared.place))
    place, first = shared.place[order], shared.first[order]
    return len(np.unique(place[1:][(place[1:] == place[:-1]) & (first[1:] != first[:-1])]))


def _pairs(shared: Judgements) -> Iterator[Pair]:
    """Every two people with enough solutions in common, from all looks at once: the looks at each solution stand
    together, and each is compared with the next one, the one after that, and so on.
    """
    looks = shared.where(np.lexsort((shared.annotator, shared.place)))
    people, code = np.unique(looks.annotator, return_inverse=True)
    ones, others = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
    apart = 1
    while len(same := np.flatnonzero(looks.place[apart:] == looks.place[:-apart])):
        ones, others, apart = [*ones, same], [*others, same + apart], apart + 1
    one, other = np.concatenate(ones), np.concatenate(others)
    pair = code[one] * len(people) + code[other]
    order = np.argsort(pair, kind="stable")
    for common in np.split(order, np.flatnonzero(np.diff(pair[order])) + 1):
        if len(common) >= FEWEST_COMMON:
            a, b = looks.first[one[common]], looks.first[other[common]]
            first, second = divmod(int(pair[common[0]]), len(people))
            yield Pair(
                int(people[first]),
                int(people[second]),
                len(common),
                float((a == b).mean()),
                cohen_kappa(a, b),
            )
