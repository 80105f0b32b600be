"""What a person's look at a solution would teach: pure functions that order a queue, each with its reason.

A priority is a number in [0, 1], larger first. Numbers of different kinds are not comparable.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

# What each rule says to the person who asks why a solution comes now; the page translates these.
REASONS: Mapping[str, str] = {
    "convincing_wrong": "wrong answer, yet the PRM gives it {score}",
    "doubted_wrong": "wrong answer; the PRM gives it {score}",
    "convincing_right": "right answer, the PRM gives it {score}",
    "convincing_ungraded": "answer not graded, the PRM gives it {score}",
    "uncertainty": "the PRM is unsure of step {step} ({score})",
    "different_first_mistake": "first mistake: PRM step {prm}, rollouts step {rollouts}",
    "mistake_for_prm_only": "first mistake: PRM step {prm}, rollouts none",
    "mistake_for_rollouts_only": "first mistake: PRM none, rollouts step {rollouts}",
    "score_gap": "PRM and rollouts are {gap} apart at step {step}",
    "random": "random order",
    "unscored": "not scored yet",
    "import_order": "",
}

T = TypeVar("T")
# From this score on, the PRM calls a step or a solution correct.
CALLED_CORRECT = 0.5


@dataclass(frozen=True, slots=True)
class Priority:
    """value: in [0, 1], larger first. kind: which rule spoke. facts: what fills its reason."""

    value: float
    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """In words, for the person who asks why."""
        return REASONS[self.kind].format(**self.facts)

    @property
    def code(self) -> str:
        """The rule and its facts in one line that a program reads back: `uncertainty step=2 score=0.60`."""
        return " ".join([self.kind, *(f"{name}={value}" for name, value in self.facts.items())])


def aggregate(scores: Sequence[float]) -> float:
    """The product: one score in [0, 1] for a solution. Raises ValueError without steps, or for a score outside
    [0, 1].
    """
    _refuse_impossible(scores)
    return math.prod(scores)


def convincing_wrong(scores: Sequence[float], is_correct: bool | None) -> Priority:
    """Wrong answers that the PRM believes come first (Let's Verify Step by Step, section 2.4).

    Every wrong answer stands before every one that is not known to be wrong. Of a whole queue, `four_to_one` makes the
    paper's mixture.
    """
    score = aggregate(scores)
    facts = {"score": f"{score:.2f}"}
    if is_correct is False:
        kind = "convincing_wrong" if score >= CALLED_CORRECT else "doubted_wrong"
        return Priority(0.5 + score / 2, kind, facts)
    kind = "convincing_right" if is_correct else "convincing_ungraded"
    return Priority(score / 2 * (1 - 1e-9), kind, facts)


def four_to_one(wrong: Sequence[T], others: Sequence[T]) -> list[T]:
    """One order of two: of any five in a row four are of the first, until either ends (Let's Verify, section 2.4).

    The paper's fifth is the most convincing of all that is left, most of which has right answers; here it always is of
    the others. Who read wrong answers alone would soon expect a mistake everywhere, and so would a model that learned
    from them.
    """
    first, second = iter(wrong), iter(others)
    order: list[T] = []
    while five := [*islice(first, 4), *islice(second, 1)]:
        order += five
    return order


def uncertainty(scores: Sequence[float]) -> Priority:
    """Solutions with a step that the PRM cannot decide: 1 at a score of 0.5, 0 at 0 and 1.

    Only steps up to the first one that is called wrong count, since a person would stop there.
    """
    _refuse_impossible(scores)
    wrong = _first_wrong(scores)
    read = scores if wrong is None else scores[: wrong + 1]
    step = min(range(len(read)), key=lambda index: abs(read[index] - 0.5))
    value = 1 - 2 * abs(read[step] - 0.5)
    return Priority(value, "uncertainty", {"step": str(step + 1), "score": f"{read[step]:.2f}"})


def disagreement(
    scores: Sequence[float], soft: Sequence[float | None], first_mistake: int | None, *, is_known: bool
) -> Priority:
    """PRM against rollouts: first a different first mistake, then the largest gap at one step.

    scores: per step, from the PRM. soft: per step, the share of correct rollouts, None where not estimated.
    first_mistake: what the run that made the rollouts says itself, 0-based, None for no mistake; its method decides
    by more than the shares. is_known: whether it can say. A different first mistake gives at least 0.5. Where both
    name one, only steps up to the later one count, since a person would stop there. Raises ValueError where the
    lengths differ.
    """
    _refuse_impossible(scores)
    if len(scores) != len(soft):
        raise ValueError(f"{len(scores)} scores and {len(soft)} estimates of one solution")
    gaps = [
        abs(score - share) if share is not None else 0.0 for score, share in zip(scores, soft, strict=True)
    ]
    by_score = _first_wrong(scores)
    if is_known and by_score is not None and first_mistake is not None:
        gaps = gaps[: max(by_score, first_mistake) + 1]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    if is_known and by_score != first_mistake:
        found = {"prm": by_score, "rollouts": first_mistake}
        facts = {name: str(position + 1) for name, position in found.items() if position is not None}
        kind = "different_first_mistake" if len(facts) == 2 else f"mistake_for_{next(iter(facts))}_only"
        return Priority(0.5 + gaps[widest] / 2, kind, facts)
    facts = {"gap": f"{gaps[widest]:.2f}", "step": str(widest + 1)}
    return Priority(gaps[widest] / 2 * (1 - 1e-9), "score_gap", facts)


def random_order(identity: str) -> Priority:
    """A place that depends on the id only: the same order everywhere and after each restart."""
    digest = hashlib.blake2b(identity.encode(), digest_size=8).digest()
    # 53 bits are what a float in [0, 1) can hold exactly.
    return Priority((int.from_bytes(digest) >> 11) / 2**53, "random")


def _refuse_impossible(scores: Sequence[float]) -> None:
    if not scores or not all(0 <= score <= 1 for score in scores):
        raise ValueError("scores of a solution, expected at least one, each from 0 to 1")


def _first_wrong(scores: Sequence[float]) -> int | None:
    return next((index for index, score in enumerate(scores) if score < CALLED_CORRECT), None)
