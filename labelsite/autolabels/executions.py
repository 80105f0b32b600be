"""Runs the code of solutions' steps in the sandbox, as a job, so that people see what each step printed.

A job's input names each path by its last step: the trajectory of a solution by its last chosen step, and an
alternative with code by itself, behind the chosen steps before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.autolabels.importers import identity_of, read_executions
from labelsite.autolabels.loading import Check
from labelsite.jobs.inputs import write_input
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from labelsite.problems.models import Step, Verdict
from labelsite.problems.services import store_outcomes
from ml.errors import MisstepError
from ml.segmentation import split_code

TASK = "labelsite.autolabels.tasks.run_executions"
JOB_SIZE = 2000
FENCE = "```"


def start_executions(solutions: Sequence[int], created_by: User | None = None) -> list[Job]:
    """Queue the execution of these solutions' code, in jobs of bounded size."""
    return [
        enqueue(
            kind="ml",
            verb="execute",
            spec={
                "solutions": part,
                "arguments": [
                    *("--solutions", "{in}/paths.jsonl", "--format", "records"),
                    *("--out", "{out}/executions.jsonl"),
                ],
            },
            created_by=created_by,
            task_name=TASK,
            title=worded(gettext_noop("Run the code of %(count)s solutions"), count=len(part)),
        )
        for start in range(0, len(solutions), JOB_SIZE)
        if (part := list(solutions[start : start + JOB_SIZE]))
    ]


def without_outcome(campaign: str) -> list[int]:
    """The solutions of the campaign of that name with code to run: nobody has yet, or the sandbox failed.

    Code behind a step that failed is not run, so it waits for nothing.
    """
    steps = Step.objects.filter(
        Q(verdict=None) | Q(verdict=Verdict.INFRASTRUCTURE),
        solution__tasks__campaign__name=campaign,
        text__contains=FENCE,
    )
    found = steps.order_by("solution_id").distinct("solution_id").values_list("solution_id", flat=True)
    parts = [list(found[start : start + JOB_SIZE]) for start in range(0, len(found), JOB_SIZE)]
    return [
        [*trajectory, *alternatives][0].solution_id
        for part in parts
        for trajectory, alternatives in _rows(part)
        if _waits(trajectory, alternatives)
    ]


def prepare_paths(job: Job, folder: Path) -> None:
    """Write the paths for the child to run."""
    paths = _paths(job.spec["solutions"])
    rows = ({"id": str(last), "problem": "-", "steps": texts} for last, texts in paths)
    write_input(folder / "paths.jsonl", rows)


def load_executions(path: Path, check: Check = lambda: None) -> dict[str, Any]:
    """Store what each step printed, and how it ended."""
    paths = {identity_of(line.id): line.outcomes for line in read_executions(path)}
    check()
    told: dict[int, tuple[str, str]] = {}
    for last, ids in _step_ids(list(paths)).items():
        if len(ids) != len(paths[last]):
            raise MisstepError(f"the output has {len(paths[last])} steps up to {last}, expected {len(ids)}")
        told |= {step: outcome for step, outcome in zip(ids, paths[last], strict=True) if outcome}
    return {"paths": len(paths), "steps": store_outcomes(told)}


def _rows(solutions: Iterable[int]) -> Iterator[tuple[list[Step], list[Step]]]:
    """Each solution's trajectory and its alternatives."""
    steps = Step.objects.filter(solution__in=list(solutions)).order_by("solution_id", "position", "option")
    for _solution, group in groupby(steps, key=lambda step: step.solution_id):
        rows = list(group)
        chosen = [step for step in rows if step.is_chosen]
        trajectory = [step for place, step in enumerate(chosen) if step.position == place]
        yield trajectory, [step for step in rows if not step.is_chosen]


def _has_code(step: Step) -> bool:
    return split_code(step.text)[1] is not None


def _waits(trajectory: Sequence[Step], alternatives: Sequence[Step]) -> bool:
    """Whether another run could tell more of any step."""
    unfinished = (step for step in trajectory if step.verdict != Verdict.OK and _has_code(step))
    end = next(unfinished, None)
    if end is not None and end.verdict != Verdict.PROGRAM_ERROR:
        return True
    reached = len(trajectory) if end is None else end.position
    return any(
        step.verdict in (None, Verdict.INFRASTRUCTURE) and _has_code(step)
        for step in alternatives
        if step.position <= reached
    )


def _paths(solutions: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
    for trajectory, alternatives in _rows(solutions):
        texts = [step.text for step in trajectory]
        if any(map(_has_code, trajectory)):
            yield trajectory[-1].pk, texts
        for step in alternatives:
            if step.position <= len(texts) and _has_code(step):
                yield step.pk, [*texts[: step.position], step.text]


def _step_ids(ends: Sequence[int]) -> Mapping[int, list[int]]:
    """The steps of each path, found again by its end."""
    solutions = Step.objects.filter(pk__in=ends).values_list("solution_id", flat=True).distinct()
    wanted, found = set(ends), {}
    for trajectory, alternatives in _rows(solutions):
        ids = [step.pk for step in trajectory]
        for step in [*trajectory[-1:], *alternatives]:
            if step.pk in wanted:
                found[step.pk] = [*ids[: step.position], step.pk]
    return found
