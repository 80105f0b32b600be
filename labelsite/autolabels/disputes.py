"""Answers on which the two graders differ: kept with their run, decided by people, and not asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.autolabels.importers import identity_of, read_disputed
from labelsite.autolabels.models import DisputedAnswer, EstimateRun
from labelsite.problems.models import Problem, Solution
from ml.errors import MisstepError


def load_disputed(run: EstimateRun, path: Path, of_solutions: bool) -> int:
    """Add the file's answers to the run; returns how many lines it has.

    of_solutions: the lines name solutions, else problems. Raises MisstepError for one that is not here.
    """
    lines = list(read_disputed(path))
    problems = problems_of((line.id for line in lines), of_solutions, path)
    DisputedAnswer.objects.bulk_create(
        (
            DisputedAnswer(
                run=run,
                problem_id=problems[line.id],
                reference=line.reference,
                answer=answer,
                is_correct=right,
            )
            for line in lines
            for answer, right in line.answers.items()
        ),
        # Rollouts of several solutions of one problem reach the same answer.
        ignore_conflicts=True,
    )
    return len(lines)


def problems_of(named: Iterable[str], of_solutions: bool, path: Path) -> dict[str, int]:
    """The problem of each solution or problem that a file names; raises MisstepError for one that is not here."""
    numbers = {name: identity_of(name) for name in named}
    rows = (Solution if of_solutions else Problem).objects.filter(pk__in=list(numbers.values()))
    known = dict(rows.values_list("pk", "problem_id" if of_solutions else "pk"))
    absent = next((name for name, number in numbers.items() if number not in known), None)
    if absent is not None:
        raise MisstepError(f"{path} names {absent}, which is not here")
    return {name: known[number] for name, number in numbers.items()}


def decide(answer: DisputedAnswer, verdict: bool, decided_by: User) -> None:
    """Keep a person's word on one answer; a later word replaces it."""
    DisputedAnswer.objects.filter(pk=answer.pk).update(
        verdict=verdict, decided_by=decided_by, decided_at=timezone.now()
    )


def words_on(problems: Iterable[int]) -> list[list[Any]]:
    """What people said of answers to these problems, whichever run asked: [problem, answer, verdict, reference], the
    last word.

    Goes into the spec of a new job, so that an attempt of tomorrow grades as the one of today. The same text and
    reference under two sources are one problem to the job, which refuses opposite words on one answer.
    """
    words = DisputedAnswer.objects.filter(problem__in=problems, verdict__isnull=False)
    rows = words.order_by("decided_at", "pk").values_list(
        "problem__text", "reference", "answer", "problem_id", "verdict"
    )
    last = {
        (text, reference, answer): [problem, answer, verdict, reference]
        for text, reference, answer, problem, verdict in rows
    }
    return sorted(last.values(), key=lambda word: (word[0], word[1], word[3] or ""))


def lines_of(words: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """The same as `python -m ml autolabel --decided` reads them."""
    problems = Problem.objects.in_bulk([word[0] for word in words])
    for pk, answer, verdict, reference in words:
        yield {
            "problem": problems[pk].text,
            "reference": reference,
            "answer": answer,
            "is_correct": verdict,
        }
