"""Starts runs that judge steps by machine. What a run needs to be made again stands in its row.

A large set is cut into shards, one job each, so that a run spreads over as many workers and hosts as listen
on the queue. `loading.py` joins them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.autolabels import workload
from labelsite.autolabels.disputes import lines_of, words_on
from labelsite.autolabels.models import EstimateRun, ScoreRun, Shard
from labelsite.autolabels.parameters import method_in_words
from labelsite.autolabels.pilots import PILOT_TASK, problems_for_pilot, solutions_for_pilot
from labelsite.autolabels.requests import METHODS_OWN, Request
from labelsite.autolabels.shards import shard_size_for
from labelsite.autolabels.workload import Workload
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.inputs import write_input
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from labelsite.problems.models import Problem, Solution
from labelsite.problems.queries import records_of, with_steps
from labelsite.wording import Sayable, said
from ml.errors import MisstepError
from ml.search.named_options import FRESH

ESTIMATE_TASK = "labelsite.autolabels.tasks.run_estimates"
SCORE_TASK = "labelsite.autolabels.tasks.run_scores"
# Where the child finds what people said of answers that the graders judge differently.
DECIDED = ("--decided", "{in}/decided.jsonl")


def start_estimates(
    solutions: QuerySet[Solution],
    method: str = "math-shepherd",
    policy: str = "pocket",
    rollouts: int | None = None,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    name: Sayable = "",
    shard_size: int | None = None,
    task_name: str = ESTIMATE_TASK,
    spec: Mapping[str, Any] | None = None,
    is_pilot: bool = False,
) -> EstimateRun:
    """Let rollouts judge every step of the given solutions, as one job or as many.

    Solutions of problems without a reference answer are left out where rollouts are graded against it, and those
    without a step, which no command reads. `task_name` and `spec` let an app further right load the results its own
    way. A pilot only measures the cost on a few of them. Raises MisstepError when none is left.
    """
    request = Request(method, policy, rollouts or METHODS_OWN, seed, parameters or {})
    judged = workload.to_judge(solutions, request).order_by("pk")
    chosen = solutions_for_pilot(judged, request) if is_pilot else judged.values_list("pk", flat=True)
    ids = list(chosen)
    if not ids:
        raise MisstepError(_nothing_to_judge(request))
    words = {"method": method_in_words(request.method), "count": len(ids)}
    return _start_run(
        request,
        name or worded(gettext_noop("%(method)s over %(count)s solutions"), **words),
        "solutions",
        ids,
        workload.of_solutions(Solution.objects.filter(pk__in=ids) if is_pilot else judged, request),
        shard_size=shard_size,
        created_by=created_by,
        task_name=PILOT_TASK if is_pilot else task_name,
        spec=spec,
        is_pilot=is_pilot,
    )


def start_search(
    problems: QuerySet[Problem],
    method: str = "rstar",
    policy: str = "pocket",
    rollouts: int | None = None,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    name: Sayable = "",
    shard_size: int | None = None,
    is_pilot: bool = False,
) -> EstimateRun:
    """Search fresh problems; the run's trees are kept, but for a pilot's. Raises MisstepError when no problem has an
    answer.
    """
    request = Request(method, policy, rollouts or METHODS_OWN, seed, parameters or {}, FRESH)
    searched = workload.to_search(problems).order_by("pk")
    ids = problems_for_pilot(searched) if is_pilot else list(searched.values_list("pk", flat=True))
    if not ids:
        raise MisstepError(_("no problem with a reference answer, expected at least one"))
    words = {"method": method_in_words(request.method), "count": len(ids)}
    return _start_run(
        request,
        name or worded(gettext_noop("%(method)s search of %(count)s problems"), **words),
        "problems",
        ids,
        workload.of_problems(Problem.objects.filter(pk__in=ids), request),
        shard_size=shard_size,
        created_by=created_by,
        task_name=PILOT_TASK if is_pilot else ESTIMATE_TASK,
        is_pilot=is_pilot,
    )


def start_scores(
    solutions: QuerySet[Solution],
    checkpoint_folder: str | Path,
    checkpoint_sha256: str,
    created_by: User | None = None,
    name: Sayable = "",
    task_name: str = SCORE_TASK,
    spec: Mapping[str, Any] | None = None,
) -> ScoreRun:
    """Let a checkpoint score every step of the given solutions. Raises MisstepError when no solution has a step."""
    ids = list(with_steps(solutions).order_by("pk").values_list("pk", flat=True))
    if not ids:
        raise MisstepError(_("no solution with a step to score, expected at least one"))
    title = name or worded(gettext_noop("scores of %(count)s solutions"), count=len(ids))
    source = ["--solutions", "{in}/solutions.jsonl", "--format", "records", "--out", "{out}/scores.jsonl"]
    with transaction.atomic():
        job = enqueue(
            kind="ml",
            verb="score",
            spec={
                **(spec or {}),
                "solutions": ids,
                "arguments": ["--checkpoint", str(checkpoint_folder), "--device", "auto", *source],
            },
            queue="gpu",
            created_by=created_by,
            task_name=task_name,
            title=title,
        )
        return ScoreRun.objects.create(name=said(title)[:120], job=job, checkpoint_sha256=checkpoint_sha256)


def cancel_run(run: EstimateRun) -> None:
    """Ask every job of the run to end; what finished shards brought stays."""
    for shard in run.shards.select_related("job").defer("job__spec", "job__result"):
        cancel(shard.job)


def prepare_input(job: Job, folder: Path) -> None:
    """Write the job's solutions or problems for the child to read; called at the start of every attempt.

    Once written they stay as they are (see `jobs.inputs`).
    """
    if "decided" in job.spec:
        write_input(folder / "decided.jsonl", lines_of(job.spec["decided"]))
    if "problems" in job.spec:
        problems = Problem.objects.filter(pk__in=job.spec["problems"]).order_by("pk")
        rows: Iterable[Mapping[str, Any]] = (
            {"id": str(problem.pk), "problem": problem.text, "answer": problem.answer} for problem in problems
        )
        write_input(folder / "problems.jsonl", rows)
        return
    write_input(
        folder / "solutions.jsonl",
        (
            {
                "id": record.id,
                "problem": record.problem.text,
                "answer": record.problem.answer,
                "steps": list(record.steps),
                "final_answer": record.final_answer,
                "is_correct": record.is_correct,
            }
            for record in records_of(job.spec["solutions"])
        ),
    )


SOURCES: Mapping[str, Sequence[str]] = {
    "solutions": ("--solutions", "{in}/solutions.jsonl", "--format", "records"),
    "problems": ("--problems", "{in}/problems.jsonl"),
}


def _nothing_to_judge(request: Request) -> str:
    if request.needs_answers:
        return _("no solution with a step whose problem has a reference answer, expected at least one")
    return _("no solution with a step to judge, expected at least one")


def _start_run(
    request: Request,
    title: Sayable,
    kind: str,
    ids: Sequence[int],
    work: Workload,
    *,
    shard_size: int | None,
    created_by: User | None,
    task_name: str,
    spec: Mapping[str, Any] | None = None,
    is_pilot: bool = False,
) -> EstimateRun:
    if is_pilot:
        title = worded(gettext_noop("Cost of %(run)s"), run=title)
    size = shard_size or shard_size_for(len(ids))
    parts = [ids[start : start + size] for start in range(0, len(ids), size)]
    arguments = [*SOURCES[kind], *request.arguments()]
    with transaction.atomic():
        run = EstimateRun.objects.create(
            name=said(title)[:120],
            method=request.method,
            policy=request.policy,
            parameters=request.recorded(),
            seed=request.seed,
            workload=work.as_json(),
            is_pilot=is_pilot,
        )
        for number, part in enumerate(parts):
            job = enqueue(
                kind="ml",
                verb="autolabel",
                spec={**(spec or {}), **_spec_of(kind, part, arguments)},
                created_by=created_by,
                task_name=task_name,
                title=_of_part(title, number + 1, len(parts)),
            )
            Shard.objects.create(run=run, number=number, job=job, size=len(part))
    return run


def _of_part(title: Sayable, number: int, count: int) -> Sayable:
    if count == 1:
        return title
    return worded("%(run)s · %(number)s/%(count)s", run=title, number=number, count=count)


def _spec_of(kind: str, part: Sequence[int], arguments: Sequence[str]) -> dict[str, Any]:
    """What one job is to do with its part of the run's solutions or problems, and people's word on their answers."""
    words = words_on(part if kind == "problems" else _problems_of(part))
    decided = {"decided": words} if words else {}
    return {
        **decided,
        kind: part,
        "arguments": [*arguments, *(DECIDED if words else ()), "--out", "{out}"],
    }


def _problems_of(solutions: Sequence[int]) -> QuerySet[Solution, int]:
    return Solution.objects.filter(pk__in=solutions).order_by().values_list("problem", flat=True)
