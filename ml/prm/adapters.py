"""Where low-rank adapters go: the layers that were named, or all that a base's blocks have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from ml.errors import MisstepError

# What chooses between experts. An adapter on it would send tokens elsewhere than the experts were trained for.
ROUTERS = ("gate", "router", "shared_expert_gate")


def targets_in(model: Any, named: Sequence[str] = ()) -> list[str]:
    """The layers that get an adapter, by the ends of their names: those that were named, or else every linear layer of
    the base's blocks, fused projections and whatever a family calls them.

    Raises MisstepError for a name that nothing in the base's blocks has, since it would be passed over in silence while
    others are found, and for a base without a linear layer in its blocks. Outside of them an adapter would not be read
    (target tokens take rows of the head), or would change a head that is tied to the embeddings once it is added.
    """
    found = list(dict.fromkeys(_in_blocks(model)))
    modules = [name for name, _ in model.named_modules() if _is_in_block(name)]
    unknown = [name for name in named if not any(f".{module}".endswith(f".{name}") for module in modules)]
    if unknown:
        raise MisstepError(
            f"--lora-targets {' '.join(unknown)}: the base has no such layer in its blocks, expected some of"
            f" {', '.join(found)}"
        )
    if not named and not found:
        raise MisstepError("--lora: the base's blocks have no linear layers, expected --lora-targets")
    return list(named) or found


def experts_of(model: nn.Module) -> list[str]:
    """The names of matrices that a mixture of experts keeps stacked: as parameters of three dimensions, which are no
    layers and get no adapter."""
    found = (
        own
        for name, module in model.named_modules()
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.dim() == 3 and not isinstance(module, nn.Conv1d) and _is_in_block(f"{name}.{own}")
    )
    return list(dict.fromkeys(found))


def _in_blocks(model: nn.Module) -> Iterator[str]:
    """The last parts of the linear layers' names."""
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if isinstance(module, nn.Linear | Conv1D) and last not in ROUTERS and _is_in_block(name):
            yield last


def _is_in_block(name: str) -> bool:
    """Blocks are numbered, embeddings and heads are not."""
    return any(part.isdecimal() for part in name.split(".")[:-1])
