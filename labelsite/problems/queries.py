"""Reads solutions back as the records that cross every border: a fixed number of queries for each chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from django.db.models import Exists, OuterRef, QuerySet

from labelsite.problems import models
from labelsite.problems.services import PROBLEM_KEY
from labelsite.problems.streaming import in_chunks
from ml.records import Option, Position, Problem, Solution

CHUNK = 500
_StepRow = tuple[int, int, int, str, str, bool]


def with_steps(solutions: QuerySet[models.Solution]) -> QuerySet[models.Solution]:
    """Those whose trajectory has a step; PRM800K has solutions that somebody gave up before the first was chosen."""
    first = models.Step.objects.filter(solution=OuterRef("pk"), position=0, is_chosen=True)
    return solutions.filter(Exists(first))


def trajectory_length(solution: models.Solution) -> int:
    """How many steps its trajectory has, which ends before the first position where nothing is chosen."""
    chosen = models.Step.objects.filter(solution=solution, is_chosen=True)
    places = chosen.order_by("position").values_list("position", flat=True)
    return sum(place == position for place, position in enumerate(places))


def as_records(solutions: QuerySet[models.Solution]) -> Iterator[Solution]:
    """Each solution as a record whose id is its row's, so that what comes back from a job finds its row."""
    for row, positions in with_positions(solutions):
        yield record_of(row, positions, str(row.pk))


def records_of(ids: Iterable[int]) -> Iterator[Solution]:
    """The solutions of these ids as records, in their order; asked for part by part, because a query for each chunk of
    them would name all the ids again.
    """
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), CHUNK):
        yield from as_records(
            models.Solution.objects.filter(pk__in=wanted[start : start + CHUNK]).order_by("pk")
        )


def with_positions(
    solutions: QuerySet[models.Solution],
) -> Iterator[tuple[models.Solution, tuple[Position, ...]]]:
    """Each row of a queryset with its positions; keeps the queryset's order and streams it."""
    for chunk in in_chunks(solutions.select_related("problem"), CHUNK):
        positions = positions_of(chunk)
        for row in chunk:
            yield row, positions[row.pk]


def positions_of(solutions: list[models.Solution]) -> dict[int, tuple[Position, ...]]:
    """The positions of a few solutions, by the solution's id, in one query."""
    steps = (
        models.Step.objects.filter(solution__in=[solution.pk for solution in solutions])
        .order_by("solution_id", "position", "option")
        .values_list("solution_id", "position", "option", "text", "source", "is_chosen")
    )
    grouped: dict[int, list[_StepRow]] = {
        identity: list(rows) for identity, rows in groupby(steps, key=itemgetter(0))
    }
    return {
        solution.pk: _positions(grouped.get(solution.pk, []), solution.position_count)
        for solution in solutions
    }


def record_of(row: models.Solution, positions: tuple[Position, ...], identity: str) -> Solution:
    """The record of one row; its problem is the one that its file described."""
    extra = dict(row.extra)
    own_view = extra.pop(PROBLEM_KEY, {})
    return Solution(
        id=identity,
        problem=Problem(
            id=own_view.get("id", row.problem.external_id),
            text=row.problem.text,
            answer=row.problem.answer,
            reference_solution=own_view.get("reference_solution", row.problem.reference_solution),
        ),
        positions=positions,
        generator=row.generator,
        final_answer=row.final_answer,
        is_correct=row.is_correct,
        extra=extra,
    )


def _positions(rows: list[_StepRow], count: int) -> tuple[Position, ...]:
    """Rows of one solution, sorted, as positions; one without rows is PRM800K's open position.

    Steps that an annotator wrote may stand behind the last position that the solution came with.
    """
    count = max(count, rows[-1][1] + 1 if rows else 0)
    options: list[list[Option]] = [[] for _ in range(count)]
    chosen: list[int | None] = [None] * count
    for _, position, option, text, source, is_chosen in rows:
        options[position].append(Option(text, source))
        if is_chosen:
            chosen[position] = option
    return tuple(Position(tuple(texts), pick) for texts, pick in zip(options, chosen, strict=True))
