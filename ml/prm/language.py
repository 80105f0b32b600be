"""The base's own loss beside the head's: predict the next token of what the labels call right.

A label is one bit for a step of some forty tokens. The tokens themselves say far more of what right steps look
like, and cost nothing but a product with the embeddings, since they go through the model anyway (Radford et
al., 2018, section 3.2, trained classifiers with such an auxiliary loss). The prediction is read where the base
had it, below the fresh layers, which learn to compare it with what was written.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy, linear

from ml.prm.examples import POSITIVE, Example
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import Packed

# Objectives whose targets say of whole steps that they are right.
OBJECTIVES = ("classifier", "outcome")


def right_nodes(objective: str, example: Example) -> list[int]:
    """The nodes whose tokens are worth predicting: steps labelled right, or all steps of a right solution."""
    if objective == "outcome":
        return list(range(1, len(example.tree.tokens))) if example.targets[0][POSITIVE] > 0.5 else []
    pairs = zip(example.reads, example.targets, strict=True)
    return [node for node, target in pairs if target[POSITIVE] > 0.5]


def count_tokens(objective: str, examples: Sequence[Example]) -> int:
    """How many tokens the loss is a mean over."""
    return sum(len(e.tree.tokens[node]) for e in examples for node in right_nodes(objective, e))


def language_loss(
    model: ProcessRewardModel, packed: Packed, objective: str, examples: Sequence[Example], total: int
) -> torch.Tensor:
    """Summed next-token cross entropy of the right steps' tokens over `total`; after `model`'s forward pass.

    A node's first token is predicted at its parent's last one, wherever that stands in the row.
    """
    places: list[int] = []
    targets: list[int] = []
    for example, ends in zip(examples, packed.ends, strict=True):
        for node in right_nodes(objective, example):
            tokens = example.tree.tokens[node]
            first = int(ends[node]) - len(tokens) + 1
            places += [int(ends[example.tree.parents[node]]), *range(first, int(ends[node]))]
            targets += tokens
    hidden = model.expectations(torch.tensor(places, device=packed.input_ids.device))
    logits = linear(hidden, model.plain.get_input_embeddings().weight)
    wanted = torch.tensor(targets, device=logits.device)
    return cross_entropy(logits.float(), wanted, reduction="sum") / max(total, 1)
