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
        return all(type(layer) is DynamicLayer for layer in self.cache.layers)

    def keep(self, places: Sequence[int]) -> None:
        """Let go of all other rows."""
        if len(places) == len(self.rows):
            return
        kept = torch.tensor(places, device=self.mask.device, dtype=torch.long)
        self.rows = [self.rows[place] for place in places]
        self.mask, self.logits = self.mask[kept], self.logits[kept]
        self.cache.batch_select_indices(kept)

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


def begun(model: Any, prompts: Sequence[list[int]], rows: list[Row], owners: Sequence[int]) -> Batch:
    """Rows at their prompts' ends. Each prompt is read once; owners: the place of each row's among them."""
    device = next(model.parameters()).device
    ids, mask = _padded(prompts, device)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions(mask), use_cache=True)
    chosen = torch.tensor(owners, device=device)
    cache = output.past_key_values
    cache.batch_select_indices(chosen)
    return Batch(model, rows, cache, mask[chosen], output.logits[:, -1][chosen])


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions that count a row's own tokens only: left padding does not move it."""
    return (mask.cumsum(dim=1) - 1).clamp_min(0)


def _padded(rows: Sequence[list[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded token ids and their mask."""
    width = max(len(row) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, width - len(row) :] = torch.tensor(row)
        mask[index, width - len(row) :] = 1
    return ids.to(device), mask.to(device)


def _aligned(states: torch.Tensor, width: int) -> torch.Tensor:
    """[..., tokens, size] padded or cut on the left to so many tokens."""
    missing = width - states.shape[-2]
    return pad(states, (0, 0, missing, 0)) if missing > 0 else states[..., -missing:, :]
