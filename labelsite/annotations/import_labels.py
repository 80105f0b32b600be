"""The labels of an imported file: annotations of machine users, and a rating row for every option named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection

from labelsite.accounts.models import User
from labelsite.annotations.known_answers import IMPORTED
from labelsite.annotations.models import Annotation, Origin
from labelsite.problems.identity import Look
from labelsite.problems.models import Step
from labelsite.problems.services import COPY_ESCAPES, StoredSolution, copy_lines
from ml.errors import MisstepError
from ml.formats import label_rules
from ml.records import FinishReason, LabelledSolution

# The key in `Annotation.extra` under which a file's own time of labelling is kept.
LABELLED_AT_KEY = "labelled_at"
_StepsByPlace = Mapping[tuple[int, int], int]
# The ids of a task and of the user who labelled it.
Place = tuple[int, int]


def machine_user(labeler: str) -> User:
    """The user to whom imported labels belong: it has no password and can never log in."""
    username = labeler if labeler.startswith(IMPORTED) else f"{IMPORTED}{labeler}"
    user, created = User.objects.get_or_create(username=username, defaults={"is_machine": True})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if not user.is_machine:
        raise MisstepError(f"the user {username!r} is a person, expected a name that only imports use")
    return user


@dataclass(frozen=True, slots=True)
class Said:
    """What an imported annotation comes to: its ratings along the trajectory, and the rule that it breaks."""

    trajectory: list[int]
    broken_rule: str


def said_in(labelled: LabelledSolution) -> Said:
    """The ratings from step 0 up to the first step without one, and the first label rule that they break.

    The rule is the reader's verdict, or else what the tables would refuse.
    """
    annotation = labelled.annotation
    assert annotation is not None
    ratings = label_rules.trajectory_ratings(labelled.solution, annotation)
    until = ratings.index(None) if None in ratings else len(ratings)
    trajectory = [rating for rating in ratings[:until] if rating is not None]
    return Said(
        trajectory, labelled.broken_rule or _refused_by_the_tables(trajectory, annotation.finish_reason)
    )


def _refused_by_the_tables(trajectory: list[int], reason: FinishReason) -> str:
    if -1 in trajectory[:-1]:
        return "rated_after_the_first_mistake"
    if (trajectory[-1:] == [-1]) != (reason == FinishReason.FOUND_ERROR):
        return "found_error_without_mistake"
    return "solution_not_finished" if reason == FinishReason.SOLUTION and not trajectory else ""


@dataclass(frozen=True, slots=True)
class Inserted:
    """A new annotation's id, what it says, and whether that breaks a label rule."""

    id: int
    stored: StoredSolution
    breaks_a_rule: bool


def machine_users(labelled: Iterable[StoredSolution]) -> dict[str, int]:
    """The ids of the users to whom the labels of these records belong, by their labelers."""
    labelers = {stored.labelled.annotation.labeler for stored in labelled if stored.labelled.annotation}
    return {labeler: machine_user(labeler).pk for labeler in labelers}


