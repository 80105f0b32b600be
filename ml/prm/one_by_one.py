"""Rows read without packing: each path from a root to a leaf in a forward of its own, through the model's attention.

For bases whose layers carry a state along the row, or whose attention is another one: right in every causal model, and
slower, because nothing is shared: a problem is read as often as it has solutions and alternatives.
"""

from __future__ import annotations

from typing import Any

import torch

from ml.prm.moving import numbers
from ml.prm.packing import Packed, TokenTree


def hidden_one_by_one(backbone: Any, packed: Packed) -> torch.Tensor:
    """Hidden states of all tokens of the row, [T, hidden], in the places that packing gives them."""
    parts: list[tuple[int, torch.Tensor]] = []
    for tree, ends in zip(packed.trees, packed.ends, strict=True):
        for node, hidden in _nodes(backbone, tree, packed.input_ids.device):
            parts.append((int(ends[node]), hidden))
    return torch.cat([hidden for _, hidden in sorted(parts, key=lambda part: part[0])])


def _nodes(backbone: Any, tree: TokenTree, device: torch.device) -> list[tuple[int, torch.Tensor]]:
    """Each node once, with the hidden states of its tokens; a shared one from the first path that it lies on."""
    found: dict[int, torch.Tensor] = {}
    for path in tree.paths():
        ids = [token for node in path for token in tree.tokens[node]]
        output = backbone(input_ids=numbers([ids], device), use_cache=False)
        lengths = [len(tree.tokens[node]) for node in path]
        for node, hidden in zip(path, output.last_hidden_state[0].split(lengths), strict=True):
            found.setdefault(node, hidden)
    return list(found.items())
