"""What people and rollouts said of a campaign's solutions: a fixed number of queries for each chunk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation, StepRating
from labelsite.autolabels.models import EstimateRun, StepEstimate
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.comparison.models import Adjudication
from labelsite.problems.models import Solution, Step
from labelsite.problems.queries import positions_of
from labelsite.problems.streaming import in_chunks
from ml.records import Position
from ml.targets.consensus import Look, Verdict, is_reported, people_first, unheard, verdict_or_ratings
from ml.targets.file_rows import QUALITY_CONTROL_FLAGS
from ml.targets.series import SERIES

CHUNK = 500
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One solution of a campaign with everything that was said of it. `estimates`: by (position, option).

    is_bad_problem: people reported the problem, and no verdict on the solution outweighs them.
    """

    solution: Solution
    positions: tuple[Position, ...]
    verdict: Verdict | None
    estimates: dict[Place, dict[str, Any]] | None
    is_bad_problem: bool = False

    @property
    def steps(self) -> list[str]:
        """The texts on the trajectory, up to the first position where nothing is chosen."""
        return [position.options[chosen].text for position, chosen in self.trajectory]

    @property
    def trajectory(self) -> list[tuple[Position, int]]:
        """Each position on the trajectory with its chosen option."""
        places: list[tuple[Position, int]] = []
        for position in self.positions:
            if position.chosen is None:
                break
            places.append((position, position.chosen))
        return places


def read_evidence(
    campaign: Campaign,
    run: EstimateRun | None,
    dropped: Counter[str],
    tasks: QuerySet[Task] | None = None,
    given_up: str = "drop",
    is_gold: bool = False,
    asks_people: bool = True,
) -> Iterator[Evidence]:
    """Every solution of the campaign that may be trained on, in a fixed order; counts the rest.

    tasks: only these of the campaign's tasks are read. given_up: with `keep`, what was rated before everybody gave up
    stands in the place of a verdict. is_gold: these test people; no reviewer's word on them is read. asks_people: else
    no look is read, and none is counted as left out.
    """
    chosen = campaign.tasks.all() if tasks is None else tasks
    ordered = chosen.select_related("solution__problem").order_by("solution_id")
    for chunk in in_chunks(ordered, CHUNK):
        yield from _read_chunk(chunk, run, dropped, given_up, is_gold, asks_people)


def judged_tasks(campaign: Campaign) -> QuerySet[Task]:
    """The tasks of which a person or a reviewer said anything."""
    looks = Annotation.objects.filter(task=OuterRef("pk"), is_live=True)
    words = Adjudication.objects.filter(task=OuterRef("pk"), is_live=True)
    return campaign.tasks.filter(Exists(looks) | Exists(words))


def _is_work(task: Task, adjudicated: bool, dropped: Counter[str]) -> bool:
    """Screening and gold items test people; what was set aside has no answer until a reviewer gives one."""
    if task.kind != TaskKind.WORK:
        dropped[f"{task.kind}_tasks"] += 1
    elif task.state == TaskState.SET_ASIDE and not adjudicated:
        dropped["set_aside_tasks"] += 1
    else:
        return True
    return False


def gold_tasks(campaign: Campaign) -> QuerySet[Task]:
    """The tasks by which people are tested, and whose first mistake is known."""
    return campaign.tasks.filter(kind=TaskKind.GOLD, gold__len__gt=0)


def _read_chunk(
    chunk: Sequence[Task],
    run: EstimateRun | None,
    dropped: Counter[str],
    given_up: str,
    is_gold: bool,
    asks_people: bool,
) -> Iterator[Evidence]:
    adjudications = Adjudication.objects.filter(task__in=chunk, is_live=True)
    words = {} if is_gold else dict(adjudications.values_list("task_id", "positions"))
    tasks = [task for task in chunk if is_gold or _is_work(task, task.pk in words, dropped)]
    solutions = [task.solution for task in tasks]
    positions = positions_of(solutions)
    looks = _looks(tasks, dropped) if asks_people else {}
    estimates = _estimates(run, solutions)
    for task in tasks:
        steps = sum(position.chosen is not None for position in positions[task.solution_id])
        said = people_first([look for look in looks.get(task.pk, []) if len(look.trajectory) <= steps])
        is_bad = not words.get(task.pk) and is_reported(said)
        dropped.update(["bad_problems"] if is_bad else [])
        verdict = None if is_bad else verdict_or_ratings(said, steps, words.get(task.pk), given_up)
        if unfinished := unheard(looks.get(task.pk, []), verdict):
            dropped["annotations_unfinished"] += unfinished
        yield Evidence(
            task.solution,
            positions[task.solution_id],
            verdict,
            estimates.get(task.solution_id),
            is_bad,
        )


