"""Token trees laid end to end in one row: no padding, and every node's tokens once.

A solution is a chain: its problem, then its steps. Alternatives make it a tree, and so does a search. A tree
is cut into chains along its longest paths. A chain attends to itself causally and to the tokens of its
ancestors; its positions count from the root, so that a token sees exactly what it would see on its own path.

Chains that hang off the same node are laid side by side and share one attention call with a small mask; the
chain at the root needs no mask at all. (A dense mask over the whole row is slower than padding.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Integers = NDArray[np.int64]

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


@dataclass(frozen=True)
class SpanPlan:
    """Which tokens attend to which, as a list of calls over consecutive queries.

    query_lengths, key_lengths: per call. keys: for every call's keys one after the other, their places in the
    row, shape [sum(key_lengths)]; None where they are the queries themselves. masks: per call a boolean
    [queries, keys], or None for causal attention.
    """

    query_lengths: list[int]
    key_lengths: list[int]
    keys: torch.Tensor | None
    masks: list[torch.Tensor | None]

    def to(self, device: torch.device) -> SpanPlan:
        """The plan with its tensors on a device."""
        masks = [None if mask is None else mask.to(device) for mask in self.masks]
        keys = None if self.keys is None else self.keys.to(device)
        return SpanPlan(self.query_lengths, self.key_lengths, keys, masks)


@dataclass(frozen=True)
class Packed:
    """One row of packed trees.

    input_ids, position_ids: shape [1, T]. plan: attention for all T tokens. reads: sorted places that the
    head reads, shape [M]. read_plan: attention of these M tokens alone, for the last layer. order: shape [R],
    which of the M readings each requested one is (a place may be asked for twice). ends: per tree the place of
    each node's last token, shape [nodes]. trees, wanted: what was packed, and each tree's nodes that are read;
    reads_paths: per tree, whether a reading is of all nodes from the root's child to the one that is named.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    plan: SpanPlan
    reads: torch.Tensor
    read_plan: SpanPlan
    order: torch.Tensor
    ends: list[Integers]
    trees: Sequence[TokenTree]
    wanted: Sequence[Sequence[int]]
    reads_paths: Sequence[bool]

    @property
    def token_count(self) -> int:
        """T, the tokens that go through the model."""
        return int(self.input_ids.shape[1])

    def to(self, device: torch.device) -> Packed:
        """The packed row with its tensors on a device."""
        return Packed(
            self.input_ids.to(device),
            self.position_ids.to(device),
            self.plan.to(device),
            self.reads.to(device),
            self.read_plan.to(device),
            self.order.to(device),
            self.ends,
            self.trees,
            self.wanted,
            self.reads_paths,
        )


@dataclass(frozen=True)
class _Call:
    """Queries [start, end), the ancestors' places, and the lengths of the chains side by side in it."""

    start: int
    end: int
    ancestors: Integers
    chains: list[int]


def chain(tokens: Sequence[Sequence[int]]) -> TokenTree:
    """A solution without alternatives: the problem's tokens, then each step's."""
    return TokenTree(tokens, list(range(-1, len(tokens) - 1)))


