"""What a test-time search falls back on where no solution that it met has an answer: its best open prefix, completed.

A small budget may be spent before any path has ended. What the search has found by then is a prefix, and the policy
can finish it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ml.policies.protocol import Prefix
from ml.search.requests import Completions, Search
from ml.search.tree import INVALID, Node, Tree
from ml.seeds import seed_of


def completed(prefix: Prefix, temperature: float, seed: int) -> Search[list[tuple[str, ...]]]:
    """The prefix with the policy's completion, as the one solution of a list; empty where that came to no end, or the
    policy had nothing to say.
    """
    request = Completions(prefix, 1, temperature, seed_of(seed, "completed"))
    written = (yield [request])[0]
    solutions = [prefix.steps + one.steps for one in written if one.finished]
    return [steps for steps in solutions if steps]


def best_open(trees: Sequence[Tree]) -> Prefix:
    """Where the trees together would go on: down the most visited nodes, those of the highest Q among as many.

    Where nothing is left open, that is the problem itself.
    """
    leaves = [(tree, node) for tree in trees for node in tree.nodes if _is_open(node)]
    if not leaves:
        return trees[0].prefix(trees[0].root)
    tree, node = max(leaves, key=lambda leaf: [_rank(step) for step in leaf[0].path(leaf[1])[1:]])
    return tree.prefix(node)


def _is_open(node: Node) -> bool:
    """Whether the policy may go on here; what was given up as too deep has not ended either."""
    is_too_deep = node.terminal == INVALID and not node.finished and node.verdict != "program_error"
    return (node.terminal is None or is_too_deep) and node.pruned is None and not node.expanded


def _rank(node: Node) -> tuple[int, float]:
    return node.visits, node.q_value if node.q_value is not None else float("-inf")
