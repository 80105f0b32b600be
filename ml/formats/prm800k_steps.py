"""The steps of a PRM800K label: each with its completions, perhaps a step that the labeler wrote, and what was chosen.

A file says which completion the trajectory goes on from: a number, or null where it goes on from the labeler's own
step. At the first mistake of a `found_error` it is null too, though the look ends there with the solution's own
step: a step that the labeler wrote there is a proposal, on which nobody went on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml.formats import fields
from ml.formats.fields import Record
from ml.records import Annotation, FinishReason, Option, Position, Solution, StepRating

HUMAN = "human"


def positions(steps: Sequence[Record], reason: FinishReason, model: Sequence[str]) -> list[Position]:
    """The candidates of each step, a human-written one last, and which of them the trajectory goes through.

    model: the steps of the solution as it was before anybody labelled it, where the line has them.
    """
    mistake = _mistake(steps) if reason == FinishReason.FOUND_ERROR else len(steps)
    found = []
    for index, step in enumerate(steps):
        with fields.naming(f"steps[{index}]"):
            found.append(_position(step, model[index] if index < len(model) else None, index - mistake))
    return found


def _mistake(steps: Sequence[Record]) -> int:
    """Where a `found_error` ends: the last step of which a completion is rated."""
    rated = [
        index
        for index, step in enumerate(steps)
        if any(completion.get("rating") is not None for completion in _completions(step))
    ]
    return rated[-1] if rated else len(steps) - 1


def _position(step: Record, own: str | None, behind: int) -> Position:
    """behind: how many steps after the first mistake (negative: before it). own: the solution's step there."""
    completions = _completions(step)
    options = [
        Option(fields.text(completion, "text"), HUMAN if completion.get("source") == HUMAN else "model")
        for completion in completions
    ]
    human = step.get("human_completion")
    if human is not None:
        options.append(Option(fields.text(fields.mapping(step, "human_completion"), "text"), source=HUMAN))
    chosen = fields.optional_integer(step, "chosen_completion", high=len(completions) - 1)
    if chosen is None and behind >= 0 and completions and (human is None or _rating(human) is None):
        chosen = _solutions_own(completions, own)
    elif chosen is None and human is not None and behind <= 0:
        chosen = len(completions)
    return Position(tuple(options), chosen)


def _solutions_own(completions: Sequence[Record], own: str | None) -> int:
    """The first mistake is the solution's own step; where its text does not tell, the one before its alternatives."""
    alike = [index for index, completion in enumerate(completions) if completion["text"] == own]
    return next((index for index in alike if completions[index].get("rating") == -1), [*alike, 0][0])


def _completions(step: Record) -> list[Record]:
    return [] if step.get("completions") is None else fields.objects(step, "completions")


def ratings(steps: Sequence[Record], positions: Sequence[Position]) -> tuple[StepRating, ...]:
    """What the labeler said of the steps' options; an option of which nothing was said has no rating.

    A step of the labeler's own that the trajectory does not go through has one that says nothing, as it has where it
    was written here: that is how its author is known.
    """
    found: list[StepRating] = []
    for index, step in enumerate(steps):
        with fields.naming(f"steps[{index}]"):
            found += _ratings(step, index, positions[index : index + 1])
    return tuple(found)


def _ratings(step: Record, position: int, at: Sequence[Position]) -> Iterator[StepRating]:
    written = [] if step.get("human_completion") is None else [step["human_completion"]]
    completions = _completions(step)
    for option, completion in enumerate([*completions, *written]):
        rating, flagged = _rating(completion), fields.optional_boolean(completion, "flagged")
        note = completion.get("note")
        is_proposal = option == len(completions) and at[0].chosen != option
        if rating is not None or flagged or is_proposal or (isinstance(note, str) and note):
            yield StepRating(
                position,
                option,
                rating,
                (flagged or None) if is_proposal else flagged,
                note=note if isinstance(note, str) else "",
            )


def _rating(completion: Record) -> int | None:
    # A human-written step that was looked at again has its rating under this key.
    corrected = fields.optional_integer(completion, "corrected_rating", low=-1, high=1)
    return fields.optional_integer(completion, "rating", low=-1, high=1) if corrected is None else corrected


