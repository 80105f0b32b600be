"""What a person's look at a solution would teach: pure functions that order a queue, each with its reason.

A priority is a number in [0, 1], larger first. Numbers of different kinds are not comparable.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Aggregation = Literal["product", "minimum", "mean", "last"]
AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    # A sum of logarithms: a hundred steps of 0.9 would still be far from 0, but a thousand would not.
    "product": lambda scores: math.exp(sum(map(math.log, scores))) if min(scores) > 0 else 0.0,
    "minimum": min,
    "mean": lambda scores: sum(scores) / len(scores),
    "last": lambda scores: scores[-1],
}


@dataclass(frozen=True, slots=True)
class Priority:
    """value: in [0, 1], larger first. kind: which rule spoke. reason: for the person who asks why."""

    value: float
    kind: str
    reason: str


def aggregate(scores: Sequence[float], aggregation: Aggregation = "product") -> float:
    """One score in [0, 1] for a solution; raises ValueError without steps, or for a score outside [0, 1]."""
    if not scores or not all(0 <= score <= 1 for score in scores):
        raise ValueError("scores of a solution, expected at least one, each from 0 to 1")
    return AGGREGATIONS[aggregation](scores)


def convincing_wrong(
    scores: Sequence[float], is_correct: bool | None, aggregation: Aggregation = "product"
) -> Priority:
    """Wrong answers that the PRM believes come first (Let's Verify Step by Step, section 2.4).

    Every wrong answer stands before every one that is not known to be wrong, as the rest is ordered by how
    convincing it is too (the paper's other fifth).
    """
    score = aggregate(scores, aggregation)
    if is_correct is False:
        return Priority(
            0.5 + score / 2, "convincing_wrong", f"wrong answer, yet the PRM gives it {score:.2f}"
        )
    known = "right answer" if is_correct else "answer not graded"
    return Priority(score / 2 * (1 - 1e-9), "convincing", f"{known}, the PRM gives it {score:.2f}")


def uncertainty(scores: Sequence[float]) -> Priority:
    """Solutions with a step that the PRM cannot decide: 1 at a score of 0.5, 0 at 0 and 1.

    Only steps up to the first one that is called wrong count, since a person would stop there.
    """
    aggregate(scores)
    read = _until_first_wrong(scores)
    step = min(range(len(read)), key=lambda index: abs(read[index] - 0.5))
    value = 1 - 2 * abs(read[step] - 0.5)
    return Priority(value, "uncertainty", f"the PRM is unsure of step {step + 1} ({read[step]:.2f})")


def disagreement(scores: Sequence[float], soft: Sequence[float | None], threshold: float = 0.5) -> Priority:
    """PRM against rollouts: first a different first mistake, then the largest gap at one step.

    scores: per step, from the PRM. soft: per step, the share of correct rollouts, None where not estimated.
    The rollouts' first mistake is the first step from which none was correct. A different first mistake
    gives at least 0.5. Raises ValueError where the lengths differ.
    """
    aggregate(scores)
    if len(scores) != len(soft):
        raise ValueError(f"{len(scores)} scores and {len(soft)} estimates of one solution")
    gaps = [
        abs(score - share) if share is not None else 0.0 for score, share in zip(scores, soft, strict=True)
    ]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    by_score = next((index for index, score in enumerate(scores) if score < threshold), None)
    by_rollouts = next((index for index, share in enumerate(soft) if share == 0), None)
    if by_score != by_rollouts and any(share is not None for share in soft):
        reason = f"first mistake: PRM {_named(by_score)}, rollouts {_named(by_rollouts)}"
        return Priority(0.5 + gaps[widest] / 2, "different_first_mistake", reason)
    reason = f"PRM and rollouts are {gaps[widest]:.2f} apart at step {widest + 1}"
    return Priority(gaps[widest] / 2 * (1 - 1e-9), "score_gap", reason)


def random_order(identity: str, seed: int = 0) -> Priority:
    """A place that depends on the id and the seed only: the same order everywhere and after each restart."""
    digest = hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=8).digest()
    # 53 bits are what a float in [0, 1) can hold exactly.
    return Priority((int.from_bytes(digest) >> 11) / 2**53, "random", "random order")


def _until_first_wrong(scores: Sequence[float], threshold: float = 0.5) -> Sequence[float]:
    wrong = next((index for index, score in enumerate(scores) if score < threshold), len(scores) - 1)
    return scores[: wrong + 1]


def _named(position: int | None) -> str:
    return "none" if position is None else f"step {position + 1}"
