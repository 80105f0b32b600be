"""The one solution that a finished tree stands for, with the estimates of its steps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ml.records import StepEstimate
from ml.search.estimates import Evidence, first_known_mistake, mistakes
from ml.search.tree import CORRECT, Node, Tree


def best_end(tree: Tree) -> Node | None:
    """The graded end with the highest mean Q along its path; None where no path ended. The reference has no
    say.
    """
    ends = [end for end in tree.terminals() if end.final_answer is not None]
    return max(ends, key=lambda end: (mean_q(tree, end), end.visits, -end.id), default=None)


def mean_q(tree: Tree, end: Node) -> float:
    """The mean Q of a trajectory's steps; those that nothing came back through say nothing, good or bad."""
    values = [step.q_value for step in tree.path(end)[1:] if step.q_value is not None]
    return sum(values) / len(values) if values else 0.0


def best_trajectory(tree: Tree, threshold: float = 0.0, luck: float = 0.0) -> dict[str, Any]:
    """One line of `estimates.jsonl` for a fresh problem: the best trajectory's estimates, and its texts.

    threshold, luck: which step is its first mistake, as for given solutions (see `estimates.mistakes`).
    """
    end = best_end(tree)
    path = [node for node in tree.path(end)[1:] if node.text] if end is not None else []
    steps = [_estimate(node) for node in path]
    mistaken = mistakes([Evidence(node.graded, node.correct) for node in path], threshold, luck)
    return {
        "id": tree.problem.id,
        "first_mistake": first_known_mistake(mistaken),
        "steps": [asdict(step) for step in steps],
        "solution": [node.text for node in path],
        "final_answer": end.final_answer if end is not None else None,
        "is_correct": end.terminal == CORRECT if end is not None else None,
        "nodes": [node.id for node in path],
    }


def _estimate(node: Node) -> StepEstimate:
    """What the graded rollouts through a node say; a prior's visit is no rollout."""
    return StepEstimate(
        visits=node.graded,
        correct=node.correct,
        q_value=node.q_value,
        hard=int(node.correct > 0) if node.graded else None,
        soft=node.correct / node.graded if node.graded else None,
        quality_value=node.quality_value,
    )
