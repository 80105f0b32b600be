"""Fused kernels for what is neither a matrix product nor attention: on a GPU that is half of the time."""

from __future__ import annotations

from typing import Any

from torch import nn

# Feed-forwards and norms are small functions of one tensor, so that one compilation serves all layers and all lengths.
FUSED = ("RMSNorm", "LayerNorm", "MLP")


def compile_pieces(model: Any) -> int:
    """Compile the norms and feed-forwards of all layers in place, once for all lengths; returns how many.

    Names of weights stay as they are. The first update takes longer, by seconds on a GPU.
    """
    pieces = [module for module in model.modules() if is_fused(module)]
    for module in pieces:
        module.compile(dynamic=True)
    return len(pieces)


def is_fused(module: nn.Module) -> bool:
    """Whether a module is of a kind that is compiled."""
    return type(module).__name__.endswith(FUSED)
