"""Attention in calls: each chain, and each group of siblings, asks its own keys, for devices where calls are cheap.

The chain at the root needs no mask at all; chains that hang off one node share a call with a small mask. (A dense
mask over the whole row is slower than padding.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SpanPlan:
    """Which tokens attend to which, as a list of calls over consecutive queries.

    query_lengths, key_lengths: per call. keys: for every call's keys one after the other, their places in the
    row, shape [sum(key_lengths)]; None where they are the queries themselves. masks: per call a boolean
    [queries, keys], or None for causal attention. longest: the most tokens of a path, of which a call with siblings
    holds several.
    """

    query_lengths: list[int]
    key_lengths: list[int]
    keys: torch.Tensor | None
    masks: list[torch.Tensor | None]
    longest: int

    def to(self, device: torch.device) -> SpanPlan:
        """The plan with its tensors on a device."""
        masks = [None if mask is None else mask.to(device) for mask in self.masks]
        keys = None if self.keys is None else self.keys.to(device)
        return SpanPlan(self.query_lengths, self.key_lengths, keys, masks, self.longest)


@dataclass(frozen=True)
class Call:
    """Queries [start, end), the ancestors' places, and the lengths of the chains side by side in it."""

    start: int
    end: int
    ancestors: Integers
    chains: list[int]


def full_plan(calls: Sequence[Call]) -> SpanPlan:
    """Attention of all tokens of the row."""
    masks = [None if _is_plain(call) else torch.from_numpy(_mask(call)) for call in calls]
    return SpanPlan(
        [call.end - call.start for call in calls],
        [len(call.ancestors) + call.end - call.start for call in calls],
        _gathered(calls),
        masks,
        _longest(calls),
    )


def read_plan(calls: Sequence[Call], places: Integers) -> SpanPlan:
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
    gathered = _gathered(used) if every else _gathered(used, always=True)
    return SpanPlan(lengths, keys, gathered, list(masks), _longest(used))


def _longest(calls: Iterable[Call]) -> int:
    return max((len(call.ancestors) + max(call.chains) for call in calls), default=0)


def _is_plain(call: Call) -> bool:
    return not len(call.ancestors) and len(call.chains) == 1


def _gathered(calls: Iterable[Call], always: bool = False) -> torch.Tensor | None:
    listed = list(calls)
    if not always and all(not len(call.ancestors) for call in listed):
        return None
    parts = [np.concatenate([call.ancestors, np.arange(call.start, call.end)]) for call in listed]
    return torch.from_numpy(np.concatenate(parts).astype(np.int64)) if parts else None


def _mask(call: Call) -> NDArray[np.bool_]:
    """Who sees whom in one call: all ancestors, and one's own chain up to oneself; shape [queries, keys]."""
    queries = call.end - call.start
    own = np.tri(queries, dtype=bool)
    offset = 0
    for length in call.chains:
        own[offset + length :, offset : offset + length] = False
        offset += length
    ancestors = np.ones((queries, len(call.ancestors)), dtype=bool)
    return np.concatenate([ancestors, own], axis=1)
