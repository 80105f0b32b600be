"""Attention over a whole packed row in one kernel: torch's FlexAttention, for devices that it trains on.

Who sees whom is said by intervals. Nodes are numbered as a walk meets them, parents first, so that a node and all
below it are the numbers [entry, exit). A token sees another exactly when its own entry lies in the other's interval
(the other is of its path) and the other stands no later from the root.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from ml.errors import MisstepError
from ml.prm.moving import moved

Integers = NDArray[np.integer[Any]]

# More than there are; each is compiled when a row of it comes.
KINDS_OF_ROWS = 64
# The kernel works on so many queries and keys at once.
BLOCK = 128


@dataclass(frozen=True)
class Intervals:
    """entries, exits, positions: of every token of a row, int32 [T]. starts: where each tree begins in it, [trees]."""

    entries: Integers
    exits: Integers
    positions: Integers
    starts: Integers


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


def block_plan(row: Intervals, places: Integers, device: torch.device) -> BlockPlan:
    """Attention of the tokens at the sorted `places` [M] over the whole row, with its tensors on a device."""
    series = (row.entries[places], row.positions[places], row.entries, row.exits, row.positions)
    asking, standing, entries, exits, positions = (moved(torch.from_numpy(s), device) for s in series)

    def sees(batch: Any, head: Any, query: Any, key: Any) -> Any:
        is_above = (entries[key] <= asking[query]) & (asking[query] < exits[key])
        return is_above & (positions[key] <= standing[query])

    counts, indices = (moved(torch.from_numpy(blocks), device) for blocks in _blocks_to_read(row, places))
    mask = BlockMask.from_kv_blocks(
        counts[None, None], indices[None, None], BLOCK_SIZE=BLOCK, mask_mod=sees,
        seq_lengths=(len(places), len(row.entries)),
    )  # fmt: skip
    return BlockPlan(mask, int(row.positions.max()) + 1)


def _blocks_to_read(row: Intervals, places: Integers) -> tuple[Integers, Integers]:
    """Which blocks of keys each block of queries has to look at: how many, and which first, both int32.

    A tree's tokens stand together, and a path's in its order, so that no query looks past itself or before its tree.
    """
    ends = np.minimum(np.arange(BLOCK, len(places) + BLOCK, BLOCK), len(places)) - 1
    trees = np.searchsorted(row.starts, places[::BLOCK], side="right") - 1
    first, last = row.starts[trees] // BLOCK, places[ends] // BLOCK
    every = -(-len(row.entries) // BLOCK)
    indices = np.minimum(first[:, None] + np.arange(every), every - 1)
    return (last - first + 1).astype(np.int32), indices.astype(np.int32)


def attend_over_blocks(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, plan: BlockPlan
) -> torch.Tensor:
    """query [1, heads, Q, d], key and value [1, key heads, T, d] to [1, heads, Q, d], in the type that came.

    Raises MisstepError on a GPU without a C compiler, which torch needs to build the kernel.
    """
    device, came = query.device.type, query.dtype
    if torch.is_autocast_enabled(device):
        narrow = torch.get_autocast_dtype(device)
        query, key, value = query.to(narrow), key.to(narrow), value.to(narrow)
    shared = query.shape[1] != key.shape[1]
    # A layer that is compiled as a whole takes the kernel in.
    attend = flex_attention if torch.compiler.is_compiling() else _kernel(device)
    mixed = attend(
        query, key, value, block_mask=plan.mask, scale=scaling, enable_gqa=shared,
        kernel_options={"FORCE_USE_FLEX_ATTENTION": True},
    )  # fmt: skip
    return mixed.to(came)


def allow_kinds_of_rows() -> None:
    """Let torch compile once for each kind of row: one block or more, a single read or more, training or scoring.

    At its own limit of 8 it would go on without the kernel, in a dense matrix of the whole row.
    """
    torch._dynamo.config.recompile_limit = max(KINDS_OF_ROWS, torch._dynamo.config.recompile_limit)


@cache
def _kernel(device: str) -> Any:
    """Rows differ in length, and one kernel serves all. Raises MisstepError where nothing can compile it."""
    if device == "cpu":
        return flex_attention
    if not any(map(shutil.which, (shlex.split(os.environ.get("CC", "cc"))[0], "gcc", "clang"))):
        raise MisstepError(
            "attention on a GPU without a C compiler, expected gcc or clang on the path, or CC"
        )
    allow_kinds_of_rows()
    # What cannot be compiled as a whole is an error, and never the dense matrix.
    return torch.compile(flex_attention, dynamic=True, fullgraph=True)
