"""Weights, gradients and optimizer states split over processes (FSDP), for bases that one device cannot train.

Every layer but the last is gathered when it is needed and let go again. The last layer, which runs for the read
tokens alone, stands with the embeddings and the head in the outermost group, gathered once a forward pass.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ml.prm.model import LLAMA_SHAPED, ProcessRewardModel


def shard(model: ProcessRewardModel) -> ProcessRewardModel:
    """Split the model's weights over the process group, in place; returns an empty copy for `assembled`."""
    skeleton = copy.deepcopy(model).to("meta")
    plain = model.plain
    backbone = getattr(plain, plain.base_model_prefix)
    # Said, because FSDP would otherwise move the weights to the host's GPU wherever they are.
    mesh = init_device_mesh(next(model.parameters()).device.type, (distributed.get_world_size(),))
    if type(backbone).__name__ in LLAMA_SHAPED:
        for layer in backbone.layers[:-1]:
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # The update's normaliser is known to all, so shares of the gradient are summed and not averaged;
            # a sum is also what gloo can do.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return skeleton


def assembled(skeleton: ProcessRewardModel, sharded: ProcessRewardModel) -> ProcessRewardModel:
    """The whole model as it was before `shard`, with the trained weights; all processes take part."""
    weights = {name: whole(tensor) for name, tensor in sharded.state_dict().items()}
    skeleton.load_state_dict(weights, assign=True)
    buffers = dict(sharded.named_buffers())
    for name, _ in list(skeleton.named_buffers()):
        # Buffers that are no weights (rotary frequencies) are on every process, whole.
        owner, _, own = name.rpartition(".")
        skeleton.get_submodule(owner).register_buffer(own, buffers[name], persistent=False)
    # Assigning weight by weight has parted a head from the embeddings that it shares.
    skeleton.plain.tie_weights()
    return skeleton


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A split tensor gathered from all processes; another one as it is."""
    if not isinstance(tensor, DTensor):
        return tensor
    full: torch.Tensor = tensor.full_tensor()
    return full


def split_like(tensor: torch.Tensor, parameter: Any) -> torch.Tensor:
    """A whole tensor split as the parameter is; numbers, and all where nothing is split, stay as they are."""
    if not isinstance(parameter, DTensor) or not tensor.dim():
        return tensor
    return distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)
