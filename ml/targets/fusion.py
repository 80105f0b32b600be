"""Fusion: each annotator and the search are noisy witnesses of the first mistake (Dawid and Skene, 1979).

The hidden truth of a solution with K steps is one of K + 1 places: a first mistake at 0 .. K-1, or none (K).
A witness has three error rates: `false_alarm` (names a step although none is wrong; any step alike), `miss`
(says "none" although a step is wrong) and `exact` (names the right step, given that it names one; otherwise
any other step alike). Expectation-maximisation finds the rates without gold; gold items, where there are any,
hold their truth fixed. Whether the final answer was right is evidence as well: correct steps cannot end in a
wrong answer, and a wrong process ends right only with the probability `lucky`, which is estimated too.

How often the first mistake is a solution's first step, its last, or one between is estimated with the rest, from
solutions of three steps or more. Taken to be alike, it misleads: where most solutions fail at their end, an annotator
who names any other step then passes for a good witness, and a search that proves the steps before it right for a bad
one.

The search testifies step by step: the share of its rollouts that end right falls into one of five classes,
and each class has a probability behind a right prefix and behind a wrong one, both estimated. A verdict
alone would not do: of two witnesses who name different steps, nothing says who is right, but a share that
falls to nothing and stays there says where.

How far the search's policy reaches is hidden too, and mostly the problem's own (`ml.targets.reach`): beyond its reach,
at the edge of it, or well within, each with its own shares behind a right prefix, all estimated. Without it, the steps
of a problem that the policy cannot solve would be taken for as many independent proofs that the first step is wrong,
and outvote any number of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.errors import MisstepError
from ml.targets.reach import REACHES, Reach, ReachRates, normalised
from ml.targets.testimony import (
    ABSENT,
    SHARE_CLASSES,
    Array,
    Whole,
    WitnessRates,
    answers_log_likelihood,
    kinds_of_place,
    place_prior,
    share_class,
    shares_log_likelihood,
    verdicts_log_likelihood,
)


@dataclass(frozen=True)
class Witnessed:
    """One solution: its number of steps and what each witness named (a step, or None for "no mistake").

    answer_correct: whether its final answer was right, None if unknown or if it should not count.
    truth, has_truth: a gold item's known first mistake.
    shares: per step the share of right rollouts behind it, None where there is no estimate.
    problem: which problem it solves, None for one of its own.
    """

    step_count: int
    verdicts: Mapping[str, int | None]
    answer_correct: bool | None = None
    truth: int | None = None
    has_truth: bool = False
    shares: Sequence[float | None] = ()
    problem: str | None = None

    def __post_init__(self) -> None:
        if self.step_count < 1:
            raise MisstepError(f"a solution of {self.step_count} steps, expected at least one")


@dataclass(frozen=True)
class Rates:
    """All that is estimated. witnesses: each one's error rates. mistake: P(some step is wrong). lucky: P(right
    answer | some step is wrong). places: P(first mistake at the first step, between, at the last | some step is
    wrong), for three steps or more. reaches: how far the policy reaches. shares: P(class of share | prefix right) for
    each reach of a solution, and last P(class of share | prefix wrong), [REACHES + 1, SHARE_CLASSES].
    """

    witnesses: Mapping[str, WitnessRates]
    mistake: float
    lucky: float
    places: Array
    reaches: ReachRates
    shares: Array


@dataclass(frozen=True)
class Fusion:
    """The fitted model. `places[i]` has shape [K_i + 1]: P(first mistake at k), last entry P(none)."""

    places: list[Array]
    rates: Rates
    log_likelihood: list[float]

    def correct_through(self, index: int) -> list[float]:
        """P(no mistake up to and with step k) for each step of one item: shape [K]."""
        # Summed from behind: 1 less what comes before would leave rounding alone where little is left.
        behind = np.cumsum(self.places[index][:0:-1])[::-1]
        return [float(value) for value in np.clip(behind, 0.0, 1.0)]


# Beta(a, b) priors as pseudo-counts: a witness is presumed decent until the data say otherwise. Without a
# prior, two witnesses can swap the meaning of "mistake" and "none".
PRIOR = {"false_alarm": (1.0, 4.0), "miss": (1.0, 4.0), "exact": (4.0, 1.0)}
# Behind a right prefix beyond the policy's reach as few rollouts come right as behind a wrong one (last row), and the
# more the further it reaches.
_HARDLY_ANY = (8.0, 1.0, 0.5, 0.25, 0.25)
SHARE_PRIOR = np.array(
    [_HARDLY_ANY, (2.0, 4.0, 2.0, 1.0, 1.0), (1.0, 1.0, 2.0, 3.0, 3.0), _HARDLY_ANY],
)
# How many solutions it takes to outweigh the presumption that any step is as often the first mistake as another.
PLACE_WEIGHT = 20.0


@dataclass(frozen=True)
class _Alike:
    """The solutions of one number of steps. where: [N], their places among all items. The rest is ABSENT where
    nothing is known. verdicts: [N] for each witness, and truths: [N], both K for "no mistake"; classes: [N, K], of
    the shares; answers: [N], 1 for right."""

    step_count: int
    where: Whole
    verdicts: Mapping[str, Whole]
    truths: Whole
    classes: Whole
    answers: Whole


def fuse(items: Sequence[Witnessed], iterations: int = 500) -> Fusion:
    """Fit by expectation-maximisation; deterministic. Items without any witness keep the prior."""
    names = sorted({name for item in items for name in item.verdicts})
    groups = [_alike(items, count, names) for count in sorted({item.step_count for item in items})]
    reach = _reach(items, groups)
    decent = {name: WitnessRates(0.2, 0.2, 0.8) for name in names}
    shares = SHARE_PRIOR / SHARE_PRIOR.sum(1, keepdims=True)
    rates = Rates(
        decent,
        mistake=0.5,
        lucky=0.1,
        places=_as_if_any_step_alike(groups),
        reaches=ReachRates.presumed(),
        shares=shares,
    )
    trace: list[float] = []
    found: list[Array] = []
    for _ in range(iterations):
        found, reaches, log_likelihood = _expect(groups, reach, rates)
        trace.append(log_likelihood)
        rates = _maximise(groups, found, reaches, names)
        if len(trace) > 1 and abs(trace[-1] - trace[-2]) < 1e-7 * max(1.0, abs(trace[-1])):
            break
    ordered: list[Array] = [np.empty(0)] * len(items)
    for group, joint in zip(groups, found, strict=True):
        places = joint.sum(1)
        # What is known for sure is to be exactly 1.
        for index, place in zip(group.where, places / places.sum(1, keepdims=True), strict=True):
            ordered[index] = place
    return Fusion(ordered, rates, trace)


def _alike(items: Sequence[Witnessed], count: int, names: Sequence[str]) -> _Alike:
    chosen = [(index, item) for index, item in enumerate(items) if item.step_count == count]
    own = [item for _, item in chosen]

    def place(step: int | None) -> int:
        if step is not None and not 0 <= step < count:
            raise MisstepError(
                f"a first mistake at step {step} of a solution of {count} steps, counted from 0"
            )
        return count if step is None else step

    # Most witnesses saw few of the solutions.
    verdicts = {name: np.full(len(own), ABSENT) for name in names}
    for index, item in enumerate(own):
        for name, said in item.verdicts.items():
            verdicts[name][index] = place(said)
    return _Alike(
        count,
        np.array([index for index, _ in chosen]),
        verdicts,
        np.array([place(item.truth) if item.has_truth else ABSENT for item in own]),
        np.array([[share_class(s) for s in (*item.shares, *[None] * count)][:count] for item in own]),
        np.array([ABSENT if item.answer_correct is None else int(item.answer_correct) for item in own]),
    )


def _as_if_any_step_alike(groups: Sequence[_Alike]) -> Array:
    """The kinds of place as often as steps are of them, in solutions of three steps or more."""
    kinds = np.zeros(3)
    for group in groups:
        if group.step_count > 2:
            of_each = np.bincount(kinds_of_place(group.step_count), minlength=3)
            kinds += of_each / group.step_count * len(group.where)
    return np.asarray(kinds / kinds.sum() if kinds.any() else np.full(3, 1 / 3), dtype=np.float64)


def _reach(items: Sequence[Witnessed], groups: Sequence[_Alike]) -> Reach:
    """Of all items, in the groups' order."""
    names = [items[index].problem for group in groups for index in group.where]
    searched = [(group.classes != ABSENT).any(1) for group in groups]
    return Reach.of(names, np.concatenate([np.zeros(0, dtype=bool), *searched]))


