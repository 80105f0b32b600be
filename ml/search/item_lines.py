"""What a run keeps of one item: the line of its progress file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from ml.execution import lowest_level
from ml.records import Problem, Solution, SolutionEstimate
from ml.search.pairs import PairRules, preference_pairs
from ml.search.trajectory import best_trajectory
from ml.search.tree import Tree


def line_of(
    result: SolutionEstimate | Tree,
    method: str,
    options: Any,
    rules: PairRules,
    levels: Collection[str] = (),
) -> dict[str, Any]:
    """The estimates of one item, and a fresh problem's tree and pairs. levels: of the sandbox, at which code ran."""
    # What is joined with other lines is parted from its run.json, and has to say itself what it is of.
    found_by = {"sandbox_level": lowest_level(levels), "method": method}
    if isinstance(result, Tree):
        estimate = best_trajectory(result, options.threshold, options.luck) | found_by
        pairs = [pair.as_json(result.problem) for pair in preference_pairs(result, rules)]
        return {"estimate": estimate, "tree": result.as_json(), "pairs": pairs}
    return {"estimate": asdict(result) | found_by}


def without_estimate(item: Solution | Problem, style: str, method: str) -> SolutionEstimate | Tree:
    """What is said of an item that the policy cannot read: nothing of any step, or a tree without any."""
    return Tree(item, (), style, method) if isinstance(item, Problem) else SolutionEstimate.of_nothing(item)
