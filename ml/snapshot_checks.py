"""What is wrong with a snapshot's row, so that nothing impossible is frozen or trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from ml.bounds import is_whole, is_within

if TYPE_CHECKING:
    from ml.snapshot import SnapshotRow

SPLITS = ("train", "validation", "test")
SOURCES = ("human", "automatic", "fused", None)

# What was found and what was expected; None where nothing is wrong.
Complaint = tuple[str, str] | None


def complaint_about(row: SnapshotRow) -> Complaint:
    """What is wrong with a row as (found, expected), or None."""
    try:
        return _complaint(row)
    # A list where an object belongs, a number in the place of a list: each check below takes the shape for granted.
    except (AttributeError, TypeError, ValueError) as error:
        return f"malformed evidence ({error})", "the shapes of a snapshot row"


def _complaint(row: SnapshotRow) -> Complaint:
    for name in ("id", "problem_id", "problem"):
        if not isinstance(value := getattr(row, name), str):
            return f"{name} {value!r}", "a text"
    if not row.steps:
        return "no steps", "at least one step"
    for position, step in enumerate(row.steps):
        if not isinstance(step, str) or not step.strip():
            return f"step {position} is empty", "a step with text"
    if row.split not in SPLITS:
        return f"split {row.split!r}", "train, validation or test"
    if row.is_correct is not None and not isinstance(row.is_correct, bool):
        return f"is_correct {row.is_correct!r}", "true, false or null"
    return (
        _about_labels(row)
        or _about_people(row.human or {}, len(row.steps))
        or _about_rollouts(row.automatic or {}, len(row.steps))
        or _about_options(row)
    )


def _about_labels(row: SnapshotRow) -> Complaint:
    count = len(row.steps)
    if len(row.labels) != count:
        return f"{len(row.labels)} labels for {count} steps", "one label (or null) per step"
    if len(row.label_source) != count:
        return f"{len(row.label_source)} label sources for {count} steps", "one per step"
    if any(source not in SOURCES for source in row.label_source):
        return f"label source {row.label_source!r}", "human, automatic, fused or null"
    for position, (label, source) in enumerate(zip(row.labels, row.label_source, strict=True)):
        if label is None:
            continue
        if not _is_share(label):
            return f"label {label!r} at step {position}", "a probability in [0, 1] or null"
        if source is None:
            return f"a label without a source at step {position}", "human, automatic or fused"
    return _about_place(row.first_mistake, count, "first mistake")


def _about_people(human: dict[str, Any], count: int) -> Complaint:
    """A complaint about what people said: ratings and places that are not of this solution's steps."""
    ratings = human.get("ratings")
    if ratings is not None:
        if len(ratings) != count:
            return f"{len(ratings)} ratings for {count} steps", "one rating (or null) per step"
        if not all(_is_rating(rating) for rating in ratings):
            return f"ratings {ratings!r}", "-1, 0, 1 or null"
    posterior = human.get("posterior")
    if posterior is not None and (
        len(posterior) != count or not all(_is_share(chance) for chance in posterior)
    ):
        return f"posterior {posterior!r} for {count} steps", "one probability per step, or null for all"
    annotators = human.get("annotators")
    if annotators is not None and not _is_count(annotators):
        return f"{annotators!r} annotators", "a whole number from 0"
    complaint = _about_place(human.get("first_mistake"), count, "human first_mistake")
    for place in human.get("allowed") or ():
        complaint = complaint or _about_place(place, count, "allowed place")
    for name, said in (human.get("witnesses") or {}).items():
        complaint = complaint or _about_place(said, count, f"witness {name}: first mistake")
    return complaint


def _about_place(place: object, count: int, name: str) -> Complaint:
    if place is None or (_is_count(place) and place < count):
        return None
    return f"{name} {place!r} of {count} steps", f"a step from 0 to {count - 1}, or null for no mistake"


def _about_rollouts(automatic: dict[str, Any], count: int) -> Complaint:
    """A complaint about estimates that do not fit the steps, or that no rollouts can come to."""
    for name, (is_possible, expected) in SERIES.items():
        values = automatic.get(name)
        if values is None:
            continue
        if len(values) != count:
            return f"{len(values)} automatic {name} for {count} steps", "one (or null) per step"
        if not all(value is None or is_possible(value) for value in values):
            return f"automatic {name} {values!r}", f"{expected} or null"
    if not isinstance(method := automatic.get("method"), str | None):
        return f"method {method!r}", "a text or null"
    second = (automatic.get("second") or {}).get("first_mistake")
    complaint = _about_place(second, count, "the second method's first mistake")
    return complaint or _about_counts(automatic.get("visits"), automatic.get("correct"))


def _about_counts(visits: Sequence[int | None] | None, correct: Sequence[int | None] | None) -> Complaint:
    if not correct:
        return None
    for position, (seen, right) in enumerate(zip(visits or [None] * len(correct), correct, strict=True)):
        if seen and right is None:
            return f"{seen} visits without a count of correct ones at step {position}", "both"
        if (right or 0) > (seen or 0):
            return (
                f"{right} correct of {seen or 0} visits at step {position}",
                "at most as many correct as visits",
            )
    return None


def _about_options(row: SnapshotRow) -> Complaint:
    """A complaint about alternatives that hang nowhere or say what nobody can rate, or None."""
    for option in row.options:
        position, rating, share = (option.get(name) for name in ("position", "rating", "q_value"))
        # An alternative may stand behind the last step: the solution was not carried on from there.
        if not _is_count(position) or position > len(row.steps):
            return f"an alternative at position {position!r}", f"a position from 0 to {len(row.steps)}"
        if not isinstance(option.get("text"), str):
            return f"an alternative at position {position} without text", "a text for each"
        if not _is_rating(rating):
            return f"rating {rating!r} of an alternative at position {position}", "-1, 0, 1 or null"
        if share is not None and not _is_share(share):
            return f"q_value {share!r} of an alternative at position {position}", "a share in [0, 1] or null"
    return None


def _is_count(value: object) -> TypeGuard[int]:
    return is_whole(value) and value >= 0


def _is_rating(value: object) -> bool:
    return value is None or (is_whole(value) and value in (-1, 0, 1))


def _is_share(value: object) -> bool:
    return is_within(value, 0.0, 1.0)


def _is_mean_outcome(value: object) -> bool:
    return is_within(value, -1.0, 1.0)


SERIES: dict[str, tuple[Callable[[object], bool], str]] = {
    "visits": (_is_count, "whole numbers from 0"),
    "correct": (_is_count, "whole numbers from 0"),
    "hard": (_is_share, "numbers in [0, 1]"),
    "soft": (_is_share, "numbers in [0, 1]"),
    "quality_value": (_is_share, "numbers in [0, 1]"),
    "q_value": (_is_mean_outcome, "numbers in [-1, 1]"),
}
