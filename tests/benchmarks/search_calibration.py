"""Labels against the pocket family's truth, by method and rollouts, and how literally soft estimates may be taken.

    python -m tests.benchmarks.search_calibration --out docs/results/search_calibration.json --images docs/images

Solutions by the careless writer, about as many wrong as right; the checker knows the truth of every step. Soft
estimates are held against the success rate of many other rollouts (another seed), and against the truth.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.agreement import wilson_interval
from ml.evaluation.line_plot import Line, line_plot
from ml.execution import Sandbox
from ml.pocket.checker import first_mistake
from ml.pocket.problems import expression_of, generate
from ml.pocket.writer import write_prose
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.records import Option, Position, Solution, SolutionEstimate
from ml.search.recipes import RECIPES
from ml.search.walk import Walk
from tests.benchmarks.support.rows import Table
from tests.benchmarks.support.variants import variant_of
from tests.data import ROOT

ROLLOUTS = (1, 2, 4, 8, 16)
METHODS = ("math-shepherd", "omegaprm", "omegaprm, two right", "rest-mcts", "rstar")
JUDGES = 64
Labelled = Sequence[tuple[Solution, int | None]]
Found = Mapping[str, SolutionEstimate]


def solutions_with_truth(count: int) -> list[tuple[Solution, int | None]]:
    """Prose solutions and their first mistake by the checker, as many with a mistake as without.

    Mistakes that cancel out are left out: rollouts and truth rightly differ there.
    """
    generator = random.Random(9)
    wrong: list[tuple[Solution, int | None]] = []
    right: list[tuple[Solution, int | None]] = []
    for problem in generate(30 * count, seed=9):
        written = write_prose(expression_of(problem.text), generator)
        truth = first_mistake(problem.text, written.steps)
        kind = right if truth is None else wrong
        if (truth is None) == (str(written.answer) == problem.answer) and len(kind) < count // 2:
            positions = tuple(Position((Option(step),)) for step in written.steps)
            kind.append((Solution(problem.id, problem, positions), truth))
    return right + wrong


def label(policy: Policy, labelled: Labelled, method: str, rollouts: int, seed: int) -> tuple[Found, int]:
    """Every solution's estimate, and the tokens that they took."""
    name, variant = variant_of(method)
    recipe, sandbox = RECIPES[name], Sandbox()
    options = recipe.with_options({"rollouts": rollouts, "style": "code", **variant})
    walk = Walk(policy, sandbox)
    searches = ((solution.id, recipe.estimate(solution, options, seed)) for solution, _ in labelled)
    found = {done.key: done.result for done in walk.drive(searches)}
    sandbox.close()
    return found, walk.cost.tokens


def errors(labelled: Labelled, found: Found) -> dict[str, Any]:
    """Shares of solutions whose first mistake differs from the checker's, and of steps whose hard label does.

    A step's truth: no mistake up to it.
    """
    wrong = sum(found[solution.id].first_mistake != truth for solution, truth in labelled)
    steps = [
        step.hard != int(truth is None or place < truth)
        for solution, truth in labelled
        for place, step in enumerate(found[solution.id].steps)
        if step.hard is not None
    ]
    return {
        "first_mistake_error": round(wrong / len(labelled), 4),
        "first_mistake_interval": [round(end, 4) for end in wilson_interval(wrong, len(labelled))],
        "step_error": round(sum(steps) / len(steps), 4),
        "step_interval": [round(end, 4) for end in wilson_interval(sum(steps), len(steps))],
        "steps": len(steps),
    }


