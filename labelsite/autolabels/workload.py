"""How much work a run is, in steps that a policy writes: by which what one run cost tells what another will.

Each method's law says how its work grows with the solutions and with the rollouts (docs/results/search.md has the
measured curves). Only what the law leaves open is measured: how many tokens, calls and seconds a step takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Case, Count, F, FloatField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Ln

from labelsite.autolabels.requests import Request
from labelsite.problems.models import Problem, Solution
from labelsite.problems.queries import with_steps

# Of two runs over the same kind of items each has at least this share of its items in what the other has, too.
SAME_KIND = 0.8
MOST_KINDS = 50


@dataclass(frozen=True, slots=True)
class Law:
    """How cost grows with the rollouts R: as R to the power of `tokens`, or of `calls`.

    Math-Shepherd writes R completions from each prefix, and asks for them in one call. The others may stop before R:
    OmegaPRM where a probe is decided, the tree searches where no new end is left to meet. There the growth lies
    between none and linear and depends on the policy. The root of R is off by 1.4 at most where R is twice as large.
    """

    tokens: float
    calls: float


LAWS = {"math-shepherd": Law(tokens=1.0, calls=0.0)}
BETWEEN = Law(tokens=0.5, calls=0.5)
# With more rollouts per batch a machine is faster on each: between no growth and linear, whatever the method.
SECONDS = 0.5
# Further apart, no law but Math-Shepherd's holds within a factor of two, and that one's time does not either.
WIDEST = 2.0


def widest(method: str, work: Workload) -> float:
    """How many times as many rollouts an earlier run may have, or as few, and still tell the cost of this one.

    OmegaPRM searches a fresh problem only where some rollouts are right and some wrong: with more of them it finds
    more to search, and grows faster than they do. There only the same number tells anything.
    """
    return 1.0 if method == "omegaprm" and not work.steps else WIDEST


def law_of(method: str) -> Law:
    return LAWS.get(method, BETWEEN)


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run was given, as far as its cost depends on it.

    settings: see `Request.settings`. kinds: items by source and writer. pairs: of all solutions, how many steps stand
    behind how many prefixes. halving: of the solutions that OmegaPRM searches, n log n of their steps: a binary search.
    """

    settings: Mapping[str, Any]
    items: int
    problems: int
    kinds: Mapping[str, int]
    steps: int = 0
    pairs: float = 0.0
    halving: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def is_like(self, other: Workload) -> bool:
        """Whether an item of one costs what an item of the other does."""
        return (
            dict(self.settings) == dict(other.settings)
            and _shared(self.kinds, other.kinds) >= SAME_KIND
            and _shared(other.kinds, self.kinds) >= SAME_KIND
        )

    def written(self, method: str, rollouts: int, power: float) -> float:
        """How many steps the policy writes, in the law's own unit: of use only beside that of another run."""
        grown = rollouts**power
        if not self.steps:
            return grown * self.items
        votes = self.settings["voters"] * self.problems * self.steps / self.items
        if method == "omegaprm":
            return float(grown * self.halving + votes)
        at_a_node = self.settings.get("candidates", 1) if method != "math-shepherd" else 1
        if method == "rest-mcts" and not self.settings["use_value_model"]:
            at_a_node *= self.settings["value_rollouts"]
        return float(grown * at_a_node * self.pairs + votes)

    def most_rollouts(self, method: str, rollouts: int) -> int | None:
        """How many completions are carried to their ends at most: early stopping and OmegaPRM need fewer.

        None where no number that is known bounds them: what Math-Shepherd and OmegaPRM roll out from in a fresh tree
        is what the policy wrote, and ReST-MCTS* with a value model rolls nothing out.
        """
        is_fresh = self.settings["of"] == "problems"
        if (is_fresh and method in ("math-shepherd", "omegaprm")) or self.settings.get("use_value_model"):
            return None
        valued = self.settings["candidates"] * self.settings["value_rollouts"] if method == "rest-mcts" else 1
        return int(rollouts * valued * (self.items if is_fresh else self.steps))


def from_json(kept: Mapping[str, Any]) -> Workload:
    """What `as_json` left."""
    return Workload(**kept)


def to_judge(solutions: QuerySet[Solution], request: Request) -> QuerySet[Solution]:
    """The solutions whose steps the request can judge: with a step, and with an answer where that is the reference."""
    found = with_steps(solutions)
    return found.filter(problem__answer__isnull=False) if request.needs_answers else found


def first_problems(source: str, limit: int) -> QuerySet[Problem]:
    """The first of a source's problems that have a reference answer: what a search of fresh problems is given."""
    problems = Problem.objects.filter(source=source, answer__isnull=False).order_by("pk")
    return Problem.objects.filter(pk__in=problems.values("pk")[:limit])


def to_search(problems: QuerySet[Problem]) -> QuerySet[Problem]:
    """A tree's ends are always graded against the reference answer."""
    return problems.filter(answer__isnull=False)


def costly(request: Request) -> Q:
    """Which solutions cost the method anything: OmegaPRM spends nothing on a right answer, unless it is asked to search
    these, too.
    """
    spares_right = request.method == "omegaprm" and not request.settings(of_solutions=True)["search_correct"]
    return ~Q(is_correct=True) if spares_right else Q()


def of_solutions(judged: QuerySet[Solution], request: Request) -> Workload:
    """The work of judging these solutions."""
    count = Cast(F("position_count"), FloatField())
    # A logarithm to base 2, and none of a solution without a position.
    size = Case(When(position_count__gt=1, then=count * Ln(count)), default=Value(0.0)) / Value(2 * 0.6931)
    groups = (
        judged.order_by()
        .values("problem__source", "generator")
        .annotate(
            found=Count("pk"),
            steps=Sum("position_count"),
            pairs=Sum(count * (count - 1.0) / 2.0),
            halving=Sum(size, filter=costly(request)),
        )
        .order_by("-found")
    )
    rows = list(groups)
    names = [f"{row['problem__source']} · {row['generator'] or ''}" for row in rows]
    return Workload(
        settings=request.settings(of_solutions=True),
        items=sum(row["found"] for row in rows),
        problems=judged.order_by().values("problem").distinct().count(),
        kinds=_kinds(names, [row["found"] for row in rows]),
        steps=sum(row["steps"] for row in rows),
        pairs=sum(row["pairs"] for row in rows),
        halving=sum(row["halving"] or 0.0 for row in rows),
    )


def of_problems(searched: QuerySet[Problem], request: Request) -> Workload:
    """The work of searching these problems."""
    rows = list(searched.order_by().values("source").annotate(found=Count("pk")).order_by("-found"))
    count = sum(row["found"] for row in rows)
    kinds = _kinds([row["source"] for row in rows], [row["found"] for row in rows])
    return Workload(request.settings(of_solutions=False), count, count, kinds)


def _kinds(names: list[str], counts: list[int]) -> dict[str, int]:
    """The largest kinds by name; the many small ones behind them as one."""
    kept = dict(zip(names[:MOST_KINDS], counts[:MOST_KINDS], strict=True))
    return {**kept, **({"…": sum(counts[MOST_KINDS:])} if counts[MOST_KINDS:] else {})}


def _shared(kinds: Mapping[str, int], others: Mapping[str, int]) -> float:
    """The share of the items whose kind is among the others."""
    total = sum(kinds.values())
    return sum(count for name, count in kinds.items() if name in others) / total if total else 0.0
