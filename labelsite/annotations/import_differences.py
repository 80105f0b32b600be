"""What a file says otherwise than what was imported before: found, and on request stored as a new revision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelsite.annotations.import_facts import NO_FACTS, OtherFacts, other_facts, put_facts_right
from labelsite.annotations.import_labels import Inserted, Place, insert_annotations, said_in
from labelsite.annotations.models import Annotation, StepRating
from labelsite.problems.models import Solution
from labelsite.problems.services import StoredSolution
from ml.given_answers import GivenAnswers
from ml.records import LabelledSolution

_Ratings = frozenset[tuple[int, int, int | None, bool | None, str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A record whose solution is known. `annotation`: the live one, where it says something else."""

    stored: StoredSolution
    facts: OtherFacts
    annotation: Annotation | None
    # Another model's solution under the same id and with the same steps: no correction of this one.
    is_by_another: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What differs, as people know it."""
        return (*self.facts.names, *(["labels"] if self.annotation else []))


def find_differences(
    batch: Sequence[StoredSolution], tasks: Mapping[int, int], users: Mapping[str, int], heard: set[int]
) -> list[Difference]:
    """The records of a batch that say something else than is stored; only what was there before is looked at.

    heard: the solutions without ids of which this import has read a line, to which this batch's are added. The first
    line says what is known of such a solution, when it is stored and ever after.
    """
    heard.update(stored.solution_id for stored in batch if stored.is_new and stored.labelled.is_numbered)
    old = [stored for stored in batch if not stored.is_new]
    if not old:
        return []
    rows = Solution.objects.select_related("problem").in_bulk([stored.solution_id for stored in old])
    annotations = _live(tasks[stored.solution_id] for stored in old)
    ratings = _ratings([annotation.pk for annotation in annotations.values()])
    found = []
    # Several people's looks on a line are as many records, which all say the same of their solution.
    told: set[tuple[int, int]] = set()
    for stored in old:
        said = stored.labelled.annotation
        place = (tasks[stored.solution_id], users[said.labeler]) if said else None
        annotation = annotations.get(place) if place else None
        if annotation and _says(stored.labelled) == _stored(annotation, ratings):
            annotation = None
        row = rows[stored.solution_id]
        place_of_facts = (stored.solution_id, stored.labelled.line)
        facts = NO_FACTS
        if place_of_facts not in told and stored.solution_id not in heard:
            told.add(place_of_facts)
            if stored.labelled.is_numbered:
                heard.add(stored.solution_id)
            facts = other_facts(stored.labelled.solution, row, is_numbered=stored.labelled.is_numbered)
        if facts or annotation:
            is_by_another = "generator" in facts.columns and row.generator is not None
            found.append(Difference(stored, facts, annotation, is_by_another))
    return found


def _live(tasks: Any) -> dict[tuple[int, int], Annotation]:
    rows = Annotation.objects.filter(task__in=list(tasks), is_live=True, annotator__is_machine=True)
    return {(annotation.task_id, annotation.annotator_id): annotation for annotation in rows}


def _ratings(annotations: Sequence[int]) -> dict[int, _Ratings]:
    found: dict[int, set[Any]] = defaultdict(set)
    rows = StepRating.objects.filter(annotation__in=annotations).values_list(
        "annotation", "step__position", "step__option", "rating", "flagged", "note"
    )
    for annotation, position, option, rating, flagged, note in rows:
        found[annotation].add((position, option, rating, flagged, note))
    return {annotation: _telling(given) for annotation, given in found.items()}


def _telling(given: Any) -> _Ratings:
    """Without the rows that say nothing beside the trajectory."""
    return frozenset(row for row in given if row[2] is not None or row[3] or row[4])


def _says(labelled: LabelledSolution) -> tuple[Any, ...]:
    annotation = labelled.annotation
    assert annotation is not None
    given = ((row.position, row.option, row.rating, row.flagged, row.note) for row in annotation.ratings)
    trajectory = said_in(labelled).trajectory
    return str(annotation.finish_reason), annotation.reason, trajectory, _telling(given)


def _stored(annotation: Annotation, ratings: Mapping[int, _Ratings]) -> tuple[Any, ...]:
    given = ratings.get(annotation.pk, frozenset())
    return annotation.finish_reason, annotation.reason, annotation.trajectory, given


def put_right(
    differences: Sequence[Difference],
    tasks: Mapping[int, int],
    users: Mapping[str, int],
    answers: GivenAnswers,
) -> list[Inserted]:
    """Store what the file now says: of the solutions in their rows, and its labels as new revisions."""
    for difference in differences:
        if difference.facts:
            stored = difference.stored
            put_facts_right(stored.solution_id, difference.facts, stored.labelled.solution, answers)
    revised = {_place(each, tasks, users): each for each in differences if each.annotation}
    old = [each.annotation.pk for each in revised.values() if each.annotation]
    Annotation.objects.filter(pk__in=old).update(is_live=False)
    revisions = {place: each.annotation.revision + 1 for place, each in revised.items() if each.annotation}
    return insert_annotations(tasks, users, [each.stored for each in revised.values()], revisions)


def _place(difference: Difference, tasks: Mapping[int, int], users: Mapping[str, int]) -> Place:
    said = difference.stored.labelled.annotation
    assert said is not None
    return tasks[difference.stored.solution_id], users[said.labeler]
