"""A campaign's labels and a checkpoint's scores, as the files that `python -m ml evaluate` compares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from django.db.models import Count, QuerySet
from django.utils.translation import gettext_noop

from labelsite.autolabels.models import ScoreRun, StepScore
from labelsite.campaigns.models import Campaign, Task
from labelsite.problems.models import Problem, Solution, Step
from labelsite.problems.queries import records_of
from labelsite.problems.streaming import in_chunks
from labelsite.snapshots import rows
from ml.errors import MisstepError
from ml.said import Said
from ml.snapshot import problem_hash
from ml.whole_file import write_lines

NONE = -1
CHUNK = 1_000


def first_mistakes(campaign: Campaign) -> dict[int, int]:
    """Each labelled solution's first mistake (-1: none): gold, else the verdict that a snapshot would freeze now.

    Whatever may not be trained on tells nothing of a model either. Where several gold positions are acceptable, the
    one that a snapshot would state counts, or else the earliest mistake: "none" is the last of them, as in a verdict.
    """
    stated = {
        solution: NONE if position is None else position
        for solution, position in rows.first_mistakes(campaign)
    }
    gold = _gold(campaign).values_list("solution_id", "gold")
    return stated | {solution: _place_of(places or [], stated.get(solution)) for solution, places in gold}


def _place_of(gold: Sequence[int], stated: int | None) -> int:
    if stated is not None and stated in gold:
        return stated
    return min(gold, key=lambda place: (place == NONE, place))


def has_labels(campaign: Campaign) -> bool:
    """Whether anything in the campaign has a first mistake to compare with, or is known to have none."""
    return _gold(campaign).exists() or next(rows.first_mistakes(campaign), None) is not None


def _gold(campaign: Campaign) -> QuerySet[Task]:
    return Task.objects.filter(campaign=campaign, gold__len__gt=0)


def write_files(campaign: Campaign, run: ScoreRun, folder: Path) -> dict[str, int]:
    """Write solutions.jsonl (ProcessBench's format) and scores.jsonl, both by the solution's id.

    Returns how many labelled solutions are left out: as `never_scored` because the run was never given them, and as
    `behind_chosen_steps` because the first mistake is named at a position where nothing is chosen, as where somebody
    gave up: no model reads a step there. Raises MisstepError where there are no others.
    """
    labelled, given = first_mistakes(campaign), _given(run)
    known = {solution: first for solution, first in labelled.items() if solution in given}
    if not known:
        raise MisstepError(
            f"none of the {len(labelled)} labelled solutions of {campaign.name} has been scored,"
            " expected the checkpoint to score the campaign again"
        )
    scores = _scores(run, known)
    truths = {pk: first for pk, first in known.items() if pk in scores and first < len(scores[pk])}
    if not truths:
        words = gettext_noop("no labelled solution of %(campaign)s has its first mistake at a chosen step")
        raise MisstepError(Said(words, campaign=campaign.name))
    write_lines(
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
            for record in records_of(truths)
        ),
    )
    write_lines(folder / "scores.jsonl", ({"id": str(pk), "scores": scores[pk]} for pk in sorted(truths)))
    return {"never_scored": len(labelled) - len(known), "behind_chosen_steps": len(known) - len(truths)}


def has_choices(campaign: Campaign) -> bool:
    """Whether some problem of the campaign has several graded solutions to choose among."""
    return _graded(campaign).values("problem").annotate(count=Count("pk")).filter(count__gt=1).exists()


def write_pool(
    campaign: Campaign, run: ScoreRun, folder: Path, known: Collection[str] = ()
) -> dict[str, int]:
    """Write pool.jsonl, a line for each problem with several graded solutions, and its candidates' scores.

    A problem's smallest number of solutions bounds n, so that one with a single solution would allow no choice.
    known: the problems that the checkpoint was trained on, by hash, which tell nothing of what it can do and are
    left out. Returns how many solutions of other problems are left out because the run was never given them, as
    `never_scored`, and how many of the problems that allow a choice are known, as `training_problems_left_out`.
    Raises MisstepError where there is no problem to choose in.
    """
    by_novelty: dict[bool, list[Solution]] = {True: [], False: []}
    trained_on = _problems_among(known, campaign)
    for solution in _graded(campaign).only("problem_id", "final_answer", "is_correct").order_by("pk"):
        by_novelty[solution.problem_id not in trained_on].append(solution)
    graded, learned = by_novelty[True], by_novelty[False]
    given = _given(run)
    scored = [solution for solution in graded if solution.pk in given]
    chosen = _choices(scored)
    if not chosen and _choices(graded):
        raise MisstepError(
            f"no problem of {campaign.name} has several scored solutions,"
            " expected the checkpoint to score the campaign again"
        )
    if not chosen:
        raise MisstepError(
            f"the checkpoint was trained on every problem of {campaign.name} with several graded solutions,"
            " expected others to choose among"
        )
    places = {one.pk: f"{problem}/{k}" for problem, found in chosen.items() for k, one in enumerate(found)}
    write_lines(
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
    write_lines(folder / "scores.jsonl", ({"id": places[pk], "scores": line} for pk, line in scores.items()))
    return {
        "never_scored": len(graded) - len(scored),
        "training_problems_left_out": len(_choices(learned)),
    }


def _choices(solutions: Iterable[Solution]) -> dict[int, list[Solution]]:
    """The solutions of each problem that has several."""
    found: dict[int, list[Solution]] = {}
    for solution in solutions:
        found.setdefault(solution.problem_id, []).append(solution)
    return {problem: several for problem, several in found.items() if len(several) > 1}


def _problems_among(known: Collection[str], campaign: Campaign) -> frozenset[int]:
    """The problems of the campaign that are among these, which are named by hash."""
    if not known:
        return frozenset()
    problems = Problem.objects.filter(pk__in=_graded(campaign).values("problem")).only("text").order_by("pk")
    rows = (problem for chunk in in_chunks(problems, CHUNK) for problem in chunk)
    return frozenset(problem.pk for problem in rows if problem_hash(problem.text) in known)


def _given(run: ScoreRun) -> frozenset[int]:
    """The solutions that the run had to score.

    Where it scored none of a solution's steps although it had it, all of them lie beyond the model's context.
    """
    return frozenset(run.job.spec.get("solutions", ()))


def _graded(campaign: Campaign) -> QuerySet[Solution]:
    tasks = Task.objects.filter(campaign=campaign)
    return Solution.objects.filter(pk__in=tasks.values("solution"), is_correct__isnull=False)


def _scores(run: ScoreRun, solutions: Collection[int]) -> dict[int, list[float | None]]:
    """Each solution's chosen steps by their scores. A step without one lies beyond the model's context: null, which
    counts as a wrong prediction.
    """
    wanted = sorted(solutions)
    lines: dict[int, list[float | None]] = {}
    for start in range(0, len(wanted), CHUNK):
        lines |= _scores_of_few(run, wanted[start : start + CHUNK])
    return lines


def _scores_of_few(run: ScoreRun, solutions: Sequence[int]) -> dict[int, list[float | None]]:
    scored = dict(
        StepScore.objects.filter(run=run, step__solution__in=solutions).values_list("step_id", "score")
    )
    chosen = Step.objects.filter(solution__in=solutions, is_chosen=True).order_by("solution", "position")
    lines: dict[int, list[float | None]] = {}
    for solution, position, step in chosen.values_list("solution", "position", "pk"):
        line = lines.setdefault(solution, [])
        # The trajectory ends at the first position where nothing is chosen, as in `ml.records.Solution`.
        if position == len(line):
            line.append(scored.get(step))
    return lines
