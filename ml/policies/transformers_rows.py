"""Rows that a transformers model writes together over one cache: some leave as they end, others join in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import pad
from transformers.cache_utils import DynamicLayer


@dataclass(slots=True)
class Row:
    """One continuation being written. prefix: which prompt it goes on from. limit: how many tokens it may have."""

    prefix: int
    generator: torch.Generator
    limit: int
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    stopped: bool = False
    ended: bool = False


@dataclass(slots=True)
class Batch:
    """Rows under way. cache and mask hold all their tokens, left-padded to one width; logits are of the next ones."""

    model: Any
    rows: list[Row]
    cache: Any
    mask: torch.Tensor
    logits: torch.Tensor

    @property
    def may_be_joined(self) -> bool:
        """Whether each layer keeps plain keys and values; windows and states have no place for a late row."""
        return all(type(layer) is DynamicLayer and layer.is_initialized for layer in self.cache.layers)

    def choose(self, rows: list[Row], places: Sequence[int]) -> None:
        """Other rows, each in the state of the row at its place."""
        chosen = torch.tensor(places, device=self.mask.device, dtype=torch.long)
        self.rows = rows
        self.mask, self.logits = self.mask[chosen], self.logits[chosen]
        # Not `batch_select_indices`, which the layers of states do not have.
        self.cache.reorder_cache(chosen)

    def keep(self, places: Sequence[int]) -> None:
        """Let go of all other rows."""
        if len(places) == len(self.rows):
            return
        self.choose([self.rows[place] for place in places], places)

    def read(self, tokens: torch.Tensor) -> None:
        """Each row's new token, after which `logits` are of the next."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
        output = self.model(
            input_ids=tokens.unsqueeze(1),
            attention_mask=self.mask,
            position_ids=positions(self.mask)[:, -1:],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = output.logits[:, -1]

    def join(self, others: Batch) -> None:
        """Take other rows in, behind these. Padding that no row needs any more goes."""
        width = int(max(self.mask.sum(dim=1).max(), others.mask.sum(dim=1).max()))
        for ours, theirs in zip(self.cache.layers, others.cache.layers, strict=True):
            ours.keys = torch.cat([_aligned(ours.keys, width), _aligned(theirs.keys, width)])
            ours.values = torch.cat([_aligned(ours.values, width), _aligned(theirs.values, width)])
        masks = [_aligned(batch.mask.unsqueeze(-1), width).squeeze(-1) for batch in (self, others)]
        self.mask, self.logits = torch.cat(masks), torch.cat([self.logits, others.logits])
        self.rows = [*self.rows, *others.rows]


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions that count a row's own tokens only: left padding does not move it."""
    return (mask.cumsum(dim=1) - 1).clamp_min(0)


def _aligned(states: torch.Tensor, width: int) -> torch.Tensor:
    """[..., tokens, size] padded or cut on the left to so many tokens."""
    missing = width - states.shape[-2]
    return pad(states, (0, 0, missing, 0)) if missing > 0 else states[..., -missing:, :]