def _expect(groups: Sequence[_Alike], reach: Reach, rates: Rates) -> tuple[list[Array], ReachRates, float]:
    """P(reach, place | everything) of each group's solutions, [N, REACHES, K + 1]; the rates of reach anew; and the
    log-likelihood of all.
    """
    found = [normalised(_log_joint(group, rates)) for group in groups]
    said = np.concatenate([np.zeros((0, REACHES)), *(of_reach for _, of_reach in found)])
    levels, log_likelihood, anew = reach.weigh(said, rates.reaches)
    ends = np.cumsum([len(group.where) for group in groups])[:-1]
    by_group = np.split(levels, ends) if groups else []
    joint = [places * own[:, :, None] for (places, _), own in zip(found, by_group, strict=True)]
    return joint, anew, log_likelihood


def _log_joint(group: _Alike, rates: Rates) -> Array:
    """log P(place, all that was said of the solution | its reach), [N, REACHES, K + 1]."""
    count = group.step_count
    logs = np.zeros((len(group.where), count + 1))
    logs += np.log(np.append(rates.mistake * place_prior(count, rates.places), 1.0 - rates.mistake))
    for name, verdicts in group.verdicts.items():
        logs += verdicts_log_likelihood(verdicts, count, rates.witnesses[name])
    logs += answers_log_likelihood(group.answers, count, rates.lucky)
    known = group.truths != ABSENT
    elsewhere = np.arange(count + 1) != group.truths[:, None]
    logs[known[:, None] & elsewhere] = -np.inf
    return logs[:, None] + shares_log_likelihood(group.classes, rates.shares)


