"""What a run would cost, told before it starts: from what runs of the same kind have cost before."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from labelsite.autolabels.models import EstimateRun
from labelsite.problems.models import Solution

# A tree search makes one tree a prefix, a completion method one draw a prefix: both scale with steps.
RECENT = 5


@dataclass(frozen=True, slots=True)
class Budget:
    """The size of a run, and what it should take where there is experience. tokens, seconds: None without."""

    solutions: int
    without_answer: int
    steps: int
    rollouts: int
    tokens: float | None
    seconds: float | None
    basis: int

    @property
    def most_rollouts(self) -> int:
        """An upper bound: OmegaPRM and early stopping need fewer."""
        return self.steps * self.rollouts


def budget_for(solutions: QuerySet[Solution], method: str, policy: str, rollouts: int) -> Budget:
    """The cost of judging every step of the solutions."""
    totals = solutions.aggregate(
        solutions=Count("pk", distinct=True, filter=Q(problem__answer__isnull=False)),
        without=Count("pk", distinct=True, filter=Q(problem__answer__isnull=True)),
        steps=Count(
            "step_rows", filter=Q(step_rows__is_chosen=True, problem__answer__isnull=False), distinct=True
        ),
    )
    return _with_experience(totals["solutions"], totals["without"], totals["steps"], method, policy, rollouts)


def _with_experience(
    solutions: int, without: int, steps: int, method: str, policy: str, rollouts: int
) -> Budget:
    earlier = EstimateRun.objects.filter(
        method=method,
        policy=policy,
        loaded_at__isnull=False,
        cost__steps__gt=0,
        parameters__has_key="rollouts",
    ).order_by("-pk")[:RECENT]
    tokens = seconds = work = 0.0
    basis = 0
    for run in earlier:
        work += run.cost["steps"] * int(run.parameters["rollouts"])
        tokens += run.cost.get("tokens", 0)
        seconds += run.cost.get("seconds", 0)
        basis += 1
    asked = steps * rollouts
    return Budget(
        solutions=solutions,
        without_answer=without,
        steps=steps,
        rollouts=rollouts,
        tokens=asked * tokens / work if work else None,
        seconds=asked * seconds / work if work else None,
        basis=basis,
    )
