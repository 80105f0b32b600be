"""What moves the weights: AdamW for all of them, or Muon for the inner matrices and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ml.devices import narrow_is_fast
from ml.errors import MisstepError
from ml.prm.muon import WideMuon

# Words that the names of embeddings and of heads have in the bases we know.
OUTER = ("embed", "wte", "wpe", "lm_head", "score", "classifier")
# Of Muon, as its authors have it.
MOMENTUM = 0.95


class Optimizers:
    """One or two torch optimizers that are stepped, saved and loaded as one."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that are trained, in the order in which `slots` numbers them."""
        return [p for part in self.parts for group in part.param_groups for p in group["params"]]

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate

    def step(self) -> None:
        """Move the weights by the gradients that they have, and forget these."""
        for part in self.parts:
            part.step()
            part.zero_grad(set_to_none=True)

    def slots(self) -> Iterator[tuple[int, str, torch.Tensor]]:
        """What is remembered from step to step: the parameter's number, a name, a tensor."""
        first = 0
        for part in self.parts:
            for index, slots in part.state_dict()["state"].items():
                yield from ((first + index, name, torch.as_tensor(value)) for name, value in slots.items())
            first += sum(len(group["params"]) for group in part.param_groups)

    def load(self, slots: dict[int, dict[str, torch.Tensor]]) -> None:
        """The opposite of `slots`."""
        first = 0
        for part in self.parts:
            after = first + sum(len(group["params"]) for group in part.param_groups)
            own = {index - first: found for index, found in slots.items() if first <= index < after}
            part.load_state_dict({**part.state_dict(), "state": own})
            first = after


def optimizers_of(model: nn.Module, name: str, rate: float, weight_decay: float) -> Optimizers:
    """`adamw`: matrices decay, norms and biases do not. `muon`: the steps of matrices between two layers are made
    orthogonal (Jordan et al. 2024, scaled to AdamW's usual size, so that one learning rate serves both), and
    what is left (embeddings, heads, norms, biases) goes as under `adamw`.

    Raises MisstepError for another name, and where `muon` finds no matrix of its own.
    """
    trained = {key: p for key, p in model.named_parameters() if p.requires_grad}
    if name == "adamw":
        return Optimizers([_adamw(list(trained.values()), rate, weight_decay)])
    if name != "muon":
        raise MisstepError(f"optimizer {name!r}, expected adamw or muon")
    inner = [p for key, p in trained.items() if p.dim() == 2 and not any(word in key for word in OUTER)]
    if not inner:
        raise MisstepError("--optimizer muon, expected a model that trains matrices between its layers")
    taken = {id(p) for p in inner}
    kind = torch.optim.Muon if narrow_is_fast(str(inner[0].device)) else WideMuon
    muon = kind(inner, lr=rate, weight_decay=weight_decay, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw")
    rest = [p for p in trained.values() if id(p) not in taken]
    return Optimizers([muon, _adamw(rest, rate, weight_decay)] if rest else [muon])


def _adamw(parameters: list[nn.Parameter], rate: float, weight_decay: float) -> torch.optim.AdamW:
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.dim() > 1]},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    # On a GPU one kernel does the whole step, and the state's tensors have to lie there, too.
    is_fused = bool(parameters) and parameters[0].is_cuda
    choice: dict[str, Any] = {"fused": True} if is_fused else {"foreach": True}
    return torch.optim.AdamW(groups, rate, weight_decay=weight_decay, **choice)
