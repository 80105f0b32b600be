"""How a token is drawn from a distribution by one number, the same whatever stands beside it in a batch."""

from __future__ import annotations

import torch


def inverted(scores: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The token of each row at which its cumulative distribution passes the row's number between 0 and 1.

    scores: logits [rows, tokens]. On the scores' own device, and in double precision: a sum over a hundred thousand
    tokens must not depend on the order in which a batch's kernel adds.
    """
    cumulative = torch.softmax(scores.double(), dim=-1).cumsum(dim=-1)
    passed = numbers.unsqueeze(1) * cumulative[:, -1:]
    # What is never drawn adds nothing, so it is passed over; the clamp is for a number that rounds up to 1.
    return torch.searchsorted(cumulative, passed, right=True).squeeze(1).clamp_max(scores.shape[1] - 1)


def likeliest(scores: torch.Tensor, share: float) -> torch.Tensor:
    """The scores of the likeliest tokens that have at least this share together; all others are never drawn.

    scores: logits [rows, tokens]. As top-p sampling has it (Holtzman et al. 2020, section 3.1).
    """
    if share >= 1:
        return scores
    ordered, places = torch.sort(scores, dim=-1, descending=True)
    chances = torch.softmax(ordered.double(), dim=-1)
    # A token is kept while those before it have not reached the share: the first one always.
    is_beyond = chances.cumsum(dim=-1) - chances >= share
    return scores.scatter(1, places, ordered.masked_fill(is_beyond, -torch.inf))
