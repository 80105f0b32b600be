"""Tokens for one labelled first mistake, by method.

    python -m tests.benchmarks.search_tokens --out docs/results/search_tokens.json

Wrong solutions whose first mistake is known, written by the pocket family's careless writer. Every method labels the
same ones with the same policy and the same k. Accuracy stands beside the cost, because cheap and wrong is no gain.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.agreement import bootstrap_intervals, wilson_interval
from ml.execution import Sandbox
from ml.pocket.problems import expression_of, generate
from ml.pocket.writer import write_prose
from ml.policies import load_policy
from ml.records import Option, Position, Solution, SolutionEstimate
from ml.search.cost import Cost
from ml.search.metered import metered
from ml.search.recipes import RECIPES
from ml.search.requests import Search
from ml.search.walk import Walk
from tests.benchmarks.support.rows import Table
from tests.data import ROOT

# Every option that decides how many rollouts are drawn is named: a default may change.
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "math-shepherd": ("math-shepherd", {"stop_at_first_mistake": False}),
    "math-shepherd, stopping": ("math-shepherd", {"stop_at_first_mistake": True}),
    "omegaprm": ("omegaprm", {"adaptive": False, "needed_right": 1}),
    "omegaprm, adaptive, 1 right": ("omegaprm", {"adaptive": True, "needed_right": 1}),
    "omegaprm, adaptive, 2 right": ("omegaprm", {"adaptive": True, "needed_right": 2}),
}
BRUTE_FORCE = "math-shepherd"


def wrong_solutions(count: int) -> list[tuple[Solution, int]]:
    """Prose solutions with a wrong answer, and the position of their first mistake."""
    generator = random.Random(5)
    found: list[tuple[Solution, int]] = []
    for problem in generate(20 * count, seed=5):
        written = write_prose(expression_of(problem.text), generator)
        if written.first_slip is None or str(written.answer) == problem.answer:
            continue
        positions = tuple(Position((Option(step),)) for step in written.steps)
        found.append((Solution(problem.id, problem, positions), written.first_slip))
        if len(found) == count:
            break
    return found


def counted(search: Search[SolutionEstimate]) -> Search[tuple[int | None, int]]:
    """The first mistake that a search finds, and the tokens that it would generate by itself."""
    cost = Cost()
    estimate = yield from metered(search, cost, Counter())
    return estimate.first_mistake, cost.tokens


def row(
    name: str,
    found: Sequence[tuple[int | None, int]],
    truth: Sequence[int],
    brute_force: Sequence[int],
) -> dict[str, Any]:
    """A method's mean tokens a label, their share of brute force's, and how many labels are right.

    found: first mistake and tokens, by solution. brute_force: Math-Shepherd's tokens for the same solutions.
    """
    tokens = [spent for _, spent in found]
    right = [first == known for (first, _), known in zip(found, truth, strict=True)]
    return {
        "method": name,
        "solutions": len(found),
        "tokens_a_label": round(float(np.mean(tokens)), 1),
        "tokens_interval": _interval(lambda spent: float(np.mean(spent)), tokens, digits=1),
        "share_of_brute_force": round(sum(tokens) / sum(brute_force), 4),
        "share_interval": _interval(lambda own, other: float(own.sum() / other.sum()), tokens, brute_force),
        "accuracy": round(sum(right) / len(right), 4),
        "accuracy_interval": [round(end, 4) for end in wilson_interval(sum(right), len(right))],
        "tokens": tokens,
        "right": "".join("01"[one] for one in right),
    }


def _interval(statistic: Callable[..., float], *columns: Sequence[int], digits: int = 4) -> list[float]:
    """95 %, by a bootstrap over solutions."""
    found = bootstrap_intervals(lambda *drawn: [statistic(*drawn)], *columns)
    return [round(end, digits) for end in found[0] or ()]


def main(arguments: list[str] | None = None) -> int:
    """Print and write one row after another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--solutions", type=int, default=200)
    parser.add_argument("--rollouts", type=int, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "search_tokens.json")
    chosen = parser.parse_args(arguments)
    policy, labelled = load_policy("pocket"), wrong_solutions(chosen.solutions)
    header = {
        "benchmark": "search_tokens",
        "policy": policy.name,
        "rollouts": chosen.rollouts,
        "style": "code",
        "solutions": len(labelled),
        "steps": sum(len(solution.steps) for solution, _ in labelled),
    }
    table = Table(chosen.out, header)
    sandbox = Sandbox()
    # One engine for all: what two methods both ask is drawn once, and each is charged for it.
    walk = Walk(policy, sandbox)
    for name, (method, changed) in METHODS.items():
        if table.has(method=name):
            continue
        recipe = RECIPES[method]
        options = recipe.with_options({"rollouts": chosen.rollouts, "style": "code", **changed})
        searches = ((s.id, counted(recipe.estimate(s, options, 0))) for s, _ in labelled)
        found = {done.key: done.result for done in walk.drive(searches)}
        in_order = [found[solution.id] for solution, _ in labelled]
        brute = next((r["tokens"] for r in table.rows if r["method"] == BRUTE_FORCE), None)
        own = [tokens for _, tokens in in_order]
        table.add(row(name, in_order, [first for _, first in labelled], brute or own))
    sandbox.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
