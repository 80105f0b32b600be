"""Tokens for one labelled first mistake, by method: `python -m tests.benchmarks.search_tokens`.

Wrong solutions whose first mistake is known, written by the pocket family's careless writer. Every method
labels the same ones with the same policy and the same k; accuracy stands beside the cost, because cheap and
wrong is no gain.
"""

from __future__ import annotations

import argparse
import json
import random

from ml.execution import Sandbox
from ml.pocket.problems import expression_of, generate
from ml.pocket.writer import write_prose
from ml.policies import load_policy
from ml.records import Option, Position, Solution
from ml.search.recipes import RECIPES
from ml.search.walk import Walk

METHODS = {
    "math-shepherd": ("math-shepherd", {}),
    "math-shepherd, stopping": ("math-shepherd", {"stop_at_first_mistake": True}),
    "omegaprm": ("omegaprm", {"adaptive": False, "needed_right": 2}),
    "omegaprm, adaptive": ("omegaprm", {"needed_right": 2}),
}


def wrong_solutions(count: int, seed: int = 5) -> list[tuple[Solution, int]]:
    """Prose solutions with a wrong answer, and the position of their first mistake."""
    generator = random.Random(seed)
    found: list[tuple[Solution, int]] = []
    for problem in generate(20 * count, seed=seed):
        written = write_prose(expression_of(problem.text), generator)
        if written.first_slip is None or str(written.answer) == problem.answer:
            continue
        positions = tuple(Position((Option(step),)) for step in written.steps)
        found.append((Solution(problem.id, problem, positions), written.first_slip))
        if len(found) == count:
            break
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solutions", type=int, default=24)
    parser.add_argument("--rollouts", type=int, default=16)
    chosen = parser.parse_args(arguments)
    policy, labelled = load_policy("pocket"), wrong_solutions(chosen.solutions)
    table: dict[str, dict[str, float]] = {}
    for name, (method, changed) in METHODS.items():
        recipe, sandbox = RECIPES[method], Sandbox()
        options = recipe.with_options({"rollouts": chosen.rollouts, "style": "code"} | changed)
        walk = Walk(policy, sandbox)
        searches = ((s.id, recipe.estimate(s, options, 0)) for s, _ in labelled)
        found = {done.key: done.result.first_mistake for done in walk.drive(searches)}
        sandbox.close()
        right = sum(found[solution.id] == first for solution, first in labelled)
        table[name] = {
            "tokens_a_label": round(walk.cost.tokens / len(labelled), 1),
            "accuracy": round(right / len(labelled), 3),
        }
    brute = table["math-shepherd"]["tokens_a_label"]
    for row in table.values():
        row["share_of_brute_force"] = round(row["tokens_a_label"] / brute, 3)
    print(json.dumps({"benchmark": "search_tokens", "solutions": len(labelled), "methods": table}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
