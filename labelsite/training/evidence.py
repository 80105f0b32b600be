"""A campaign's labels and a checkpoint's scores, as the files that `python -m ml evaluate` compares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from django.db.models import Count, QuerySet

from labelsite.annotations.models import Annotation, FinishReason
from labelsite.autolabels.models import ScoreRun, StepScore
from labelsite.campaigns.models import Campaign, Task
from labelsite.comparison.models import Adjudication
from labelsite.problems.models import Solution
from labelsite.problems.queries import as_records
from ml.errors import MisstepError
from ml.snapshot import problem_hash

NONE = -1


def first_mistakes(campaign: Campaign) -> dict[int, int]:
    """Each labelled solution's first mistake (-1: none): gold, else a reviewer's word, else most people's.

    Where several positions are acceptable, or people are equally split, the earliest one counts.
    """
    found = _by_people(campaign)
    decided = Adjudication.objects.filter(task__campaign=campaign, is_live=True)
    found |= {
        solution: positions[0]
        for solution, positions in decided.values_list("task__solution_id", "positions")
    }
    gold = Task.objects.filter(campaign=campaign, gold__len__gt=0)
    found |= dict(gold.values_list("solution_id", "gold__0"))
    return found


def write_files(campaign: Campaign, run: ScoreRun, folder: Path) -> None:
    """Write solutions.jsonl (ProcessBench's format) and scores.jsonl, both by the solution's id."""
    truths = first_mistakes(campaign)
    solutions = Solution.objects.filter(pk__in=truths).order_by("pk")
    _write(
        folder / "solutions.jsonl",
        (
            {
                "id": record.id,
                "generator": record.generator or "unknown",
                "problem": record.problem.text,
                "steps": list(record.steps),
                "final_answer_correct": record.is_correct,
                "label": truths[int(record.id)],
            }
            for record in as_records(solutions)
        ),
    )
    _write(folder / "scores.jsonl", _scores(run, truths))


def has_choices(campaign: Campaign) -> bool:
    """Whether some problem of the campaign has several graded solutions to choose among."""
    return _graded(campaign).values("problem").annotate(count=Count("pk")).filter(count__gt=1).exists()


def write_pool(campaign: Campaign, run: ScoreRun, folder: Path, known: Collection[str] = ()) -> None:
    """Write pool.jsonl, a line for each problem with several graded solutions, and its candidates' scores.

    A problem's smallest number of solutions bounds n, so that one with a single solution would allow no choice.
    known: the problems that the checkpoint was trained on, by hash, which tell nothing of what it can do and are
    left out. Raises MisstepError where there are no others.
    """
    pools: dict[int, list[Solution]] = {}
    for solution in _graded(campaign).select_related("problem").order_by("pk"):
        if problem_hash(solution.problem.text) not in known:
            pools.setdefault(solution.problem_id, []).append(solution)
    chosen = {problem: found for problem, found in pools.items() if len(found) > 1}
    if not chosen:
        raise MisstepError(
            f"the checkpoint was trained on every problem of {campaign.name} with several graded solutions,"
            " expected others to choose among"
        )
    places = {one.pk: f"{problem}/{k}" for problem, found in chosen.items() for k, one in enumerate(found)}
    _write(
        folder / "pool.jsonl",
        (
            {
                "id": str(problem),
                "candidates": [
                    {"final_answer": one.final_answer or None, "is_correct": one.is_correct} for one in found
                ],
            }
            for problem, found in chosen.items()
        ),
    )
    scores = _scores(run, places)
    _write(folder / "scores.jsonl", ({**line, "id": places[int(line["id"])]} for line in scores))


def _graded(campaign: Campaign) -> QuerySet[Solution]:
    tasks = Task.objects.filter(campaign=campaign)
    return Solution.objects.filter(pk__in=tasks.values("solution"), is_correct__isnull=False)


def _scores(run: ScoreRun, solutions: Collection[int]) -> Iterable[dict[str, Any]]:
    """A step without a score lies beyond the model's context: null, which counts as a wrong prediction."""
    scored = dict(StepScore.objects.filter(run=run).values_list("step_id", "score"))
    chosen = Solution.objects.filter(pk__in=solutions, step_rows__is_chosen=True).order_by(
        "pk", "step_rows__position"
    )
    lines: dict[int, list[float | None]] = {}
    for solution, step in chosen.values_list("pk", "step_rows__pk"):
        lines.setdefault(solution, []).append(scored.get(step))
    for solution, scores in lines.items():
        yield {"id": str(solution), "scores": scores}


def _by_people(campaign: Campaign) -> dict[int, int]:
    looks = Annotation.objects.filter(
        task__campaign=campaign,
        is_live=True,
        broken_rule="",
        finish_reason__in=(FinishReason.FOUND_ERROR, FinishReason.SOLUTION),
    ).values_list("task__solution_id", "finish_reason", "trajectory")
    votes: dict[int, Counter[int]] = {}
    for solution, reason, trajectory in looks:
        first = len(trajectory) - 1 if reason == FinishReason.FOUND_ERROR else NONE
        votes.setdefault(solution, Counter())[first] += 1
    return {solution: _most(counted) for solution, counted in votes.items()}


def _most(votes: Counter[int]) -> int:
    """The position most people named; a tie goes to the earliest mistake, and to a mistake before none."""
    return min(votes, key=lambda first: (-votes[first], first == NONE, first))


def _write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
