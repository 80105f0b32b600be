"""A snapshot in the formats that others read, streamed from its frozen rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.services import ANNOTATIONS_FILE, folder_of
from labelsite.snapshots.verifying import open_whole
from ml.errors import MisstepError
from ml.formats import prm800k, stepwise
from ml.json_lines import as_line
from ml.records import (
    Annotation,
    FinishReason,
    LabelledSolution,
    Option,
    Position,
    Problem,
    Solution,
    StepRating,
)
from ml.snapshot import SnapshotRow, read_snapshot
from ml.targets import LabelRule, frozen_rule, has_verdict
from ml.targets.rules import is_given_up, label_of
from ml.targets.snapshot_rows import decided, last_place_for_alternatives, undecided_place
from ml.targets.unlabelled import has_labels

UNDECIDED = "the evidence does not decide whether the next step is a mistake"
GAVE_UP = "everybody who looked at the solution gave up"
NEUTRAL = ("positive", "negative", "drop")
ALTERNATIVES = ("rows", "skip")


@dataclass(frozen=True)
class StepwiseChoices:
    """What a rating of 0 counts as, and whether alternatives become rows of their own.

    `neutral` None leaves the snapshot's own rule; else labels are as if it had been frozen so, where people rated 0.
    """

    neutral: str | None = None
    alternatives: str = "rows"

    def __post_init__(self) -> None:
        if self.neutral not in (None, *NEUTRAL):
            raise MisstepError(f"neutral={self.neutral!r}, expected one of {', '.join(NEUTRAL)}")
        if self.alternatives not in ALTERNATIVES:
            raise MisstepError(
                f"alternatives={self.alternatives!r}, expected one of {', '.join(ALTERNATIVES)}"
            )


def annotations_entry(snapshot: Snapshot) -> dict[str, Any]:
    """What the manifest says of the file of people's annotations."""
    found: dict[str, Any] = next(
        entry for entry in snapshot.manifest["files"] if entry["file"] == ANNOTATIONS_FILE
    )
    return found


def prm800k_lines(snapshot: Snapshot) -> Iterator[str]:
    """PRM800K JSON Lines: people's annotations as they are, or the decided labels of other snapshots. What was frozen
    without any label has no line.
    """
    if snapshot.labels == LabelSource.HUMAN:
        with open_whole(folder_of(snapshot), annotations_entry(snapshot)) as stream:
            yield from (line.decode() for line in stream)
        return
    for row in filter(has_labels, read_snapshot(folder_of(snapshot))):
        yield as_line(prm800k.write_record(_labelled(row, snapshot)))


def stepwise_lines(snapshot: Snapshot, choices: StepwiseChoices) -> Iterator[str]:
    """Rows `{prompt, completions, labels}` of the decided labels, and of rated alternatives if wanted; none of what was
    frozen without any label.
    """
    rule = frozen_rule(snapshot.manifest, snapshot.labels)
    for row in filter(has_labels, read_snapshot(folder_of(snapshot))):
        yield from map(as_line, _stepwise_rows(row, choices, rule))


def _stepwise_rows(row: SnapshotRow, choices: StepwiseChoices, rule: LabelRule) -> Iterator[dict[str, Any]]:
    rule = replace(rule, neutral=choices.neutral or rule.neutral)
    if choices.neutral is not None and 0 in ((row.human or {}).get("ratings") or ()):
        # What it hides behind it when it counts as wrong is in the evidence only.
        row = decided(row, rule)
    whole = stepwise.label_row(row.problem, row.steps, _of_one_type(row.labels, rule))
    if whole:
        yield whole
    if choices.alternatives == "skip":
        return
    last = _last_place(row, rule)
    for option in row.options:
        position, label = option["position"], _option_label(option, rule)
        # Behind a mistake there is nothing to choose between: the prefix itself is wrong.
        if label is None or position > last:
            continue
        found = stepwise.label_row(
            row.problem,
            [*row.steps[:position], option["text"]],
            _of_one_type([*row.labels[:position], label], rule),
        )
        if found:
            yield found


