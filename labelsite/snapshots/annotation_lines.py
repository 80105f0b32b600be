"""A campaign's annotations as PRM800K lines, one per person and solution, with nothing lost or merged.

What came in from a PRM800K file goes out as the same JSON; what was labelled here becomes a phase 2 line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from labelsite.accounts.models import User
from labelsite.annotations.import_labels import LABELLED_AT_KEY
from labelsite.annotations.models import Annotation, FinishReason, Origin, StepRating
from labelsite.campaigns.models import Campaign, TaskKind
from labelsite.problems.queries import positions_of, record_of
from labelsite.problems.streaming import in_chunks
from ml import records
from ml.formats import prm800k

CHUNK = 500
Row = TypeVar("Row", bound=Model)


def annotations_of(campaign: Campaign) -> QuerySet[Annotation]:
    """The live annotations of a campaign in the order of its tasks."""
    return Annotation.objects.filter(task__campaign=campaign, is_live=True).order_by("task_id", "pk")


def prm800k_lines(annotations: QuerySet[Annotation]) -> Iterator[dict[str, Any]]:
    """One PRM800K record for each annotation, streamed."""
    for _, labelled in labelled_rows(annotations):
        yield prm800k.write_record(labelled)


def labelled_rows(
    annotations: QuerySet[Annotation],
) -> Iterator[tuple[Annotation, records.LabelledSolution]]:
    """Each annotation with its solution, as the records that formats are written from; `line` counts up."""
    # People and campaigns are few, so each is fetched once and not with every row. Not all of them before the first
    # row: without a cursor in the server a later chunk may be by somebody who was not there then.
    people: dict[int, User] = {}
    campaigns: dict[int, Campaign] = {}
    line = 0
    for chunk in in_chunks(annotations.select_related("task__solution__problem"), CHUNK):
        _fetch(people, User.objects.all(), (row.annotator_id for row in chunk))
        _fetch(campaigns, Campaign.objects.defer("guideline"), (row.task.campaign_id for row in chunk))
        for annotation in chunk:
            annotation.annotator = people[annotation.annotator_id]
            annotation.task.campaign = campaigns[annotation.task.campaign_id]
        positions = positions_of([annotation.task.solution for annotation in chunk])
        ratings = _ratings(chunk)
        for annotation in chunk:
            line += 1
            row = annotation.task.solution
            whole = positions[row.pk]
            goes_on = "written" in annotation.extra and annotation.finish_reason != FinishReason.FOUND_ERROR
            seen, given = own_view(whole, ratings.get(annotation.pk, ()), goes_on=goes_on)
            solution = record_of(row, seen, row.external_id)
            if annotation.origin == Origin.ANNOTATOR:
                solution = _beside_the_whole(solution, whole)
            said = _record(annotation, given)
            yield annotation, records.LabelledSolution(line, solution, said, annotation.broken_rule)


def _fetch(known: dict[int, Row], rows: QuerySet[Row], wanted: Iterable[int]) -> None:
    """Adds those of the wanted ids that are not known yet."""
    if missing := set(wanted) - known.keys():
        known.update(rows.in_bulk(missing))


def own_view(
    positions: Sequence[records.Position], ratings: Sequence[records.StepRating], *, goes_on: bool
) -> tuple[tuple[records.Position, ...], tuple[records.StepRating, ...]]:
    """The solution as one person left it: without the steps that others wrote.

    A written step is an unchosen option by a person; its author is who has a rating row (null) of it. goes_on: the
    person's own steps took the place of the solution's, up to the end. Otherwise the look ended at the solution's
    own wrong step, and what was written there is one more option.
    """
    given = {(rating.position, rating.option): rating for rating in ratings}
    seen: list[records.Position] = []
    moved: list[records.StepRating] = []
    until = 0
    for place, position in enumerate(positions):
        kept = [
            number
            for number, option in enumerate(position.options)
            if option.source != "human" or number == position.chosen or (place, number) in given
        ]
        own = [
            number
            for number in kept
            if number != position.chosen and position.options[number].source == "human"
        ]
        chosen = own[-1] if goes_on and own else position.chosen
        options = tuple(position.options[number] for number in kept)
        seen.append(records.Position(options, None if chosen is None else kept.index(chosen)))
        moved.extend(
            replace(given[place, number], option=index)
            for index, number in enumerate(kept)
            if (place, number) in given
        )
        if chosen != position.chosen:
            until = place + 1
    if until:
        del seen[until:]
    while seen and not seen[-1].options and len(seen) > 1:
        seen.pop()
    return tuple(seen), tuple(moved)


def _beside_the_whole(solution: records.Solution, whole: Sequence[records.Position]) -> records.Solution:
    """The solution with the model's own steps to be written beside it, as a line of phase 2 has them."""
    steps = list(replace(solution, positions=tuple(whole)).steps)
    keys = solution.extra.get("question_keys")
    extra = {
        **solution.extra,
        "question": {**solution.extra.get("question", {}), prm800k.PRE_GENERATED: steps},
        **({} if keys is None else {"question_keys": list(dict.fromkeys([*keys, prm800k.PRE_GENERATED]))}),
    }
    return replace(solution, extra=extra)


def _ratings(annotations: Sequence[Annotation]) -> dict[int, tuple[records.StepRating, ...]]:
    rows = (
        StepRating.objects.filter(annotation__in=[annotation.pk for annotation in annotations])
        .order_by("annotation_id", "step__position", "step__option")
        .values_list(
            "annotation_id", "step__position", "step__option", "rating", "flagged", "milliseconds", "note"
        )
    )
    found: dict[int, list[records.StepRating]] = defaultdict(list)
    for annotation, position, option, rating, flagged, milliseconds, note in rows:
        found[annotation].append(records.StepRating(position, option, rating, flagged, milliseconds, note))
    return {annotation: tuple(ratings) for annotation, ratings in found.items()}


def _record(annotation: Annotation, ratings: tuple[records.StepRating, ...]) -> records.Annotation:
    extra = dict(annotation.extra)
    labelled_at = extra.pop(LABELLED_AT_KEY, None)
    if annotation.origin == Origin.ANNOTATOR:
        labelled_at = annotation.created_at.isoformat()
        extra |= _quality_control(annotation)
    return records.Annotation(
        labeler=annotation.annotator.username,
        finish_reason=records.FinishReason(annotation.finish_reason),
        ratings=ratings,
        first_mistake=annotation.first_mistake,
        reason=annotation.reason,
        total_time_ms=annotation.total_time_ms,
        created_at=labelled_at,
        extra=extra,
    )


def _quality_control(annotation: Annotation) -> dict[str, Any]:
    """PRM800K's own words for a task's place in the campaign; its generation of screening items is -1."""
    kind = annotation.task.kind
    return {
        "generation": -1 if kind == TaskKind.SCREENING else annotation.task.campaign.generation,
        "is_quality_control_question": kind == TaskKind.GOLD,
        "is_initial_screening_question": kind == TaskKind.SCREENING,
    }
