"""One function per objective. Each returns a sum over its terms divided by `normaliser`.

The normaliser is the sum of the terms' weights unless it is given: an update that is spread over several
packed rows passes the whole update's, so that its gradient is that of one large row.
"""

from __future__ import annotations

import torch
from torch.nn.functional import log_softmax, logsigmoid


def classification_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    class_weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
    normaliser: float | None = None,
) -> torch.Tensor:
    """Cross entropy against class probabilities, hard or soft.

    logits, targets: [N, C]; weights: [N]; class_weights: [C]. With c = class_weights, t' = (1 - s) t + s / C:
    sum_n w_n sum_k -c_k t'_nk log p_nk / sum_n w_n sum_k c_k t'_nk. For hard targets and s = 0 this is
    torch's weighted cross entropy. Soft targets stay floats throughout.
    """
    if smoothing:
        targets = (1.0 - smoothing) * targets + smoothing / targets.shape[1]
    if class_weights is not None:
        targets = targets * class_weights
    terms = -(targets * log_softmax(logits.float(), dim=1)).sum(1)
    total = (weights * targets.sum(1)).sum() if normaliser is None else normaliser
    return (weights * terms).sum() / total


def value_loss(
    outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, normaliser: float | None = None
) -> torch.Tensor:
    """Mean squared error of the value head. outputs, targets, weights: [N] (ReST-MCTS*, section 3.3)."""
    total = weights.sum() if normaliser is None else normaliser
    return (weights * (outputs.float() - targets) ** 2).sum() / total


# Of raw outputs, in rStar-Math's public code.
_RAW_SCALE = 5.0


def compared(outputs: torch.Tensor, how: str) -> torch.Tensor:
    """What `preference_loss` compares. outputs: [N], the head's.

    how: `tanh` compares rewards, as rStar-Math's paper does; `raw_then_tanh5` the head's own outputs, which have no
    bound, and only what is read is squeezed, as in its public code.
    """
    return torch.tanh(outputs.float()) if how == "tanh" else outputs.float()


def rewards(outputs: torch.Tensor, how: str) -> torch.Tensor:
    """A preference model's reward of each step, in [-1, 1]. outputs: [N], the head's; how: as it was trained."""
    return torch.tanh(outputs if how == "tanh" else outputs / _RAW_SCALE)


def preference_loss(
    scores: torch.Tensor,
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    pair_weights: torch.Tensor,
    parent_nodes: float,
) -> torch.Tensor:
    """Pairwise Bradley-Terry over siblings (rStar-Math, equation 4), averaged over the nodes they hang off.

    scores: [N], as `compared` gives them. chosen, rejected: [P] indices into scores. pair_weights: [P],
    1 / (n_positive * n_negative) of the pair's node. sum_p -w_p log sigmoid(r_chosen - r_rejected) / nodes.
    """
    margins = scores.float()[chosen] - scores.float()[rejected]
    return -(pair_weights * logsigmoid(margins)).sum() / parent_nodes
