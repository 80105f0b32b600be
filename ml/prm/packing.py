"""Token trees laid end to end in one row: no padding, and every node's tokens once.

A solution is a chain: its problem, then its steps. Alternatives make it a tree, and so does a search. A tree
is cut into chains along its longest paths. A chain attends to itself causally and to the tokens of its
ancestors; its positions count from the root, so that a token sees exactly what it would see on its own path.

On a CPU each chain calls attention on its own keys (`ml.prm.spans`); a GPU reads the row in one kernel
(`ml.prm.blocks`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from ml.prm.blocks import BlockPlan, Intervals, block_plan, node_intervals
from ml.prm.moving import moved
from ml.prm.spans import Call, Integers, SpanPlan, span_plan

# Where one kernel over the row beats a call for each chain (FlexAttention has no way back on a CPU in torch 2.13).
BLOCK_DEVICES = ("cuda",)
# Chains that hang off one node share a call until they are as long together as the path above them, or as this:
# every chain is compared with its sisters in vain, and every call gathers the path anew.
LEAST_GROUP = 64


@dataclass(frozen=True)
class TokenTree:
    """Tokens per node; `parents[i] < i`, and -1 for the root (the problem). No node is empty."""

    tokens: Sequence[Sequence[int]]
    parents: Sequence[int]

    @property
    def size(self) -> int:
        """Tokens in all nodes."""
        return sum(len(node) for node in self.tokens)

    def path(self, node: int) -> list[int]:
        """The nodes from the root's child to `node`; none for the root."""
        found = []
        while node:
            found.append(node)
            node = self.parents[node]
        return found[::-1]

    def paths(self) -> Iterator[list[int]]:
        """The nodes from the root to each leaf, both with them."""
        for leaf in sorted(set(range(len(self.parents))) - set(self.parents)):
            yield [0, *self.path(leaf)]


@dataclass(frozen=True)
class Packed:
    """One row of packed trees.

    input_ids, position_ids: shape [1, T]. reads: sorted places that the head reads, shape [M]. order: shape [R],
    which of the M readings each requested one is (a place may be asked for twice). ends: per tree the place of
    each node's last token, shape [nodes]. trees, wanted: what was packed, and each tree's nodes that are read;
    reads_paths: per tree, whether a reading is of all nodes from the root's child to the one that is named.
    attention: makes the plan of the tokens at some places; places: all of them, and those that are read.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    reads: torch.Tensor
    order: torch.Tensor
    ends: list[Integers]
    trees: Sequence[TokenTree]
    wanted: Sequence[Sequence[int]]
    reads_paths: Sequence[bool]
    attention: Callable[[Integers], SpanPlan | BlockPlan]
    places: tuple[Integers, Integers]

    @cached_property
    def plan(self) -> SpanPlan | BlockPlan:
        """Attention for all T tokens."""
        return self.attention(self.places[0])

    @cached_property
    def read_plan(self) -> SpanPlan | BlockPlan:
        """Attention of the M read tokens alone, for a last layer that computes no others."""
        return self.attention(self.places[1])


def chain(tokens: Sequence[Sequence[int]]) -> TokenTree:
    """A solution without alternatives: the problem's tokens, then each step's."""
    return TokenTree(tokens, list(range(-1, len(tokens) - 1)))


def split_into_tokens(tree: TokenTree) -> TokenTree:
    """The tree with a node for each token; a node's tokens become a chain."""
    tokens: list[list[int]] = []
    parents: list[int] = []
    ends: list[int] = []
    for node, parent in zip(tree.tokens, tree.parents, strict=True):
        above = ends[parent] if parent >= 0 else -1
        for token in node:
            parents.append(above)
            above = len(tokens)
            tokens.append([token])
        ends.append(above)
    return TokenTree(tokens, parents)


def pack(
    trees: Sequence[TokenTree],
    reads: Sequence[Sequence[int]],
    reads_paths: Sequence[bool] | None = None,
    device: torch.device | str = "cpu",
    in_blocks: bool | None = None,
) -> Packed:
    """Lay the trees in one row; `reads[t]` names the nodes of tree t whose last token the head reads.

    reads_paths: per tree, whether the readings of `ml.prm.likelihood` are of paths; else of nodes. in_blocks: whether
    one kernel attends to the row, or a call for each chain; None for what suits the device.
    """
    device = torch.device(device)
    layout = _Layout()
    ends = [layout.add(tree) for tree in trees]
    wanted = [int(ends[t][node]) for t, nodes in enumerate(reads) for node in nodes]
    places, order = np.unique(np.asarray(wanted, dtype=np.int64), return_inverse=True)
    kernel = device.type in BLOCK_DEVICES if in_blocks is None else in_blocks
    return Packed(
        input_ids=moved(torch.from_numpy(np.concatenate(layout.ids))[None], device),
        position_ids=moved(torch.from_numpy(np.concatenate(layout.positions))[None], device),
        reads=moved(torch.from_numpy(places), device),
        order=moved(torch.from_numpy(order.astype(np.int64)), device),
        ends=ends,
        trees=trees,
        wanted=reads,
        reads_paths=reads_paths or [False] * len(trees),
        attention=partial(layout.attention, kernel, device),
        places=(np.arange(layout.length), places),
    )


