"""Several processes under `torchrun`: each takes its share of every update, and gradients are added up.

The normaliser of an update is known to all before it starts, so the sum of the shares' gradients is the
gradient of the whole update: the result is the one-process result up to the order of float additions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from heapq import heappop, heappush
from typing import Any, TypeVar

import torch
from torch import distributed

from ml.devices import refuse_missing_device
from ml.errors import FolderInUse, MisstepError

Item = TypeVar("Item")
# What the first process does alone (a second opinion, a checkpoint on its way to the disk) takes longer than the half
# hour or less after which a sum over the group counts as dead.
PATIENCE = timedelta(days=1)
# Gradients are summed in pieces of so many bytes: few calls, and little memory beside the gradients.
BUCKET = 32 * 2**20


def backend_for(device: str) -> str:
    """What sums gradients on this device: a GPU in the host is no reason for NCCL when training is on the CPU."""
    return "nccl" if torch.device(device).type == "cuda" else "gloo"


def own_device(device: str, local_rank: int) -> str:
    """This process's device: of the GPUs of its host the one with its number, unless one was named by number."""
    chosen = torch.device(device)
    return f"cuda:{local_rank}" if chosen.type == "cuda" and chosen.index is None else device


def speaks() -> bool:
    """Whether this process tells what all find alike: the first one that torchrun started, or one by itself."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK") == "0"


class Group:
    """One process's view of the group; alone when it was not started by torchrun."""

    def __init__(self, rank: int = 0, size: int = 1, device: str = "cpu") -> None:
        self.rank, self.size, self.device = rank, size, device
        # Whether the weights are split (`ml.prm.sharding`): then every pass is one of all processes together.
        self.is_sharded = False
        # For words and waiting, not for sums: gloo on any device, with patience.
        self._words: Any = distributed.new_group(backend="gloo", timeout=PATIENCE) if size > 1 else None

    @classmethod
    def from_environment(cls, device: str) -> Group:
        """Join the group that torchrun's variables describe; `device` is what was asked for all processes."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls(device=device)
        own = own_device(device, int(os.environ.get("LOCAL_RANK", "0")))
        refuse_missing_device(own)
        if torch.device(own).type == "cuda":
            # NCCL's collectives without tensors (barriers) run on the current device.
            torch.cuda.set_device(own)
        if not distributed.is_initialized():
            distributed.init_process_group(backend_for(own))
        return cls(distributed.get_rank(), size, own)

    @classmethod
    @contextmanager
    def joined(cls, device: str) -> Iterator[Group]:
        """The group of `from_environment` for as long as the work in it goes.

        It is left before Python ends: a thread of gloo that still runs then now and then aborts the process, and
        torchrun would count a training as failed whose checkpoint is whole.
        """
        group = cls.from_environment(device)
        try:
            yield group
        except BaseException:
            # Others may still be in a sum with this process, and NCCL could wait for them in vain.
            group._leave(with_sums=backend_for(group.device) == "gloo")
            raise
        group._leave(with_sums=True)

    def _leave(self, with_sums: bool) -> None:
        if self.size > 1:
            distributed.destroy_process_group(None if with_sums else self._words)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, items: Sequence[Item], sizes: Sequence[int]) -> list[Item]:
        """This process's items, in their order, so that all processes have about as much to do."""
        return [items[place] for place in self.places(sizes)[self.rank]]

    def places(self, sizes: Sequence[int]) -> list[list[int]]:
        """The places of each process's items, in their order.

        The largest first, each to whoever has the least so far: every process finds the same without a word.
        """
        if self.size == 1:
            return [list(range(len(sizes)))]
        loads = [(0, rank) for rank in range(self.size)]
        shares: list[list[int]] = [[] for _ in loads]
        for place in sorted(range(len(sizes)), key=lambda place: (-sizes[place], place)):
            load, rank = heappop(loads)
            heappush(loads, (load + sizes[place], rank))
            shares[rank].append(place)
        return [sorted(share) for share in shares]

    def add_gradients(self, model: torch.nn.Module) -> None:
        """Replace every gradient by the sum over the group; split gradients have been summed on the way back."""
        if self.size == 1 or self.is_sharded:
            return
        gradients = []
        for parameter in model.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            _add_up(bucket)

    def add_numbers(self, *numbers: float) -> tuple[float, ...]:
        """Each number summed over the group."""
        return tuple(self._reduced(numbers, distributed.ReduceOp.SUM))

    def told(self, found: Any) -> Any:
        """What the first process found, in all of them; the others give nothing."""
        if self.size == 1:
            return found
        said = [found]
        distributed.broadcast_object_list(said, src=0, group=self._words)
        return said[0]

    def gathered(self, found: Item) -> list[Item]:
        """What each process found, in all of them, in the order of the processes."""
        if self.size == 1:
            return [found]
        said: list[Any] = [None] * self.size
        distributed.all_gather_object(said, found, group=self._words)
        return said

    def first_does(self, work: Callable[[], Item]) -> Item:
        """What the first process's work gives, in all of them. A MisstepError is raised in all, too: the others would
        wait for it in vain."""
        found, refusal = None, None
        if self.is_first:
            try:
                found = work()
            except MisstepError as error:
                refusal = error
        kind = FolderInUse if isinstance(refusal, FolderInUse) else MisstepError
        found, said = self.told((found, refusal and (kind, str(refusal))))
        if said is not None:
            raise refusal or said[0](said[1])
        result: Item = found
        return result

    def range_of(self, own: float) -> tuple[float, float]:
        """The lowest and the highest of the processes' numbers."""
        low, high = self._reduced([-own, own], distributed.ReduceOp.MAX)
        return -low, high

    def any(self, is_raised: bool) -> bool:
        """Whether any process says so; all hear the same answer, and no GPU has to catch up for it."""
        if self.size == 1:
            return is_raised
        said = torch.tensor(float(is_raised))
        distributed.all_reduce(said, distributed.ReduceOp.MAX, group=self._words)
        return bool(said)

    def _reduced(self, numbers: Sequence[float], operation: Any) -> list[float]:
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total, operation)
        return [float(number) for number in total]


def _buckets(gradients: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Neighbours of one kind, together no larger than `BUCKET`; a larger one by itself."""
    bucket: list[torch.Tensor] = []
    filled = 0
    for gradient in gradients:
        size = gradient.numel() * gradient.element_size()
        if bucket and (filled + size > BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, filled = [], 0
        bucket.append(gradient)
        filled += size
    if bucket:
        yield bucket


def _add_up(gradients: Sequence[torch.Tensor]) -> None:
    """Sum these over the group, in place and in one call."""
    if len(gradients) == 1:
        distributed.all_reduce(gradients[0])
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