def _looks(tasks: Iterable[Task], dropped: Counter[str]) -> dict[int, list[Look]]:
    """The live annotations that count, by task, in the order of annotators."""
    annotations = list(
        Annotation.objects.filter(task__in=list(tasks), is_live=True)
        .only("task", "annotator", "finish_reason", "trajectory", "broken_rule", "extra")
        .order_by("task_id", "annotator_id")
    )
    people = User.objects.in_bulk({annotation.annotator_id for annotation in annotations})
    for annotation in annotations:
        annotation.annotator = people[annotation.annotator_id]
    counted = [annotation for annotation in annotations if _counts(annotation, dropped)]
    options = _option_ratings(counted)
    left_at = _where_they_left_the_trajectory(counted)
    looks: dict[int, list[Look]] = defaultdict(list)
    for annotation in counted:
        machine = annotation.annotator.is_machine
        look = Look(
            annotator=str(annotation.annotator_id),
            labeler=annotation.annotator.username if machine else "annotator",
            finish_reason=annotation.finish_reason,
            trajectory=annotation.trajectory,
            options=options.get(annotation.pk, {}),
        )
        if annotation.pk in left_at:
            look = look.stopped_at(left_at[annotation.pk])
        looks[annotation.task_id].append(look)
    return looks


def _where_they_left_the_trajectory(annotations: Sequence[Annotation]) -> dict[int, int]:
    """The position at which a person wrote a step of their own, by annotation.

    Their ratings from there on are of their own steps: of the solution they said that it went wrong there. Of an
    imported one their steps are the solution, which they did not leave.
    """
    written = {
        min(annotation.extra["written"]): annotation.pk
        for annotation in annotations
        if annotation.extra.get("written")
    }
    if not written:
        return {}
    places = Step.objects.filter(pk__in=written, is_chosen=False).values_list("pk", "position")
    return {written[step]: position for step, position in places}


def _counts(annotation: Annotation, dropped: Counter[str]) -> bool:
    """Whether an annotation may speak; each reason to leave one out is counted by name."""
    reason = None
    if annotation.annotator.labels_excluded:
        reason = "annotations_of_excluded_labelers"
    elif any(annotation.extra.get(flag) for flag in QUALITY_CONTROL_FLAGS):
        reason = "annotations_for_quality_control"
    elif annotation.broken_rule:
        reason = "annotations_that_break_a_rule"
    if reason:
        dropped[reason] += 1
    return reason is None


def _option_ratings(annotations: Sequence[Annotation]) -> dict[int, dict[Place, int | None]]:
    """Ratings of options off the trajectory, by annotation."""
    ratings: dict[int, dict[Place, int | None]] = defaultdict(dict)
    rows = StepRating.objects.filter(
        annotation__in=[annotation.pk for annotation in annotations], step__is_chosen=False
    ).values_list("annotation_id", "step__position", "step__option", "rating")
    for annotation, position, option, rating in rows:
        ratings[annotation][position, option] = rating
    return ratings


def _estimates(
    run: EstimateRun | None, solutions: Sequence[Solution]
) -> dict[int, dict[Place, dict[str, Any]]]:
    if run is None:
        return {}
    found: dict[int, dict[Place, dict[str, Any]]] = defaultdict(dict)
    rows = StepEstimate.objects.filter(run=run, step__solution__in=solutions).values_list(
        "step__solution_id", "step__position", "step__option", *SERIES
    )
    for solution, position, option, *values in rows:
        found[solution][position, option] = dict(zip(SERIES, values, strict=True))
    return found