def _maximise(
    groups: Sequence[_Alike], found: Sequence[Array], reaches: ReachRates, names: Sequence[str]
) -> Rates:
    """The rates' posterior means given the expected truth."""
    kinds = PLACE_WEIGHT * _as_if_any_step_alike(groups)
    shares = SHARE_PRIOR.copy()
    wrong = lucky = judged = 0.0
    for group, joint in zip(groups, found, strict=True):
        places = joint.sum(1)
        in_error = 1.0 - places[:, -1]
        wrong += float(in_error.sum())
        judged += float(in_error[group.answers != ABSENT].sum())
        lucky += float(in_error[group.answers == 1].sum())
        if group.step_count > 2:
            kinds += np.bincount(kinds_of_place(group.step_count), places[:, :-1].sum(0), minlength=3)
        prefix_wrong = np.cumsum(joint[:, :, :-1], axis=2)
        prefix_right = joint.sum(2)[:, :, None] - prefix_wrong
        for share in range(SHARE_CLASSES):
            of_share = group.classes == share
            shares[:-1, share] += (prefix_right * of_share[:, None]).sum((0, 2))
            shares[-1, share] += (prefix_wrong.sum(1) * of_share).sum()
    return Rates(
        {name: _witness_rates(name, groups, found) for name in names},
        mistake=(wrong + 1.0) / (sum(len(group.where) for group in groups) + 2.0),
        lucky=(lucky + 1.0) / (judged + 10.0),
        places=np.asarray(kinds / kinds.sum(), dtype=np.float64),
        reaches=reaches,
        shares=np.asarray(shares / shares.sum(1, keepdims=True), dtype=np.float64),
    )


def _witness_rates(name: str, groups: Sequence[_Alike], found: Sequence[Array]) -> WitnessRates:
    counts = {key: list(pseudo) for key, pseudo in PRIOR.items()}
    for group, joint in zip(groups, found, strict=True):
        places = joint.sum(1)
        verdicts = group.verdicts[name]
        in_error = 1.0 - places[:, -1]
        named = (verdicts != ABSENT) & (verdicts < group.step_count)
        silent = verdicts == group.step_count
        counts["false_alarm"][0] += float((1.0 - in_error[named]).sum())
        counts["false_alarm"][1] += float((1.0 - in_error[silent]).sum())
        counts["miss"][0] += float(in_error[silent].sum())
        counts["miss"][1] += float(in_error[named].sum())
        if group.step_count > 1:
            hit = float(places[named, verdicts[named]].sum())
            counts["exact"][0] += hit
            counts["exact"][1] += float(in_error[named].sum()) - hit
    return WitnessRates(**{key: yes / (yes + no) for key, (yes, no) in counts.items()})
