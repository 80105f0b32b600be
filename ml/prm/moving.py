"""Numbers on their way to a device, without anybody waiting for them.

A copy from ordinary memory to a GPU makes the process wait until the GPU has done all that it was given before. From
pinned memory the copy takes its turn behind that work, and the process goes on to lay out the next row meanwhile. The
allocator of pinned memory hands none of it out again before its copy is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor (of a CPU) on a device."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def numbers(values: Sequence[Any], device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Python's numbers as a tensor on a device; as `torch.tensor` makes it of them."""
    return moved(torch.tensor(values, dtype=dtype), device)
