"""Answers on which the two graders differ: kept with their run, decided by people, and not asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.autolabels.importers import Disputed, identity_of, read_disputed
from labelsite.autolabels.models import DisputedAnswer, EstimateRun
from labelsite.problems.models import Problem, Solution
from ml.errors import MisstepError


def load_disputed(run: EstimateRun, path: Path, of_solutions: bool) -> int:
    """Add the file's answers to the run; returns how many lines it has.

    of_solutions: the lines name solutions, else problems. Raises MisstepError for one that is not here.
    """
    lines = list(read_disputed(path))
    problems = _problems([identity_of(line.id) for line in lines], of_solutions)
    DisputedAnswer.objects.bulk_create(
        (
            DisputedAnswer(
                run=run, problem_id=_problem(problems, line, path), answer=answer, is_correct=right
            )
            for line in lines
            for answer, right in line.answers.items()
        ),
        # Rollouts of several solutions of one problem reach the same answer.
        ignore_conflicts=True,
    )
    return len(lines)


def _problems(named: list[int], of_solutions: bool) -> dict[int, int]:
    if of_solutions:
        return dict(Solution.objects.filter(pk__in=named).values_list("pk", "problem_id"))
    return {pk: pk for pk in Problem.objects.filter(pk__in=named).values_list("pk", flat=True)}


def _problem(problems: dict[int, int], line: Disputed, path: Path) -> int:
    found = problems.get(identity_of(line.id))
    if found is None:
        raise MisstepError(f"{path} names {line.id}, which is not here")
    return found


def decide(answer: DisputedAnswer, verdict: bool, decided_by: User) -> None:
    """Keep a person's word on one answer; a later word replaces it."""
    DisputedAnswer.objects.filter(pk=answer.pk).update(
        verdict=verdict, decided_by=decided_by, decided_at=timezone.now()
    )


def words_on(problems: Iterable[int]) -> list[list[Any]]:
    """What people said of answers to these problems, whichever run asked: [problem, answer, verdict], the last word.

    Goes into the spec of a new job, so that an attempt of tomorrow grades as the one of today. The same text and
    reference under two sources are one problem to the job, which refuses opposite words on one answer.
    """
    words = DisputedAnswer.objects.filter(problem__in=problems, verdict__isnull=False)
    rows = words.order_by("decided_at", "pk").values_list(
        "problem__text", "problem__answer", "answer", "problem_id", "verdict"
    )
    last = {
        (text, reference, answer): [problem, answer, verdict]
        for text, reference, answer, problem, verdict in rows
    }
    return sorted(last.values())


def lines_of(words: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """The same as `python -m ml autolabel --decided` reads them."""
    problems = Problem.objects.in_bulk([problem for problem, _, _ in words])
    for pk, answer, verdict in words:
        problem = problems[pk]
        yield {
            "problem": problem.text,
            "reference": problem.answer,
            "answer": answer,
            "is_correct": verdict,
        }
