"""What a file says otherwise than what was imported before: found, and on request stored as a new revision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelsite.annotations.import_labels import Inserted, Place, insert_annotations, said_in
from labelsite.annotations.models import Annotation, StepRating
from labelsite.problems.models import Solution
from labelsite.problems.services import StoredSolution
from ml.given_answers import GivenAnswers
from ml.records import LabelledSolution

# What is said of a solution beside its steps. A file that leaves one out, or has null, says nothing of it.
FACTS = ("is_correct", "final_answer", "generator")
# The labels of files that are no person's word lie here.
MACHINE_LABELS = ("hard", "soft", "labels")
_Ratings = frozenset[tuple[int, int, int | None, bool | None, str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A record whose solution is known. `annotation`: the live one, where it says something else."""

    stored: StoredSolution
    facts: Mapping[str, Any]
    annotation: Annotation | None


def find_differences(
    batch: Sequence[StoredSolution], tasks: Mapping[int, int], users: Mapping[str, int]
) -> list[Difference]:
    """The records of a batch that say something else than is stored; only what was there before is looked at."""
    old = [stored for stored in batch if not stored.is_new]
    if not old:
        return []
    rows = Solution.objects.in_bulk([stored.solution_id for stored in old])
    annotations = _live(tasks[stored.solution_id] for stored in old)
    ratings = _ratings([annotation.pk for annotation in annotations.values()])
    found = []
    for stored in old:
        said = stored.labelled.annotation
        place = (tasks[stored.solution_id], users[said.labeler]) if said else None
        annotation = annotations.get(place) if place else None
        if annotation and _says(stored.labelled) == _stored(annotation, ratings):
            annotation = None
        facts = _other_facts(stored, rows[stored.solution_id])
        if facts or annotation:
            found.append(Difference(stored, facts, annotation))
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
    """Without the rows that say nothing: older versions made none of them for a person's own steps."""
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


def _other_facts(stored: StoredSolution, row: Solution) -> dict[str, Any]:
    said = stored.labelled.solution
    facts = {name: getattr(said, name) for name in FACTS}
    other = {name: value for name, value in facts.items() if value not in (None, getattr(row, name))}
    labels = {name: said.extra[name] for name in MACHINE_LABELS if name in said.extra}
    if any(row.extra.get(name) != value for name, value in labels.items()):
        other["extra"] = {**row.extra, **labels}
    return other


def put_right(
    differences: Sequence[Difference],
    tasks: Mapping[int, int],
    users: Mapping[str, int],
    answers: GivenAnswers,
) -> list[Inserted]:
    """Store what the file now says: of the solutions in their rows, and its labels as new revisions."""
    for difference in differences:
        if difference.facts:
            facts = {**difference.facts, **_graded_anew(difference, answers)}
            Solution.objects.filter(pk=difference.stored.solution_id).update(**facts)
    revised = {_place(each, tasks, users): each for each in differences if each.annotation}
    old = [each.annotation.pk for each in revised.values() if each.annotation]
    Annotation.objects.filter(pk__in=old).update(is_live=False)
    revisions = {place: each.annotation.revision + 1 for place, each in revised.items() if each.annotation}
    return insert_annotations(tasks, users, [each.stored for each in revised.values()], revisions)


def _graded_anew(difference: Difference, answers: GivenAnswers) -> dict[str, bool | None]:
    """The grade of an answer that the file put right without a word on it: the old grade was of another answer."""
    said = difference.stored.labelled.solution
    if "final_answer" not in difference.facts or said.is_correct is not None:
        return {}
    return {"is_correct": answers.is_correct(said)}


def _place(difference: Difference, tasks: Mapping[int, int], users: Mapping[str, int]) -> Place:
    said = difference.stored.labelled.annotation
    assert said is not None
    return tasks[difference.stored.solution_id], users[said.labeler]
