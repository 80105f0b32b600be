"""Muon's steps in float32, for CPUs that take longer over bfloat16: torch's own makes them orthogonal in bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import torch


class WideMuon(torch.optim.Muon):
    """`torch.optim.Muon` with Nesterov momentum and steps as large as AdamW's, computed in the gradients' own type.

    Where a CPU has no units for bfloat16, its steps take less than half of the time. Saved states are the same.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all matrices that have a gradient; returns what the closure, if there is one, found."""
        found = None
        if closure is not None:
            with torch.enable_grad():
                found = closure()
        for group in self.param_groups:
            momentum = group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                step = matrix.grad.lerp(state["momentum_buffer"], momentum)
                step = orthogonal(step, group["ns_coefficients"], group["ns_steps"], group["eps"])
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                # The scale of Liu et al. (2025, "Muon is Scalable for LLM Training"): steps as large as AdamW's.
                matrix.add_(step, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)
        return found


def orthogonal(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], steps: int, least: float
) -> torch.Tensor:
    """The nearest orthogonal matrix, roughly: its singular values are brought near 1 (Jordan et al. 2024).

    matrix: [rows, columns], divided by its norm (at least `least`) first. An iteration makes of each singular value s
    the value a s + b s^3 + c s^5.
    """
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if is_tall else matrix
    found = found / found.norm().clamp(min=least)
    for _ in range(steps):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if is_tall else found
