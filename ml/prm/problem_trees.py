"""All solutions of a problem as one tree: what they share is read once, and where they part, they part in one update.

Samples of one problem begin alike, and rollouts of one search more so; many are copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ml.prm.example import Example, token_by_token
from ml.prm.growing_tree import GrowingTree
from ml.prm.tokens import Tokens, compact


class _ProblemTree(GrowingTree):
    """The tree with all that its solutions say of it."""

    def __init__(self, name: str, root: Tokens, reads_paths: bool) -> None:
        super().__init__(root)
        self.name, self.reads_paths = name, reads_paths
        # The targets of a node with their weights.
        self.said: dict[int, list[tuple[list[float], float]]] = {}

    def hear(self, example: Example) -> None:
        """Take in the example's nodes and what is said of them."""
        own = self.add(example.tree)
        for node, target, weight in zip(example.reads, example.targets, example.weights, strict=True):
            self.said.setdefault(own[node], []).append((target, weight))

    def example(self, weighting: str) -> Example:
        """All that was taken in, as one example."""
        reads = sorted(self.said)
        totals = {node: sum(weight for _, weight in said) for node, said in self.said.items()}
        targets = [_mean(self.said[node], totals[node]) for node in reads]
        weights = [totals[n] / (1 if weighting == "path" else len(self.said[n])) for n in reads]
        return Example(self.name, self.tree(), reads, targets, weights, reads_paths=self.reads_paths)


def _mean(said: Sequence[tuple[list[float], float]], total: float) -> list[float]:
    outputs = len(said[0][0])
    return [sum(target[k] * weight for target, weight in said) / total for k in range(outputs)]


def by_problem(examples: Iterable[Example], weighting: str, limit: int) -> list[Example]:
    """Examples with the same problem as one, in the order in which their trees were begun.

    weighting: `node` (each step once, however many solutions go through it) or `path` (as often as they do).
    Where several say something of one step, its target is their mean, whoever they are. limit: the most tokens in a
    tree (but one solution is never cut); a problem with more gets several, one after the other. Examples with pairs
    are none of this function's (preferences are trees already).
    """
    done: list[_ProblemTree] = []
    open_trees: dict[tuple[bytes, bool], _ProblemTree] = {}
    for example in map(token_by_token, examples):
        root = compact(example.tree.tokens[0])
        key = (root.tobytes(), example.reads_paths)
        tree = open_trees.get(key)
        if tree is None or not tree.has_room_for(example.tree, limit):
            tree = open_trees[key] = _ProblemTree(example.id, root, example.reads_paths)
            done.append(tree)
        tree.hear(example)
    return [tree.example(weighting) for tree in done]
