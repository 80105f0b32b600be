"""Loads a finished run's files into its tables: streamed with COPY, all of it or nothing.

The caller holds the transaction, and the job's row decides at its end (see `jobs.services.perform`): a runner
that lost its lease meanwhile leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from labelsite.autolabels.disputes import load_disputed
from labelsite.autolabels.importers import (
    identity_of,
    read_object,
    read_scores,
)
from labelsite.autolabels.models import (
    EstimateRun,
    ScoreRun,
    SearchTree,
    Shard,
    SolutionEstimate,
    StepEstimate,
    StepScore,
)
from labelsite.autolabels.unanswered import load_unanswered
from labelsite.problems.models import Problem, Step
from labelsite.statements import check_references_at_once, refresh_statistics
from ml.errors import MisstepError
from ml.json_lines import storable
from ml.records import SolutionEstimate as EstimateRecord
from ml.result_lines import read_estimates, read_trees

BATCH = 1000
# What a run's record counts that its page tells.
TOLD = ("decided_answers", "unanswered", "ungraded")
Check = Callable[[], None]
Line = TypeVar("Line")


def load_shard(shard: Shard, folder: Path, check: Check = lambda: None) -> dict[str, Any]:
    """Load one job's part; the run is loaded when this was the last part that was missing."""
    with transaction.atomic():
        # The lock makes two shards that end together take turns: exactly one of them is the last.
        run = EstimateRun.objects.select_for_update().get(pk=shard.run_id)
        if Shard.objects.filter(pk=shard.pk, loaded_at__isnull=False).exists():
            return {"already_loaded": True}
        counts = _load_part(run, folder, shard.size, check)
        Shard.objects.filter(pk=shard.pk).update(loaded_at=timezone.now())
        if not run.shards.filter(loaded_at__isnull=True).exists():
            _call_loaded(run)
    return counts


def load_estimates(run: EstimateRun, folder: Path) -> dict[str, Any]:
    """Load a whole run from one folder, as a command run by hand left it; what it had before is replaced."""
    with transaction.atomic():
        run = EstimateRun.objects.select_for_update().get(pk=run.pk)
        run.step_estimates.all().delete()
        run.solution_estimates.all().delete()
        run.trees.all().delete()
        run.disputed_answers.all().delete()
        run.unanswered_problems.all().delete()
        run.cost = {}
        counts = _load_part(run, folder, None, lambda: None)
        _call_loaded(run)
    return counts


def load_scores(run: ScoreRun, path: Path, check: Check = lambda: None) -> dict[str, Any]:
    """Load a score file; what the run had before is replaced."""
    solutions = steps = 0
    with transaction.atomic():
        check_references_at_once()
        run.step_scores.all().delete()
        for batch in _batches(read_scores(path)):
            check()
            step_ids = _trajectories([identity_of(line.id) for line in batch])
            rows = [
                (run.pk, step_id, score)
                for line in batch
                for step_id, score in zip(
                    _matching(step_ids, line.id, len(line.scores)), line.scores, strict=True
                )
                if score is not None
            ]
            _copy("autolabels_stepscore", ("run_id", "step_id", "score"), rows)
            solutions, steps = solutions + len(batch), steps + len(rows)
        refresh_statistics(StepScore)
        ScoreRun.objects.filter(pk=run.pk).update(loaded_at=timezone.now())
    return {"solutions": solutions, "steps": steps}


def _call_loaded(run: EstimateRun) -> None:
    refresh_statistics(StepEstimate, SolutionEstimate)
    run.loaded_at = timezone.now()
    run.save(update_fields=["loaded_at"])


def _load_part(run: EstimateRun, folder: Path, expected: int | None, check: Check) -> dict[str, Any]:
    """Add one folder's estimates or trees to the run, and what its run.json tells."""
    described = read_object(folder / "run.json")
    check_references_at_once()
    if (folder / "trees.jsonl").exists():
        counts = _load_trees(run, folder / "trees.jsonl", check)
    else:
        counts = _load_solutions(run, folder / "estimates.jsonl", check)
    if (folder / "disputed_answers.jsonl").exists():
        load_disputed(run, folder / "disputed_answers.jsonl", of_solutions="solutions" in counts)
    if (folder / "unanswered.jsonl").exists():
        load_unanswered(run, folder / "unanswered.jsonl", of_solutions="solutions" in counts)
    found = counts.get("solutions", counts.get("trees", 0))
    if expected is not None and found != expected:
        raise MisstepError(f"{folder} holds results of {found} items, expected {expected}")
    run.code_version = _merged(run.code_version, described.get("code_version"))[:80]
    run.sandbox_level = _merged(run.sandbox_level, described.get("sandbox_level"))
    beside = {name: described[name] for name in ("value_model", "reference") if described.get(name)}
    run.parameters = {**described.get("parameters", {}), **beside, **run.parameters}
    told = {name: described.get("counts", {}).get(name, 0) for name in TOLD}
    run.cost = _sum(run.cost, {**described.get("cost", {}), **told, **counts})
    run.save(update_fields=["code_version", "sandbox_level", "parameters", "cost"])
    return counts


