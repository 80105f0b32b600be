"""Weights, gradients and optimizer states split over processes (FSDP), for bases that one device cannot train.

A layer is gathered when it is needed and let go again. What is no layer (embeddings, head) stands in the outermost
group, gathered once a forward pass; and so does the last layer where it runs for the read tokens alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from ml.prm.checkpoint import StoredTensors
from ml.prm.distributed import Group
from ml.prm.model import LLAMA_SHAPED, ProcessRewardModel


def shard(model: ProcessRewardModel, device: str, bfloat16: bool = False) -> ProcessRewardModel:
    """Split the model's weights over the process group, in place; returns an empty copy for `assembled`.

    bfloat16: every pass runs under autocast; see `_precision`.

    The model may still lie on the CPU: FSDP moves what it splits, a layer at a time, so that no device ever holds the
    whole. Gradients are summed and split after each packed row; kept until an update's last row they would be whole
    on every device.
    """
    skeleton = _without_weights(model)
    # Said, because FSDP would otherwise move the weights to the host's GPU wherever they are trained.
    mesh = init_device_mesh(torch.device(device).type, (distributed.get_world_size(),))
    for layer in _layers(model.plain):
        fully_shard(layer, mesh=mesh, mp_policy=_precision(model.plain, bfloat16))
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # The update's normaliser is known to all, so shares of the gradient are summed and not averaged;
            # a sum is also what gloo can do.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return skeleton


def _layers(plain: Any) -> list[nn.Module]:
    """The layers that a forward pass calls as they are; where the last one runs for the read tokens, without it."""
    backbone = getattr(plain, plain.base_model_prefix)
    if type(backbone).__name__ in LLAMA_SHAPED:
        return list(backbone.layers[:-1])
    names = plain._no_split_modules or ()
    return [module for module in backbone.modules() if type(module).__name__ in names]


def _precision(plain: Any, bfloat16: bool) -> MixedPrecisionPolicy:
    """How a layer's weights are gathered. Autocast keeps its narrow copy of every weight until the way back, which
    together are half of the whole model on each device; what is gathered narrow already is let go of with the layer.

    Each part stays in float32, and so do the sum of gradients and what goes from layer to layer. A LayerNorm, which
    other families have, takes no narrow weights on a CPU.
    """
    backbone = getattr(plain, plain.base_model_prefix)
    if not bfloat16 or type(backbone).__name__ not in LLAMA_SHAPED:
        return MixedPrecisionPolicy()
    return MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)


def _without_weights(model: ProcessRewardModel) -> ProcessRewardModel:
    """A copy on the meta device, made without a copy of the weights."""
    empty: dict[int, Any] = {
        id(own): nn.Parameter(torch.empty_like(own, device="meta"), own.requires_grad)
        for own in model.parameters()
    }
    empty |= {id(own): torch.empty_like(own, device="meta") for own in model.buffers()}
    return copy.deepcopy(model, empty)


def assembled(skeleton: ProcessRewardModel, sharded: ProcessRewardModel, group: Group) -> ProcessRewardModel:
    """The whole model as it was before `shard`, with the trained weights, on the CPU of the first process; the others
    keep the skeleton. All processes take part."""
    weights = gathered(sharded.state_dict().items(), group)
    if not group.is_first:
        return skeleton
    skeleton.load_state_dict(weights, assign=True)
    buffers = dict(sharded.named_buffers())
    for name, _ in list(skeleton.named_buffers()):
        if name in weights:
            continue
        # Buffers that are no weights (rotary frequencies) are on every process, whole.
        owner, _, own = name.rpartition(".")
        skeleton.get_submodule(owner).register_buffer(own, buffers[name].cpu(), persistent=False)
    # Assigning weight by weight has parted a head from the embeddings that it shares.
    skeleton.plain.tie_weights()
    return skeleton


def gathered(tensors: Iterable[tuple[str, torch.Tensor]], group: Group) -> dict[str, torch.Tensor]:
    """Tensors whole and on the CPU in the first process; the others take part and keep nothing.

    One at a time: together they need not fit a device.
    """
    found = {}
    for name, tensor in tensors:
        full = whole(tensor)
        if group.is_first:
            found[name] = full.cpu()
    return found


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A split tensor gathered from all processes; another one as it is."""
    if not isinstance(tensor, DTensor):
        return tensor
    full: torch.Tensor = tensor.full_tensor()
    return full


def split_like(tensors: StoredTensors, name: str, parameter: Any) -> torch.Tensor:
    """A stored tensor split as the parameter is, of which only this process's part is read; numbers, and all where
    nothing is split, come whole."""
    if not isinstance(parameter, DTensor) or not tensors.has_rows(name):
        return tensors[name]
    own = torch.empty_like(parameter.to_local())
    if len(own):
        # As torch.chunk splits: parts are rounded up, and the last processes have less.
        full_part = -(-parameter.shape[0] // parameter.device_mesh.size())
        start = parameter.device_mesh.get_local_rank() * full_part
        own.copy_(tensors.rows(name, start, start + len(own)))
    return DTensor.from_local(
        own, parameter.device_mesh, parameter.placements, run_check=False, shape=parameter.shape,
        stride=parameter.stride(),
    )  # fmt: skip


@contextmanager
def in_step(model: ProcessRewardModel, group: Group, idle: Callable[[], object]) -> Iterator[None]:
    """Passes of which this process may have another number than the others, where each is one of all together.

    Once it has none left it makes `idle` ones, each of a single pass, until nobody has any.
    """
    if not group.is_sharded:
        yield
        return

    def tell(*_: object) -> None:
        group.any(True)

    # Before FSDP's own, which gathers weights.
    hook = model.register_forward_pre_hook(tell, prepend=True)
    try:
        yield
    finally:
        hook.remove()
    while group.any(False):
        idle()