def pack(
    trees: Sequence[TokenTree], reads: Sequence[Sequence[int]], reads_paths: Sequence[bool] | None = None
) -> Packed:
    """Lay the trees in one row; `reads[t]` names the nodes of tree t whose last token the head reads.

    reads_paths: per tree, whether the readings of `ml.prm.likelihood` are of paths; else of nodes.
    """
    layout = _Layout()
    ends = [layout.add(tree) for tree in trees]
    wanted = [int(ends[t][node]) for t, nodes in enumerate(reads) for node in nodes]
    places, order = np.unique(np.asarray(wanted, dtype=np.int64), return_inverse=True)
    return Packed(
        input_ids=torch.from_numpy(np.concatenate(layout.ids))[None],
        position_ids=torch.from_numpy(np.concatenate(layout.positions))[None],
        plan=_full_plan(layout.calls),
        reads=torch.from_numpy(places),
        read_plan=_read_plan(layout.calls, places),
        order=torch.from_numpy(order.astype(np.int64)),
        ends=ends,
        trees=trees,
        wanted=reads,
        reads_paths=reads_paths or [False] * len(trees),
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
        self.calls: list[_Call] = []
        self.length = 0

    def add(self, tree: TokenTree) -> Integers:
        """Append one tree; returns the place of each node's last token, shape [nodes]."""
        children, follower, reach = _longest_paths(tree)
        ends = np.zeros(len(tree.tokens), dtype=np.int64)
        nothing = np.zeros(0, dtype=np.int64)
        groups: deque[tuple[list[int], Integers]] = deque([([0], nothing)])
        while groups:
            heads, ancestors = groups.popleft()
            start, lengths = self.length, []
            for head in heads:
                chain_start, nodes = self.length, _follow(head, follower)
                for node in nodes:
                    self._place(tree.tokens[node], len(ancestors) + self.length - chain_start)
                    ends[node] = self.length - 1
                    branches = [child for child in children[node] if child != follower[node]]
                    if branches:
                        own = np.arange(chain_start, self.length, dtype=np.int64)
                        above = np.concatenate([ancestors, own])
                        sizes = [reach[branch] for branch in branches]
                        for group in batches_within(sizes, max(len(above), LEAST_GROUP)):
                            groups.append(([branches[k] for k in group], above))
                lengths.append(self.length - chain_start)
            self.calls.append(_Call(start, self.length, ancestors, lengths))
        return ends

    def _place(self, tokens: Sequence[int], position: int) -> None:
        if not len(tokens):
            raise ValueError("a node without tokens cannot be packed")
        self.ids.append(np.asarray(tokens, dtype=np.int64))
        self.positions.append(np.arange(position, position + len(tokens), dtype=np.int64))
        self.length += len(tokens)


def _longest_paths(tree: TokenTree) -> tuple[list[list[int]], list[int], list[int]]:
    """Each node's children, which continues its chain (-1 at a leaf): that of the longest path, and its tokens."""
    count = len(tree.tokens)
    children: list[list[int]] = [[] for _ in range(count)]
    below = [len(tokens) for tokens in tree.tokens]
    follower = [-1] * count
    for node in range(count - 1, 0, -1):
        parent = tree.parents[node]
        children[parent].insert(0, node)
    reach = list(below)
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


def _full_plan(calls: Sequence[_Call]) -> SpanPlan:
    masks = [None if _is_plain(call) else torch.from_numpy(_mask(call)) for call in calls]
    return SpanPlan(
        [call.end - call.start for call in calls],
        [len(call.ancestors) + call.end - call.start for call in calls],
        _gathered(calls),
        masks,
    )


def _read_plan(calls: Sequence[_Call], places: Integers) -> SpanPlan:
    """The same calls with only the read tokens as queries; calls in which nothing is read fall away."""
    used, lengths, masks = [], [], []
    for call in calls:
        low, high = np.searchsorted(places, [call.start, call.end])
        if low == high:
            continue
        used.append(call)
        lengths.append(int(high - low))
        masks.append(torch.from_numpy(_mask(call)[places[low:high] - call.start]))
    keys = [len(call.ancestors) + call.end - call.start for call in used]
    every = len(used) == len(calls)
    return SpanPlan(lengths, keys, _gathered(used) if every else _gathered(used, always=True), list(masks))


def _is_plain(call: _Call) -> bool:
    return not len(call.ancestors) and len(call.chains) == 1


def _gathered(calls: Iterable[_Call], always: bool = False) -> torch.Tensor | None:
    listed = list(calls)
    if not always and all(not len(call.ancestors) for call in listed):
        return None
    parts = [np.concatenate([call.ancestors, np.arange(call.start, call.end)]) for call in listed]
    return torch.from_numpy(np.concatenate(parts).astype(np.int64)) if parts else None


def _mask(call: _Call) -> NDArray[np.bool_]:
    """Who sees whom in one call: all ancestors, and one's own chain up to oneself; shape [queries, keys]."""
    queries = call.end - call.start
    own = np.tri(queries, dtype=bool)
    offset = 0
    for length in call.chains:
        own[offset + length :, offset : offset + length] = False
        offset += length
    ancestors = np.ones((queries, len(call.ancestors)), dtype=bool)
    return np.concatenate([ancestors, own], axis=1)
