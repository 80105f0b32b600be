"""Two losses beside the head's that need no labels to speak of, and cost next to nothing.

A label is one bit for a step of some forty tokens. The tokens themselves say far more, and go through the model
anyway. So the base goes on to predict the next token of the steps that are labelled right (Radford et al., 2018,
section 3.2, trained classifiers beside such a loss). And the head, read at every token below the last layer,
says how much of a chance the base gave that token: that is how the fresh layers come to compare what was
written with what was expected, which a bit per step alone hardly teaches them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy, log_softmax

from ml.prm.examples import NEGATIVE, POSITIVE, Example
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import Packed

# Objectives whose targets say of whole steps that they are right, and whose head has such classes.
OBJECTIVES = ("classifier", "outcome")


def right_nodes(objective: str, example: Example) -> set[int]:
    """The nodes whose tokens are worth predicting: steps labelled right, or all steps of a right solution."""
    if objective == "outcome":
        return set(range(1, len(example.tree.tokens))) if example.targets[0][POSITIVE] > 0.5 else set()
    pairs = zip(example.reads, example.targets, strict=True)
    return {node for node, target in pairs if target[POSITIVE] > 0.5}


def count_tokens(examples: Sequence[Example]) -> int:
    """The tokens of all steps, over which both losses are means."""
    return sum(example.tree.size - len(example.tree.tokens[0]) for example in examples)


def language_loss(
    model: ProcessRewardModel, packed: Packed, objective: str, examples: Sequence[Example], total: int
) -> torch.Tensor:
    """Both losses, summed over the steps' tokens and divided by `total`; after `model`'s forward pass."""
    device = packed.input_ids.device
    before, places, right = (x.to(device) for x in _places(packed, objective, examples))
    logits = model.expectations(before).float()
    tokens = packed.input_ids[0].index_select(0, places)
    surprise = cross_entropy(logits, tokens, reduction="none")
    chance = (-surprise.detach()).exp()
    said = log_softmax(model.verdicts(places).float(), dim=1)
    compared = -(chance * said[:, POSITIVE] + (1.0 - chance) * said[:, NEGATIVE])
    return ((surprise * right).sum() + compared.sum()) / max(total, 1)


def _places(
    packed: Packed, objective: str, examples: Sequence[Example]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Per token of a step: where it is predicted, where it stands, and whether its step is right; [N] each.

    A node's first token is predicted at its parent's last one, wherever that stands in the row.
    """
    before: list[int] = []
    places: list[int] = []
    right: list[bool] = []
    for example, ends in zip(examples, packed.ends, strict=True):
        good = right_nodes(objective, example)
        for node, tokens in enumerate(example.tree.tokens[1:], start=1):
            first, end = int(ends[node]) - len(tokens) + 1, int(ends[node])
            before += [int(ends[example.tree.parents[node]]), *range(first, end)]
            places += range(first, end + 1)
            right += [node in good] * len(tokens)
    return torch.tensor(before), torch.tensor(places), torch.tensor(right)
