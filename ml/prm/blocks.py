"""Attention over a whole packed row in one kernel: torch's FlexAttention, for devices that it trains on.

Who sees whom is said by intervals. Nodes are numbered as a walk meets them, parents first, so that a node and all
below it are the numbers [entry, exit). A token sees another exactly when its own entry lies in the other's interval
(the other is of its path) and the other stands no later from the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


@dataclass(frozen=True)
class Intervals:
    """entries, exits, positions: of every token of a row, int32 [T]; longest: the most tokens on a path."""

    entries: torch.Tensor
    exits: torch.Tensor
    positions: torch.Tensor
    longest: int

    def to(self, device: torch.device) -> Intervals:
        """The same on a device."""
        entries, exits, positions = (t.to(device) for t in (self.entries, self.exits, self.positions))
        return Intervals(entries, exits, positions, self.longest)


@dataclass(frozen=True)
class BlockPlan:
    """mask: [queries, T] in blocks. longest: the most tokens that a query may see."""

    mask: BlockMask
    longest: int


def node_intervals(parents: Sequence[int], first: int) -> tuple[list[int], list[int]]:
    """Entry and exit of each node, numbered from `first`; `parents[i] < i`, and -1 for the root."""
    count = len(parents)
    sizes, entries, free = [1] * count, [first] * count, [first + 1] * count
    for node in range(count - 1, 0, -1):
        sizes[parents[node]] += sizes[node]
    for node in range(1, count):
        entries[node] = free[parents[node]]
        free[parents[node]] += sizes[node]
        free[node] = entries[node] + 1
    return entries, [entry + size for entry, size in zip(entries, sizes, strict=True)]


def block_plan(row: Intervals, queries: torch.Tensor | None = None) -> BlockPlan:
    """Attention of all tokens of the row, or of those at the places `queries` [M] alone."""
    asking, standing = row.entries, row.positions
    if queries is not None:
        asking, standing = asking.index_select(0, queries), standing.index_select(0, queries)
    entries, exits, positions = row.entries, row.exits, row.positions

    def sees(batch: Any, head: Any, query: Any, key: Any) -> Any:
        is_above = (entries[key] <= asking[query]) & (asking[query] < exits[key])
        return is_above & (positions[key] <= standing[query])

    lengths = len(asking), len(entries)
    return BlockPlan(create_block_mask(sees, None, None, *lengths, device=entries.device), row.longest)


def attend_over_blocks(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, plan: BlockPlan
) -> torch.Tensor:
    """query [1, heads, Q, d], key and value [1, key heads, T, d] to [1, heads, Q, d], in the type that came."""
    device, came = query.device.type, query.dtype
    if torch.is_autocast_enabled(device):
        narrow = torch.get_autocast_dtype(device)
        query, key, value = query.to(narrow), key.to(narrow), value.to(narrow)
    shared = query.shape[1] != key.shape[1]
    mixed = _kernel(device)(
        query, key, value, block_mask=plan.mask, scale=scaling, enable_gqa=shared,
        kernel_options={"FORCE_USE_FLEX_ATTENTION": True},
    )  # fmt: skip
    return mixed.to(came)


@cache
def _kernel(device: str) -> Any:
    """Compiled where there is a compiler for the device: rows differ in length, and one kernel serves all."""
    return flex_attention if device == "cpu" else torch.compile(flex_attention, dynamic=True)