def _load_solutions(run: EstimateRun, path: Path, check: Check) -> dict[str, int]:
    solutions = steps = 0
    for batch in _batches(read_estimates(path)):
        check()
        steps += _copy_estimates(run, batch)
        solutions += len(batch)
    return {"solutions": solutions, "steps": steps}


def _copy_estimates(run: EstimateRun, batch: Sequence[EstimateRecord]) -> int:
    step_ids = _trajectories([identity_of(line.id) for line in batch])
    step_rows = [
        (run.pk, step_id, step.visits, step.correct, step.q_value, step.hard, step.soft, step.quality_value)
        for line in batch
        for step_id, step in zip(_matching(step_ids, line.id, len(line.steps)), line.steps, strict=True)
    ]
    _copy(
        "autolabels_solutionestimate",
        ("run_id", "solution_id", "first_mistake", "is_known", "q_values", "soft_values", "sandbox_level"),
        (
            (
                run.pk,
                int(line.id),
                line.first_mistake,
                line.first_mistake is not None or all(step.hard is not None for step in line.steps),
                [step.q_value for step in line.steps],
                [step.soft for step in line.steps],
                (line.sandbox_level or "")[:80],
            )
            for line in batch
        ),
    )
    _copy(
        "autolabels_stepestimate",
        ("run_id", "step_id", "visits", "correct", "q_value", "hard", "soft", "quality_value"),
        step_rows,
    )
    return len(step_rows)


def _load_trees(run: EstimateRun, path: Path, check: Check) -> dict[str, int]:
    trees = nodes = 0
    for batch in _batches(read_trees(path), size=50):
        check()
        known = set(
            Problem.objects.filter(pk__in=[identity_of(line.id) for line in batch]).values_list(
                "pk", flat=True
            )
        )
        for line in batch:
            if int(line.id) not in known:
                raise MisstepError(f"{path} names problem {line.id}, which is not here")
        SearchTree.objects.bulk_create(
            SearchTree(
                run=run,
                problem_id=int(line.id),
                node_count=line.node_count,
                data=storable(dict(line.data)),
            )
            for line in batch
        )
        trees, nodes = trees + len(batch), nodes + sum(line.node_count for line in batch)
    return {"trees": trees, "nodes": nodes}


def _trajectories(solution_ids: Sequence[int]) -> dict[int, list[int]]:
    """The ids of each solution's chosen steps, in order: the steps that the job was given."""
    rows = (
        Step.objects.filter(solution_id__in=solution_ids, is_chosen=True)
        .order_by("solution_id", "position")
        .values_list("solution_id", "position", "pk")
    )
    found = {}
    for solution_id, steps in groupby(rows, key=itemgetter(0)):
        # The trajectory ends at the first position where nothing was chosen, as in `ml.records.Solution`.
        found[solution_id] = [
            step_id for place, (_, position, step_id) in enumerate(steps) if place == position
        ]
    return found


def _matching(step_ids: dict[int, list[int]], identity: str, count: int) -> list[int]:
    """The step ids that belong to one line; raises MisstepError when it tells of another number of steps."""
    steps = step_ids.get(int(identity))
    if steps is None:
        raise MisstepError(f"the output names solution {identity}, which is not here")
    if len(steps) != count:
        raise MisstepError(f"the output has {count} steps for solution {identity}, expected {len(steps)}")
    return steps


def _copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _batches(lines: Iterator[Line], size: int = BATCH) -> Iterator[list[Line]]:
    while batch := list(islice(lines, size)):
        yield batch


def _sum(before: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Add up what shards report. Seconds of shards that ran side by side are summed too: machine time."""
    numbers = {key: value for key, value in more.items() if isinstance(value, int | float)}
    return {key: before.get(key, 0) + numbers.get(key, 0) for key in {**before, **numbers}}


def _merged(before: str, more: Any) -> str:
    """Distinct values in order; shards of one run usually agree."""
    values = dict.fromkeys(value for value in f"{before}, {more or ''}".split(", ") if value)
    return ", ".join(values)
