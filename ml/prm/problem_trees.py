"""All solutions of a problem as one tree: what they share is read once, and where they part, they part in one update.

Samples of one problem begin alike, and rollouts of one search more so; many are copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ml.prm.example import Example
from ml.prm.packing import TokenTree

Tokens = tuple[int, ...]


class _Tree:
    """One problem's tree while it grows. Equal steps behind equal steps are one node."""

    def __init__(self, name: str, root: Tokens, reads_paths: bool) -> None:
        self.name, self.reads_paths = name, reads_paths
        self.tokens: list[Sequence[int]] = [root]
        self.parents = [-1]
        self.size = len(root)
        # The node of a step below a node, and the targets of a node with their weights.
        self.known: dict[tuple[int, Tokens], int] = {}
        self.said: dict[int, list[tuple[list[float], float]]] = {}

    def missing(self, example: Example) -> int:
        """How many tokens the example would add."""
        own, added = [0], 0
        fresh: dict[tuple[int, Tokens], int] = {}
        for node in range(1, len(example.tree.tokens)):
            step = tuple(example.tree.tokens[node])
            key = (own[example.tree.parents[node]], step)
            place = self.known.get(key, fresh.get(key))
            if place is None:
                # Below 0 no node of this tree has its number.
                place = fresh[key] = -1 - len(fresh)
                added += len(step)
            own.append(place)
        return added

    def add(self, example: Example) -> None:
        """Take in the example's nodes and what is said of them."""
        own = [0]
        for node in range(1, len(example.tree.tokens)):
            step = tuple(example.tree.tokens[node])
            key = (own[example.tree.parents[node]], step)
            if key not in self.known:
                self.known[key] = len(self.tokens)
                self.tokens.append(step)
                self.parents.append(key[0])
                self.size += len(step)
            own.append(self.known[key])
        for node, target, weight in zip(example.reads, example.targets, example.weights, strict=True):
            self.said.setdefault(own[node], []).append((target, weight))

    def example(self, weighting: str) -> Example:
        """All that was taken in, as one example."""
        reads = sorted(self.said)
        totals = {node: sum(weight for _, weight in said) for node, said in self.said.items()}
        targets = [_mean(self.said[node], totals[node]) for node in reads]
        weights = [totals[n] / (1 if weighting == "path" else len(self.said[n])) for n in reads]
        return Example(
            self.name,
            TokenTree(self.tokens, self.parents),
            reads,
            targets,
            weights,
            reads_paths=self.reads_paths,
        )


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
    done: list[_Tree] = []
    open_trees: dict[tuple[Tokens, bool], _Tree] = {}
    for example in examples:
        key = (tuple(example.tree.tokens[0]), example.reads_paths)
        tree = open_trees.get(key)
        if tree is None or tree.size + tree.missing(example) > max(limit, example.tree.size):
            tree = open_trees[key] = _Tree(example.id, *key)
            done.append(tree)
        tree.add(example)
    return [tree.example(weighting) for tree in done]