def _last_place(row: SnapshotRow, rule: LabelRule) -> int:
    """The last position before which these labels know no mistake; a search's low share is none."""
    needs_agreement = rule.labels == "mixed" and rule.mixture == "consensus"
    if all(label is None for label in row.labels) and not needs_agreement:
        # Only neutral ratings were left out: what was frozen had labels.
        return len(row.steps)
    return last_place_for_alternatives(row, rule)


def _option_label(option: dict[str, Any], rule: LabelRule) -> float | None:
    """The label of an alternative: a person's rating, else what rollouts found."""
    rating, q_value = option["rating"], option["q_value"]
    if rating is not None:
        return label_of(rating, rule.neutral)
    return None if q_value is None else float(q_value > rule.threshold)


def _of_one_type(labels: Iterable[float | None], rule: LabelRule) -> Sequence[stepwise.Label | None]:
    """Labels of one type in the whole file, since a table's column has one: numbers where the rule can give fractions,
    else booleans. The type also tells a reader whether the labels are somebody's word.
    """
    if rule.gives_fractions:
        return [None if label is None else float(label) for label in labels]
    return [None if label is None else label == 1.0 for label in labels]


def _labelled(row: SnapshotRow, snapshot: Snapshot) -> LabelledSolution:
    """A row as an annotation: right up to the first mistake and wrong there, by nobody in particular.

    A low label alone is no mistake: a search's shares and quality values are low on right steps too.
    """
    rule = frozen_rule(snapshot.manifest, snapshot.labels)
    ratings = [_rating(row, place, rule) for place in range(len(row.steps))]
    ending = _ending(row, ratings, rule)
    solution = Solution(
        id=row.id,
        problem=Problem(row.problem_id, row.problem, row.answer),
        positions=tuple(Position((Option(step),)) for step in row.steps),
        generator=row.generator,
        final_answer=row.final_answer,
        is_correct=row.is_correct,
    )
    annotation = Annotation(
        labeler=f"misstep:{snapshot.labels}",
        finish_reason=ending.finish,
        ratings=tuple(StepRating(place, 0, rating) for place, rating in enumerate(ratings[: ending.last])),
        first_mistake=row.first_mistake,
        reason=ending.reason,
        created_at=snapshot.manifest.get("created_at"),
        extra={"generation": snapshot.manifest.get("lineage", {}).get("generation")},
    )
    return LabelledSolution(1, solution, annotation)


def _rating(row: SnapshotRow, place: int, rule: LabelRule) -> int | None:
    """What a step is rated in PRM800K, which has the 0 that the rule did not count as right."""
    if place == row.first_mistake:
        return -1
    people, label = (row.human or {}).get("ratings"), row.labels[place]
    if people and people[place] == 0 and (label is None or rule.neutral != "positive"):
        return 0
    return None if label is None else 1


class _Ending(NamedTuple):
    """How a look ends, why, and the number of its ratings."""

    last: int
    finish: FinishReason
    reason: str = ""


def _ending(row: SnapshotRow, ratings: Sequence[int | None], rule: LabelRule) -> _Ending:
    undecided = undecided_place(row, rule)
    if undecided is not None:
        # Nobody knows whether this step is the mistake, and PRM800K has no rating for that: its look ends before it.
        return _Ending(undecided, FinishReason.GIVE_UP, UNDECIDED)
    has_gap, gave_up = None in ratings, is_given_up(row.human)
    if not has_verdict(row, rule) and (has_gap or gave_up):
        # However far they came, nobody said that there is no mistake, nor that the first one stands behind a gap. A
        # look with a gap would break a rule.
        last = ratings.index(None) if has_gap else len(ratings)
        return _Ending(last, FinishReason.GIVE_UP, GAVE_UP if gave_up else UNDECIDED)
    if row.first_mistake is not None:
        return _Ending(row.first_mistake + 1, FinishReason.FOUND_ERROR)
    return _Ending(len(row.steps), FinishReason.SOLUTION)
