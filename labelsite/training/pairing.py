"""Checkpoints of several runs on the same solutions: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.core.cache import cache
from django.db.models import F

from labelsite.jobs.models import JobState
from labelsite.training.models import Evaluation, EvaluationKind, TrainingRun
from ml.agreement import FEWEST_PROBLEMS
from ml.errors import MisstepError
from ml.evaluation.outcomes import read_outcomes
from ml.evaluation.paired import differences
from ml.file_hash import sha256_of

# What an evaluation's job leaves beside its figures.
OUTCOMES = "outcomes.jsonl"
# Solutions of problems that a model was trained on flatter it.
RULE = "unseen"
# A pair of long files takes a quarter of a second, and neither changes any more.
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Share:
    """A difference of shares and the ends of its interval; None where no solution shows it."""

    gain: float | None
    ends: Sequence[float] | None
    problems: int

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies on one side of 0, and not of so few problems that it has no width."""
        is_beyond = self.ends is not None and self.ends[0] * self.ends[1] > 0
        return is_beyond and self.problems >= FEWEST_PROBLEMS


# How many solutions were compared, and the differences of F1 and of exact answers.
Figures = tuple[int, Share, Share]


@dataclass(frozen=True, slots=True)
class Pair:
    """One run less the run that all are compared with, on the solutions of problems that neither was trained on."""

    run: TrainingRun
    data: str
    count: int
    f1: Share
    exact: Share


def pairs(runs: Sequence[TrainingRun]) -> list[Pair]:
    """Each further run beside the first, on every campaign on which both were measured last with outcomes kept."""
    newest = _newest(runs)
    found: list[Pair] = []
    for run in runs[1:]:
        for (of, campaign), mine in newest.items():
            base = newest.get((runs[0].pk, campaign))
            if of == run.pk and base and (figures := _figures(mine, base)):
                found.append(Pair(run, base.data, *figures))
    return found


def _newest(runs: Sequence[TrainingRun]) -> dict[tuple[int, int], Evaluation]:
    """By run and campaign, the newest finished evaluation of first mistakes."""
    evaluations = (
        Evaluation.objects.filter(
            checkpoint__run__in=[run.pk for run in runs],
            kind=EvaluationKind.FIRST_MISTAKE,
            job__state=JobState.DONE,
        )
        .select_related("job")
        .defer("job__spec", "job__result")
        .annotate(campaign=F("job__spec__campaign"), run=F("checkpoint__run"))
        .order_by("pk")
    )
    return {(each.run, each.campaign): each for each in evaluations}


def _figures(mine: Evaluation, base: Evaluation) -> Figures | None:
    """From the cache where both files are as they were. None where there is no solution that may be compared, or a
    file is gone."""
    files = [each.job.outputs / OUTCOMES for each in (mine, base)]
    try:
        content = [sha256_of(file) for file in files]
    except OSError:
        return None
    key = "-".join(["pairing", str(mine.pk), str(base.pk), *content])
    found: Figures | None = cache.get_or_set(key, partial(_compared, *files), KEPT_SECONDS)
    return found


def _compared(mine: Path, base: Path) -> Figures | None:
    try:
        found = differences(read_outcomes(mine), read_outcomes(base), [RULE])[RULE]
    except MisstepError:
        return None
    if found is None:
        return None
    f1, exact = (
        Share(found["difference"][name], found["intervals"][name], found["problems"])
        for name in ("f1", "exact")
    )
    return found["count"], f1, exact