def batches_within(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """Cut items into consecutive groups of at most `budget` tokens (a larger item stands alone)."""
    groups: list[list[int]] = []
    filled = budget
    for index, size in enumerate(sizes):
        if filled + size > budget:
            groups.append([])
            filled = 0
        groups[-1].append(index)
        filled += size
    return groups


class _Layout:
    """The row while it grows: tokens, positions, and the attention calls in the order of their queries."""

    def __init__(self) -> None:
        self.ids: list[Integers] = []
        self.positions: list[Integers] = []
        # Of the nodes, in the order of the row.
        self.sizes: list[int] = []
        self.entries: list[Integers] = []
        self.exits: list[Integers] = []
        self.starts: list[int] = []
        self.nodes = 0
        self.calls: list[Call] = []
        self.length = 0

    def add(self, tree: TokenTree) -> Integers:
        """Append one tree; returns the place of each node's last token, shape [nodes]."""
        children, follower, reach = _longest_paths(tree)
        entries, exits = map(np.asarray, node_intervals(tree.parents, self.nodes))
        self.nodes += len(tree.parents)
        self.starts.append(self.length)
        ends = np.zeros(len(tree.tokens), dtype=np.int64)
        nothing = np.zeros(0, dtype=np.int64)
        groups: deque[tuple[list[int], Integers]] = deque([([0], nothing)])
        while groups:
            heads, ancestors = groups.popleft()
            start, lengths = self.length, []
            for head in heads:
                nodes = _follow(head, follower)
                first = self.length
                ends[nodes] = self._place([tree.tokens[node] for node in nodes], len(ancestors))
                self.entries.append(entries[nodes])
                self.exits.append(exits[nodes])
                lengths.append(self.length - first)
                for node in nodes:
                    branches = [child for child in children[node] if child != follower[node]]
                    if branches:
                        above = np.concatenate([ancestors, np.arange(first, ends[node] + 1)])
                        reaches = [reach[branch] for branch in branches]
                        for group in batches_within(reaches, max(len(above), LEAST_GROUP)):
                            groups.append(([branches[k] for k in group], above))
            self.calls.append(Call(start, self.length, ancestors, lengths))
        return ends

    def attention(self, in_blocks: bool, device: torch.device, places: Integers) -> SpanPlan | BlockPlan:
        """The plan of the tokens at the sorted places, with its tensors on a device."""
        if in_blocks:
            return block_plan(self.intervals(), places, device)
        return span_plan(self.calls, places).to(device)

    def intervals(self) -> Intervals:
        """What `ml.prm.blocks` has to know of the row."""
        entries, exits = (np.repeat(np.concatenate(part), self.sizes) for part in (self.entries, self.exits))
        positions = np.concatenate(self.positions)
        narrow = [numbers.astype(np.int32) for numbers in (entries, exits, positions)]
        return Intervals(narrow[0], narrow[1], narrow[2], np.asarray(self.starts))

    def _place(self, tokens: Sequence[Sequence[int]], position: int) -> Integers:
        """Append a chain's nodes, the first token at this distance from the root; returns where each node ends."""
        sizes = list(map(len, tokens))
        if not all(sizes):
            raise ValueError("a node without tokens cannot be packed")
        ends = self.length + np.cumsum(sizes) - 1
        self.ids += [np.asarray(own, dtype=np.int64) for own in tokens]
        self.positions.append(np.arange(position, position + sum(sizes)))
        self.sizes += sizes
        self.length += sum(sizes)
        return ends


def _longest_paths(tree: TokenTree) -> tuple[list[list[int]], list[int], list[int]]:
    """Each node's children, which continues its chain (-1 at a leaf): that of the longest path, and its tokens."""
    count = len(tree.tokens)
    children: list[list[int]] = [[] for _ in range(count)]
    for node, parent in enumerate(tree.parents[1:], start=1):
        children[parent].append(node)
    reach = [len(tokens) for tokens in tree.tokens]
    follower = [-1] * count
    for node in range(count - 1, -1, -1):
        if children[node]:
            follower[node] = max(children[node], key=lambda child: reach[child])
            reach[node] += reach[follower[node]]
    return children, follower, reach


def _follow(head: int, follower: Sequence[int]) -> list[int]:
    nodes = [head]
    while follower[nodes[-1]] >= 0:
        nodes.append(follower[nodes[-1]])
    return nodes
