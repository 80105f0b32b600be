"""What a run would cost, told before it starts: from what runs of the same kind have cost before."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from labelsite.autolabels.models import EstimateRun
from labelsite.problems.models import Problem, Solution
from labelsite.problems.queries import with_steps

RECENT = 5


@dataclass(frozen=True, slots=True)
class Budget:
    """The size of a run, and what it should take where there is experience. tokens, seconds: None without.

    items: solutions to judge, or problems to search. steps: of the solutions, None for problems. A judged
    solution costs by its steps and a searched problem by its tree, each times the rollouts.
    """

    items: int
    without_answer: int
    steps: int | None
    rollouts: int
    tokens: float | None
    seconds: float | None
    basis: int

    @property
    def most_rollouts(self) -> int:
        """An upper bound: OmegaPRM and early stopping need fewer."""
        return self.rollouts * (self.items if self.steps is None else self.steps)


def budget_for(solutions: QuerySet[Solution], method: str, policy: str, rollouts: int) -> Budget:
    """The cost of judging every step of the solutions."""
    totals = with_steps(solutions).aggregate(
        solutions=Count("pk", distinct=True, filter=Q(problem__answer__isnull=False)),
        without=Count("pk", distinct=True, filter=Q(problem__answer__isnull=True)),
        steps=Count(
            "step_rows", filter=Q(step_rows__is_chosen=True, problem__answer__isnull=False), distinct=True
        ),
    )
    steps = totals["steps"]
    cost = _from_experience("steps", steps * rollouts, method, policy)
    return Budget(totals["solutions"], totals["without"], steps, rollouts, *cost)


def budget_for_search(problems: QuerySet[Problem], method: str, policy: str, rollouts: int) -> Budget:
    """The cost of growing a tree for each problem."""
    count = problems.filter(answer__isnull=False).count()
    cost = _from_experience("trees", count * rollouts, method, policy)
    return Budget(count, problems.filter(answer__isnull=True).count(), None, rollouts, *cost)


def _from_experience(
    kind: str, asked: int, method: str, policy: str
) -> tuple[float | None, float | None, int]:
    """Tokens and seconds for `asked` rollouts of steps or trees, and how many earlier runs tell so."""
    earlier = EstimateRun.objects.filter(
        method=method,
        policy=policy,
        loaded_at__isnull=False,
        parameters__has_key="rollouts",
        **{f"cost__{kind}__gt": 0},
    ).order_by("-pk")[:RECENT]
    tokens = seconds = work = 0.0
    basis = 0
    for run in earlier:
        work += run.cost[kind] * int(run.parameters["rollouts"])
        tokens += run.cost.get("tokens", 0)
        seconds += run.cost.get("seconds", 0)
        basis += 1
    return (asked * tokens / work, asked * seconds / work, basis) if work else (None, None, 0)
