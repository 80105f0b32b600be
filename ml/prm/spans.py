"""Attention in calls: each chain, and each group of siblings, asks its own keys, for devices where calls are cheap.

The chain at the root needs no mask at all; chains that hang off one node share a call with a small mask. (A dense
mask over the whole row is slower than padding.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SpanPlan:
    """Which tokens attend to which, as a list of calls over consecutive queries.

    query_lengths, key_lengths: per call. keys: for every call's keys one after the other, their places in the
    row, shape [sum(key_lengths)]; None where they are the queries themselves. masks: per call what is added to the
    scores, 0 or -inf, float32 [queries, keys], or None for causal attention. longest: the most tokens of a path, of
    which a call with siblings holds several.
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


def span_plan(calls: Sequence[Call], places: Integers) -> SpanPlan:
    """Attention of the tokens at the sorted `places` [M]; calls in which none of them stands fall away."""
    used, lengths, masks = [], [], []
    for call in calls:
        low, high = np.searchsorted(places, [call.start, call.end])
        if low == high:
            continue
        used.append(call)
        lengths.append(int(high - low))
        masks.append(_mask(call, places[low:high] - call.start))
    keys = [len(call.ancestors) + call.end - call.start for call in used]
    longest = max((len(call.ancestors) + max(call.chains) for call in used), default=0)
    return SpanPlan(lengths, keys, _gathered(used, len(used) == len(calls)), masks, longest)


def _gathered(calls: Sequence[Call], are_all: bool) -> torch.Tensor | None:
    if are_all and all(not len(call.ancestors) for call in calls):
        return None
    parts = [np.concatenate([call.ancestors, np.arange(call.start, call.end)]) for call in calls]
    return torch.from_numpy(np.concatenate(parts))


def _mask(call: Call, queries: Integers) -> torch.Tensor | None:
    """Who sees whom in one call: all ancestors, and one's own chain up to oneself. queries: their places in the call.

    None where that is causal attention of all. Numbers and not booleans, of which torch would make these anew in every
    layer and keep them for the way back.
    """
    own = np.arange(call.end - call.start)
    if not len(call.ancestors) and len(call.chains) == 1 and len(queries) == len(own):
        return None
    begins = np.repeat(np.cumsum([0, *call.chains[:-1]]), call.chains)[queries, None]
    hidden = torch.from_numpy((own > queries[:, None]) | (own < begins))
    mask = torch.zeros(len(queries), len(call.ancestors) + len(own))
    mask[:, len(call.ancestors) :].masked_fill_(hidden, -math.inf)
    return mask