def reliability(labelled: Labelled, few: Found, many: Found, bins: int = 8) -> list[dict[str, float]]:
    """By bins of the soft estimate: its mean, the success rate of other rollouts, the share of right steps."""
    parted: list[list[tuple[float, float, bool]]] = [[] for _ in range(bins)]
    for solution, truth in labelled:
        # The last step is graded by the solution's own answer: no estimate to hold against anything.
        pairs = zip(few[solution.id].steps[:-1], many[solution.id].steps[:-1], strict=True)
        for place, (step, judge) in enumerate(pairs):
            if step.soft is not None and judge.soft is not None:
                right = truth is None or place < truth
                parted[min(bins - 1, int(step.soft * bins))].append((step.soft, judge.soft, right))
    return [
        {
            "steps": len(part),
            "estimate": round(sum(soft for soft, _, _ in part) / len(part), 4),
            "success_rate": round(sum(rate for _, rate, _ in part) / len(part), 4),
            "right": round(sum(right for _, _, right in part) / len(part), 4),
        }
        for part in parted
        if part
    ]


def calibration_error(rows: Sequence[Mapping[str, float]], against: str) -> float:
    """The expected calibration error: bins' distances, weighed by their steps."""
    total = sum(row["steps"] for row in rows)
    return round(sum(row["steps"] * abs(row["estimate"] - row[against]) for row in rows) / total, 4)


def draw_errors(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Both errors by number of rollouts, a line a method."""
    for key, title in (
        ("first_mistake", "Error of the first mistake"),
        ("step", "Error of hard step labels"),
    ):
        lines = [
            Line(
                method,
                [
                    (row["rollouts"], row[f"{key}_error"], *row[f"{key}_interval"])
                    for row in rows
                    if row["method"] == method
                ],
            )
            for method in dict.fromkeys(row["method"] for row in rows)
        ]
        name = f"search_{key}_error.svg"
        line_plot(folder / name, title, "rollouts", "share that differs from the checker", lines)


def draw_reliability(path: Path, rows: Sequence[Mapping[str, float]], rollouts: int) -> None:
    """The reliability curve, against other rollouts and against the truth, with the line of perfect ones."""
    rates = [(row["estimate"], row["success_rate"]) for row in rows]
    right = [
        (
            row["estimate"],
            row["right"],
            *wilson_interval(round(row["right"] * row["steps"]), int(row["steps"])),
        )
        for row in rows
    ]
    lines = [
        Line(f"success of {JUDGES} others", [(x, y, y, y) for x, y in rates]),
        Line("right steps (checker)", right),
        Line("as literal as can be", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)]),
    ]
    x_name = f"soft estimate of {rollouts} rollouts"
    line_plot(path, "Reliability of soft estimates", x_name, "share", lines, is_logarithmic=False)


def main(arguments: list[str] | None = None) -> int:
    """Print and write one row after another, then the curve and the figures; rows of --out are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--solutions", type=int, default=100)
    parser.add_argument("--soft-rollouts", type=int, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "search_calibration.json")
    parser.add_argument("--images", type=Path, default=ROOT / "var" / "search_calibration")
    chosen = parser.parse_args(arguments)
    policy, labelled = load_policy("pocket"), solutions_with_truth(chosen.solutions)
    header = {
        "benchmark": "search_calibration",
        "policy": policy.name,
        "solutions": len(labelled),
        "wrong_solutions": sum(truth is not None for _, truth in labelled),
    }
    table = Table(chosen.out, header)
    for rollouts in ROLLOUTS:
        for method in METHODS:
            if not table.has(method=method, rollouts=rollouts):
                found, tokens = label(policy, labelled, method, rollouts, seed=0)
                row = {"method": method, "rollouts": rollouts, "tokens": tokens}
                table.add(row | errors(labelled, found))
    few, _ = label(policy, labelled, "math-shepherd", chosen.soft_rollouts, seed=0)
    many, _ = label(policy, labelled, "math-shepherd", JUDGES, seed=1)
    curve = reliability(labelled, few, many)
    distance = {key: calibration_error(curve, key) for key in ("success_rate", "right")}
    print(json.dumps({"reliability": curve, "calibration_error": distance}), flush=True)
    table.write(
        soft_rollouts=chosen.soft_rollouts,
        judging_rollouts=JUDGES,
        reliability=curve,
        calibration_error=distance,
    )
    draw_errors(chosen.images, table.rows)
    draw_reliability(chosen.images / "search_reliability.svg", curve, chosen.soft_rollouts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
