"""What the formats share that know one number per solution: where its first mistake is."""

from __future__ import annotations

from collections.abc import Iterable

from ml.records import Annotation, FinishReason, Option, Position, StepRating


def chain(steps: Iterable[str]) -> tuple[Position, ...]:
    """Positions with one option each, all chosen: a solution without alternatives."""
    return tuple(Position(options=(Option(step),)) for step in steps)


def annotate(labeler: str, steps: int, mistake: int | None, reason: str = "") -> Annotation:
    """The ratings that a first-mistake index stands for: +1 before it, -1 on it, nothing after it.

    None means that the file says "no mistake": every step is +1 and the reason to finish is `solution`, also
    where the final answer is wrong. Such a row breaks no label rule; that somebody overlooked a mistake in it
    is for the comparison to show, not for the import to hide.
    """
    rated = steps if mistake is None else mistake + 1
    return Annotation(
        labeler=labeler,
        finish_reason=FinishReason.SOLUTION if mistake is None else FinishReason.FOUND_ERROR,
        ratings=tuple(StepRating(index, 0, -1 if index == mistake else 1) for index in range(rated)),
        first_mistake=mistake,
        reason=reason,
    )
