"""What a run would cost, told before it starts: from what runs of the same kind have cost, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.core.cache import cache
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from labelsite.autolabels import workload
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.pilots import PILOT_ITEMS
from labelsite.autolabels.progress import RunProgress, progress_of
from labelsite.autolabels.requests import Request
from labelsite.autolabels.workload import SECONDS, Workload, law_of, widest
from labelsite.problems.models import Problem, Solution

# From so many solutions on they are counted once in so long: the form asks at each change, and while a pilot runs.
LARGE, KEPT_SECONDS = 5_000, 60
RECENT = 5
# Of the runs of a method and policy, so many are looked at for those that are like the one asked for.
LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """runs, items: how much was measured. is_pilot: only in pilots. rollouts: of the runs measured, where they are
    others. is_time_a_bound: few items were measured, which fill batches badly, so a longer run takes less for each.
    """

    tokens: float
    model_calls: float
    seconds: float
    runs: int
    items: int
    is_pilot: bool
    rollouts: str
    is_time_a_bound: bool


@dataclass(frozen=True, slots=True)
class Pilot:
    """A measurement for this very request that has not told its cost yet."""

    run: EstimateRun
    progress: RunProgress


@dataclass(frozen=True, slots=True)
class Budget:
    """The size of a run, and what it should take where there is experience.

    items: solutions to judge, or problems to search. steps: of the solutions, None for problems. most_rollouts: of all
    items, None where nobody can tell. votes: solutions of which the policy's majority becomes the answer.
    """

    method: str
    items: int
    without_answer: int
    steps: int | None
    rollouts: int
    most_rollouts: int | None
    votes: int
    cost: Cost | None
    pilot: Pilot | None

    @property
    def rollouts_are(self) -> str:
        """What the number of rollouts counts with this method: an iteration of ReST-MCTS* rolls out several times."""
        of_trees = self.steps is None
        if self.method == "rest-mcts":
            return _("Iterations of each tree") if of_trees else _("Iterations from each step")
        return (
            _("Rollouts of each tree")
            if of_trees and self.method == "rstar"
            else _("Rollouts from each step")
        )

    @property
    def can_be_measured(self) -> bool:
        """Whether a pilot would be smaller than the run itself, and tell what nobody knows yet."""
        is_under_way = self.pilot is not None and self.pilot.progress.is_moving
        return self.cost is None and self.items > PILOT_ITEMS and not is_under_way


def budget_for(solutions: QuerySet[Solution], request: Request, kept_as: str = "") -> Budget:
    """The cost of judging every step of the solutions.

    kept_as: a name for these solutions, if they may be counted as they were a minute ago where they are many.
    """
    asked, without = _counted(solutions, request, kept_as)
    return _budget(asked, asked.steps, without, request)


def _counted(solutions: QuerySet[Solution], request: Request, kept_as: str) -> tuple[Workload, int]:
    """The work, and how many solutions are left out: whether answers are needed decides which those are, and whether
    right ones cost anything decides the work.
    """
    key = f"autolabels:workload:{kept_as}:{request.needs_answers}:{bool(workload.costly(request))}"
    found: tuple[Workload, int] | None = cache.get(key) if kept_as else None
    if found is None:
        asked = workload.of_solutions(workload.to_judge(solutions, request), request)
        found = asked, workload.with_steps(solutions).count() - asked.items
        if kept_as and asked.items >= LARGE:
            cache.set(key, found, KEPT_SECONDS)
    asked, without = found
    return replace(asked, settings=request.settings(of_solutions=True)), without


def budget_for_search(problems: QuerySet[Problem], request: Request) -> Budget:
    """The cost of growing a tree for each problem."""
    asked = workload.of_problems(workload.to_search(problems), request)
    without = problems.count() - asked.items
    return _budget(asked, None, without, request)


def _budget(asked: Workload, steps: int | None, without_answer: int, request: Request) -> Budget:
    cost, pilot = _known(asked, request)
    return Budget(
        method=request.method,
        items=asked.items,
        without_answer=without_answer,
        steps=steps,
        rollouts=request.rollouts,
        most_rollouts=asked.most_rollouts(request.method, request.rollouts),
        votes=asked.settings["voters"] * asked.problems,
        cost=cost,
        pilot=pilot,
    )


def _known(asked: Workload, request: Request) -> tuple[Cost | None, Pilot | None]:
    like = _like(asked, request)
    loaded = [pair for pair in like if pair[0].loaded_at]
    # The same rollouts leave nothing to a law.
    same = [pair for pair in loaded if _rollouts(pair[0]) == request.rollouts]
    cost = _cost(asked, request, (same or loaded)[:RECENT])
    return cost, None if cost else _pilot_of(like, request)


def _like(asked: Workload, request: Request) -> list[tuple[EstimateRun, Workload]]:
    """Runs over such items with these settings and nearly as many rollouts, the newest first."""
    runs = EstimateRun.objects.filter(method=request.method, policy=request.policy).exclude(workload={})
    found, far = [], widest(request.method, asked)
    for run in runs.order_by("-pk")[:LOOKED_AT]:
        kept = workload.from_json(run.workload)
        apart = _rollouts(run) / request.rollouts
        if 1 / far <= apart <= far and kept.is_like(asked):
            found.append((run, kept))
    return found


def _cost(asked: Workload, request: Request, basis: Sequence[tuple[EstimateRun, Workload]]) -> Cost | None:
    law = law_of(request.method)
    tokens = _scaled("tokens", law.tokens, asked, request, basis)
    if tokens is None:
        return None
    others = sorted({_rollouts(run) for run, _ in basis} - {request.rollouts})
    return Cost(
        tokens=tokens,
        model_calls=_scaled("model_calls", law.calls, asked, request, basis) or 0.0,
        seconds=_scaled("seconds", SECONDS, asked, request, basis) or 0.0,
        runs=len(basis),
        items=sum(kept.items for _, kept in basis),
        is_pilot=all(run.is_pilot for run, _ in basis),
        rollouts=", ".join(map(str, others)),
        is_time_a_bound=2 * max(kept.items for _, kept in basis) < asked.items,
    )


def _scaled(
    name: str, power: float, asked: Workload, request: Request, basis: Sequence[tuple[EstimateRun, Workload]]
) -> float | None:
    """What the work asked for takes, at what a unit of it took before; None where nothing was written then."""
    done = sum(kept.written(run.method, _rollouts(run), power) for run, kept in basis)
    spent = sum(float(run.cost.get(name, 0)) for run, _ in basis)
    return asked.written(request.method, request.rollouts, power) * spent / done if done else None


def _rollouts(run: EstimateRun) -> int:
    return int(run.parameters.get("rollouts", 0))


def _pilot_of(like: Sequence[tuple[EstimateRun, Workload]], request: Request) -> Pilot | None:
    """The newest measurement for this very request, unless it was cancelled."""
    for run, _work in like:
        if run.is_pilot and not run.loaded_at and _rollouts(run) == request.rollouts:
            progress = progress_of(run, run.shards.select_related("job").defer("job__spec", "job__result"))
            return Pilot(run, progress) if progress.state != "cancelled" else None
    return None