def insert_annotations(
    tasks: Mapping[int, int],
    users: Mapping[str, int],
    labelled: Sequence[StoredSolution],
    revisions: Mapping[Place, int] = {},
) -> list[Inserted]:
    """Insert the annotations that are not there yet, and return those. revisions: of those that are not the first."""
    by_place: dict[Place, StoredSolution] = {}
    for stored in labelled:
        assert stored.labelled.annotation is not None
        place = (tasks[stored.solution_id], users[stored.labelled.annotation.labeler])
        by_place.setdefault(place, stored)
    gone_on = [stored.solution_id for stored in by_place.values() if _goes_on_alone(stored.labelled)]
    known = _find_steps(gone_on) if gone_on else {}
    columns = [
        (*place, *_annotation_values(stored, known), revisions.get(place, 1))
        for place, stored in by_place.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO annotations_annotation (task_id, annotator_id, finish_reason, reason, trajectory,"
            " total_time_ms, broken_rule, extra, revision, is_live, origin, exposure, guideline_version,"
            " idempotency_key, created_at)"
            " SELECT task, annotator, finish_reason, reason, trajectory::smallint[], total_time_ms,"
            " broken_rule, extra, revision, true, %s, 'never', 1, gen_random_uuid(), now()"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[],"
            " %s::text[], %s::jsonb[], %s::smallint[]) AS new (task, annotator, finish_reason, reason, trajectory,"
            " total_time_ms, broken_rule, extra, revision)"
            " ON CONFLICT (task_id, annotator_id, revision) DO NOTHING"
            " RETURNING id, task_id, annotator_id, broken_rule <> ''",
            [Origin.IMPORT.value, *[[row[index] for row in columns] for index in range(9)]],
        )
        return [
            Inserted(identity, by_place[task, user], breaks_a_rule)
            for identity, task, user, breaks_a_rule in cursor.fetchall()
        ]


def _goes_on_alone(labelled: LabelledSolution) -> bool:
    """Whether the person reached the answer through steps of their own, from the first mistake on."""
    annotation = labelled.annotation
    assert annotation is not None
    return annotation.finish_reason == FinishReason.SOLUTION and annotation.first_mistake is not None


def _own_steps(stored: StoredSolution, known: Mapping[int, _StepsByPlace]) -> list[int]:
    annotation, steps = stored.labelled.annotation, _steps_of(stored, known)
    assert annotation is not None
    return [
        steps[place, position.chosen]
        for place, position in enumerate(stored.labelled.solution.positions)
        if place >= (annotation.first_mistake or 0) and position.chosen is not None
    ]


def _annotation_values(stored: StoredSolution, known: Mapping[int, _StepsByPlace]) -> tuple[Any, ...]:
    labelled = stored.labelled
    annotation = labelled.annotation
    assert annotation is not None
    extra = dict(annotation.extra)
    if _goes_on_alone(labelled):
        extra["written"] = _own_steps(stored, known)
    if annotation.created_at is not None:
        extra[LABELLED_AT_KEY] = annotation.created_at
    said = said_in(labelled)
    trajectory = ",".join(map(str, said.trajectory))
    return (
        str(annotation.finish_reason),
        annotation.reason,
        f"{{{trajectory}}}",
        annotation.total_time_ms,
        said.broken_rule,
        json.dumps(extra, ensure_ascii=False),
    )


def looks_at(solutions: Sequence[int]) -> dict[int, Look]:
    """Who looked at imported solutions and when, in the words of their file."""
    rows = Annotation.objects.filter(task__solution__in=solutions, origin=Origin.IMPORT).values_list(
        "task__solution", "extra__labeler", f"extra__{LABELLED_AT_KEY}"
    )
    return {
        solution: (labeler, labelled_at) if labeler else (None, None)
        for solution, labeler, labelled_at in rows
    }


def copy_ratings(annotations: Sequence[Inserted]) -> None:
    """Write the rating of every option that the file names, unrated ones (null) included."""
    known = _find_steps([new.stored.solution_id for new in annotations if new.stored.step_ids is None])
    copy_lines(
        "annotations_steprating (annotation_id, step_id, rating, flagged, milliseconds, note)",
        (line for new in annotations for line in _rating_lines(new, _steps_of(new.stored, known))),
    )


def _rating_lines(new: Inserted, steps: _StepsByPlace) -> Iterator[str]:
    annotation = new.stored.labelled.annotation
    assert annotation is not None
    for given in annotation.ratings:
        step_id = steps[given.position, given.option]
        rating, flagged, milliseconds = (
            r"\N" if value is None else value for value in (given.rating, given.flagged, given.milliseconds)
        )
        note = given.note.translate(COPY_ESCAPES)
        yield f"{new.id}\t{step_id}\t{rating}\t{flagged}\t{milliseconds}\t{note}\n"


def _steps_of(stored: StoredSolution, known: Mapping[int, _StepsByPlace]) -> _StepsByPlace:
    """The ids of one solution's steps, by position and option."""
    if stored.step_ids is None:
        return known.get(stored.solution_id, {})
    places = (
        (place, option)
        for place, position in enumerate(stored.labelled.solution.positions)
        for option in range(len(position.options))
    )
    return dict(zip(places, stored.step_ids, strict=True))


def _find_steps(solutions: Sequence[int]) -> dict[int, _StepsByPlace]:
    """The steps of solutions that were there before. They are found by their place and never counted off: people may
    have written steps between those that the file knows.
    """
    rows = (
        Step.objects.filter(solution__in=solutions)
        .order_by("solution_id")
        .values_list("solution_id", "position", "option", "id")
    )
    return {
        solution: {(position, option): identity for _, position, option, identity in steps}
        for solution, steps in groupby(rows, key=itemgetter(0))
    }
