"""What LoRA leaves as it is takes half of the memory where that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ml.prm.model import ProcessRewardModel


def halve(model: ProcessRewardModel) -> int:
    """Hold the frozen matrices in bfloat16 that lose nothing by it; returns how many those are.

    For training with --bf16, whose products round each matrix to bfloat16 at every use: the results are the same to the
    bit. A base that was published in float32 keeps its digits, for what is published of it. The language model's own
    head is read in float32, and norms and embeddings feed what is added up along the layers.
    """
    count = 0
    for linear in _frozen(model):
        rounded = linear.weight.detach().to(torch.bfloat16)
        if torch.equal(rounded.float(), linear.weight):
            linear.weight.data = rounded
            count += 1
    return count


def restore(model: ProcessRewardModel) -> None:
    """The opposite, before adapters are added to the matrices: in bfloat16 they would be rounded away."""
    for linear in _frozen(model):
        linear.weight.data = linear.weight.detach().float()


def _frozen(model: ProcessRewardModel) -> Iterator[nn.Linear]:
    head = model.plain.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, nn.Linear) and module is not head and not module.weight.requires_grad:
            yield module
