"""Labels against the pocket family's truth, by method and rollouts, and the reliability of soft estimates.

`python -m tests.benchmarks.search_calibration`: solutions by the careless writer, right and wrong ones, whose
first slip is known. Soft estimates of few rollouts are held against the success rate of many others, with
another seed.
"""

from __future__ import annotations

import argparse
import json
import random
from typing import Any

from ml.execution import Sandbox
from ml.pocket.problems import expression_of, generate
from ml.pocket.writer import write_prose
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.records import Option, Position, Solution, SolutionEstimate
from ml.search.recipes import RECIPES
from ml.search.walk import Walk


def solutions_with_truth(count: int, seed: int = 9) -> list[tuple[Solution, int | None]]:
    """Prose solutions, and the position of the first slip. Slips that cancel out are left out."""
    generator = random.Random(seed)
    found: list[tuple[Solution, int | None]] = []
    for problem in generate(3 * count, seed=seed):
        written = write_prose(expression_of(problem.text), generator)
        if (written.first_slip is None) == (str(written.answer) == problem.answer):
            positions = tuple(Position((Option(step),)) for step in written.steps)
            found.append((Solution(problem.id, problem, positions), written.first_slip))
    return found[:count]


def label(
    policy: Policy, solutions: list[Solution], method: str, rollouts: int, seed: int
) -> dict[str, SolutionEstimate]:
    """Every solution's estimate."""
    recipe, sandbox = RECIPES[method], Sandbox()
    options = recipe.with_options({"rollouts": rollouts, "style": "code"})
    walk = Walk(policy, sandbox)
    found = {
        d.key: d.result for d in walk.drive((s.id, recipe.estimate(s, options, seed)) for s in solutions)
    }
    sandbox.close()
    return found


def reliability(
    few: dict[str, SolutionEstimate], many: dict[str, SolutionEstimate]
) -> list[dict[str, float]]:
    """By fifths of the soft estimate: the mean estimate, and the success rate that it should equal."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(5)]
    for name, estimate in few.items():
        # The last step is graded by the solution's own answer: no estimate to hold against anything.
        for step, truth in zip(estimate.steps[:-1], many[name].steps[:-1], strict=True):
            if step.soft is not None and truth.soft is not None:
                bins[min(4, int(step.soft * 5))].append((step.soft, truth.soft))
    return [
        {
            "steps": len(pairs),
            "estimate": round(sum(pair[0] for pair in pairs) / len(pairs), 3),
            "success_rate": round(sum(pair[1] for pair in pairs) / len(pairs), 3),
        }
        for pairs in bins
        if pairs
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solutions", type=int, default=30)
    parser.add_argument("--runs", nargs="+", default=["math-shepherd:2", "math-shepherd:8", "omegaprm:16"])
    chosen = parser.parse_args(arguments)
    policy, labelled = load_policy("pocket"), solutions_with_truth(chosen.solutions)
    solutions = [solution for solution, _ in labelled]
    rows: list[dict[str, Any]] = []
    few: dict[str, SolutionEstimate] = {}
    for run in chosen.runs:
        method, _, rollouts = run.partition(":")
        found = label(policy, solutions, method, int(rollouts), seed=0)
        few = found if method == "math-shepherd" else few
        wrong = sum(found[solution.id].first_mistake != first for solution, first in labelled)
        rows.append({"method": method, "rollouts": int(rollouts), "error": round(wrong / len(labelled), 3)})
    table: dict[str, Any] = {"benchmark": "search_calibration", "solutions": len(labelled), "labels": rows}
    if few:
        table["reliability"] = reliability(few, label(policy, solutions, "math-shepherd", 32, seed=1))
    print(json.dumps(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