def left_at(positions: Sequence[Position], ratings: Sequence[StepRating], model: Sequence[str]) -> int | None:
    """Where a labeler left the model's solution as wrong and went on alone up to the answer, or None."""
    texts = [None if at.chosen is None else at.options[at.chosen].text for at in positions]
    parted = [place for place, (text, own) in enumerate(zip(texts, model, strict=False)) if text != own]
    if not parted:
        return None
    place = parted[0]
    alone = all(at.chosen is not None and at.options[at.chosen].source == HUMAN for at in positions[place:])
    refused = any(
        rating.position == place
        and rating.rating == -1
        and positions[place].options[rating.option].text == model[place]
        for rating in ratings
    )
    return place if alone and refused else None


def own_steps(positions: Sequence[Position], left: int) -> tuple[StepRating, ...]:
    """The ratings that say nothing, of the steps with which the labeler went on."""
    return tuple(
        StepRating(place, at.chosen, None)
        for place, at in enumerate(positions)
        if place >= left and at.chosen is not None
    )


def write_steps(solution: Solution, annotation: Annotation) -> list[dict[str, Any]]:
    """The label's steps up to the last one of which something was said."""
    given = {(rating.position, rating.option): rating for rating in annotation.ratings}
    rated = 1 + max((position for position, _ in given), default=-1)
    count = annotation.extra.get("label_steps", rated)
    # The remainder of an imported line, which may be of long ago, was taken from steps without these keys.
    is_made_here = "label_steps" not in annotation.extra
    mistake, first = count - 1, annotation.first_mistake
    if first is not None and (is_made_here or _is_only_noted(annotation, first)):
        mistake = first
    found_error = annotation.finish_reason == FinishReason.FOUND_ERROR
    return [
        _write_step(
            position,
            {option: rating for (place, option), rating in given.items() if place == index},
            found_error and index >= mistake,
            is_made_here,
        )
        for index, position in enumerate(solution.positions[:count])
    ]


def _is_only_noted(annotation: Annotation, mistake: int) -> bool:
    """Whether the steps behind the mistake are there for their notes alone, as those of a label made here are."""
    behind = [rating for rating in annotation.ratings if rating.position > mistake]
    return bool(behind) and all(rating.rating is None and rating.note for rating in behind)


def _write_step(
    position: Position, given: Mapping[int, StepRating], is_end: bool, is_made_here: bool
) -> dict[str, Any]:
    """One step: model options as completions; the human one apart, and never a `chosen_completion`."""
    completions: list[dict[str, Any]] = []
    written, chosen = _written(position, given, is_end, is_made_here), None
    human: dict[str, Any] | None = None
    for index, option in enumerate(position.options):
        rating = given.get(index)
        note = {"note": rating.note} if rating and rating.note else {}
        if index == written:
            flagged = bool(rating and rating.flagged)
            human = {"text": option.text, "rating": None, "source": HUMAN, "flagged": flagged, **note}
            if is_made_here and rating and rating.rating is not None:
                human["corrected_rating"] = rating.rating
            continue
        if index == position.chosen and not is_end:
            chosen = len(completions)
        completions.append(
            {
                "text": option.text,
                "rating": rating.rating if rating else None,
                "flagged": rating.flagged if rating else None,
                **({"source": HUMAN} if option.source == HUMAN else {}),
                **note,
            }
        )
    return {"completions": completions, "human_completion": human, "chosen_completion": chosen}


def _written(
    position: Position, given: Mapping[int, StepRating], is_end: bool, is_made_here: bool
) -> int | None:
    """The option that stands apart as the labeler's own; one by another person stands among the completions."""
    humans = [index for index, option in enumerate(position.options) if option.source == HUMAN]
    if position.chosen in humans and not is_end:
        # It is read back as the last one.
        return position.chosen if position.chosen == len(position.options) - 1 else None
    own = [index for index in humans if index in given and given[index].rating is None]
    proposed = [index for index in own if index != position.chosen]
    if proposed:
        return proposed[-1]
    return None if is_made_here or not humans else humans[-1]
