"""A problem's pairs in parts that fit a packed row each: all that a search wrote to it may be several times as long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ml.prm.example import Example
from ml.prm.packing import TokenTree

Pair = tuple[int, int, float]


def parts_within(example: Example, limit: int) -> list[Example]:
    """The example, or several in place of one with pairs whose tree has more than `limit` tokens.

    Each has some of the pairs, in their order, which is that of the nodes above them, and the paths to them; a pair is
    never cut, however long it is alone. Together they have the whole's loss and gradient, where that is divided by the
    whole's parents: all of these are the first part's.
    """
    if not example.pairs or example.tree.size <= limit:
        return [example]
    parts = [_part(example, pairs, nodes) for pairs, nodes in _cut(example, limit)]
    return [replace(part, parents=0 if number else example.parents) for number, part in enumerate(parts)]


def _cut(example: Example, limit: int) -> Iterator[tuple[list[Pair], set[int]]]:
    """The pairs of each part, and the nodes on the way to them."""
    tree, sizes = example.tree, [len(node) for node in example.tree.tokens]
    pairs: list[Pair] = []
    nodes, filled = {0}, sizes[0]
    for pair in example.pairs:
        needed = {node for side in pair[:2] for node in tree.path(example.reads[side])}
        added = sum(sizes[node] for node in needed - nodes)
        if pairs and filled + added > limit:
            yield pairs, nodes
            pairs, nodes, filled = [], {0}, sizes[0]
            added = sum(sizes[node] for node in needed)
        pairs.append(pair)
        nodes |= needed
        filled += added
    yield pairs, nodes


def _part(example: Example, pairs: Sequence[Pair], nodes: set[int]) -> Example:
    tree, kept = example.tree, sorted(nodes)
    number = {old: new for new, old in enumerate(kept)}
    read = sorted({side for pair in pairs for side in pair[:2]})
    place = {old: new for new, old in enumerate(read)}
    return replace(
        example,
        tree=TokenTree(
            [tree.tokens[node] for node in kept], [number.get(tree.parents[node], -1) for node in kept]
        ),
        reads=[number[example.reads[side]] for side in read],
        weights=[example.weights[side] for side in read],
        pairs=[(place[better], place[worse], weight) for better, worse, weight in pairs],
    )
