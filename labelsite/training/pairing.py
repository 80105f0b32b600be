"""Checkpoints of several runs on the same solutions: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import F

from labelsite.jobs.models import JobState
from labelsite.training.models import Evaluation, EvaluationKind, TrainingRun
from ml.errors import MisstepError
from ml.evaluation.outcomes import Outcome, read_outcomes
from ml.evaluation.paired import differences

# What an evaluation's job leaves beside its figures.
OUTCOMES = "outcomes.jsonl"
# Solutions of problems that a model was trained on flatter it.
RULE = "unseen"
# Of fewer problems that all point one way a sign test says that chance may do it in more than 5 %.
FEWEST_PROBLEMS = 6

Outcomes = Mapping[str, Outcome]
# An evaluation's data in words, and what was said of each of its solutions.
Measured = tuple[str, Outcomes]


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
    measured = _measured(runs)
    found: list[Pair] = []
    for run in runs[1:]:
        for campaign, (data, base) in measured.get(runs[0].pk, {}).items():
            mine = measured.get(run.pk, {}).get(campaign)
            pair = mine and _pair(run, data, mine[1], base)
            found += [pair] if pair else []
    return found


def _pair(run: TrainingRun, data: str, outcomes: Outcomes, base: Outcomes) -> Pair | None:
    """None where there is no solution that may be compared."""
    try:
        found = differences(outcomes, base, [RULE])[RULE]
    except MisstepError:
        return None
    if found is None:
        return None
    f1, exact = (
        Share(found["difference"][name], found["intervals"][name], found["problems"])
        for name in ("f1", "exact")
    )
    return Pair(run, data, found["count"], f1, exact)


def _measured(runs: Sequence[TrainingRun]) -> dict[int, dict[int, Measured]]:
    """By run and campaign, what its newest evaluation of first mistakes left; evaluations of before it was kept have
    none."""
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
    newest = {(each.run, each.campaign): each for each in evaluations}
    found: dict[int, dict[int, Measured]] = {}
    for (run, campaign), each in newest.items():
        # Files are long: a campaign of one run alone, or not of the first, has nothing to compare.
        is_shared = sum(other == campaign for _, other in newest) > 1 and (runs[0].pk, campaign) in newest
        if is_shared and each.job is not None and (outcomes := _read(each)):
            found.setdefault(run, {})[campaign] = each.data, outcomes
    return found


def _read(evaluation: Evaluation) -> Outcomes | None:
    assert evaluation.job is not None
    try:
        return read_outcomes(evaluation.job.outputs / OUTCOMES)
    except MisstepError:
        return None
