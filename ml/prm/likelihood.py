"""A head that has nothing to learn anew: what the language model thinks of the tokens that came.

A causal model's logits say of every token whether it may come next. With z the logit of the token that did come,
plus a bias, that token is in order with probability sigmoid(z), and a step is right when all of its tokens are:

    log p(step) = sum over its tokens of log sigmoid(logit[token] + bias)

A label of the step trains this product (one of its tokens was wrong, whichever), and so the model finds the token.
A score as a sum over tokens of what a language model says is the implicit process reward of Yuan et al. (2024),
"Free Process Rewards without Process Labels"; theirs compares with a reference model instead of a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from ml.prm.examples import POSITIVE, Example
from ml.prm.packing import Packed

# What is added to a logit: a token that the base leaves at 0 is still in order with probability 0.98.
TOKEN_BIAS = 4.0
# The least doubt, as a log probability: float32 still divides by it, so that a step which is wrong although nothing
# in it was doubted has a finite loss.
LEAST_DOUBT = -1e-30


@dataclass(frozen=True)
class StepTokens:
    """The tokens of all readings. tokens: their ids; before: where in the row each is predicted; readings: whose it
    is, as an index into the requested readings; each of shape [N]. count: R, the requested readings."""

    tokens: torch.Tensor
    before: torch.Tensor
    readings: torch.Tensor
    count: int


def step_tokens(packed: Packed) -> StepTokens:
    """The tokens of every requested node, or of the path to it; the root's are the problem, which nobody predicts.

    A node's first token is predicted at its parent's last one, wherever that stands in the row.
    """
    tokens: list[int] = []
    before: list[int] = []
    readings: list[int] = []
    count = 0
    for tree, nodes, ends, whole in zip(packed.trees, packed.wanted, packed.ends, packed.whole, strict=True):
        for wanted in nodes:
            for node in tree.path(wanted) if whole else [wanted] if wanted else []:
                own, end = tree.tokens[node], int(ends[node])
                tokens += own
                before += [int(ends[tree.parents[node]]), *range(end - len(own) + 1, end)]
                readings += [count] * len(own)
            count += 1
    came, at, whose = (
        torch.tensor(x, dtype=torch.long, device=packed.input_ids.device) for x in (tokens, before, readings)
    )
    return StepTokens(came, at, whose, count)


def read_steps(hidden: torch.Tensor, weight: torch.Tensor, at: StepTokens, bias: float) -> torch.Tensor:
    """Log probabilities of each requested step being wrong and right, shape [R, 2].

    hidden: [T, hidden], as the head reads them; weight: [vocabulary, hidden], the language model's head, of which
    only the rows of tokens that came are used.
    """
    logits = (hidden.index_select(0, at.before) * weight.index_select(0, at.tokens)).sum(1).float()
    right = logits.new_zeros(at.count).index_add(0, at.readings, logsigmoid(logits + bias))
    right = right.clamp(max=LEAST_DOUBT)
    return torch.stack([_log_one_minus_exp(right), right], dim=1)


def language_loss(
    hidden: torch.Tensor, head: torch.nn.Module, at: StepTokens, examples: Sequence[Example], total: int
) -> torch.Tensor:
    """The next-token loss of the steps labelled right, summed over their tokens and divided by `total`.

    hidden: [T, hidden]; the examples are those whose readings `at` holds, in their order. It keeps the logits a
    language model's, and teaches it the hand of those who wrote the solutions.
    """
    good = torch.tensor([target[POSITIVE] > 0.5 for example in examples for target in example.targets])
    kept = good.to(at.readings.device)[at.readings]
    logits = head(hidden.index_select(0, at.before[kept])).float()
    return cross_entropy(logits, at.tokens[kept], reduction="sum") / max(total, 1)


def count_tokens(examples: Sequence[Example]) -> int:
    """The tokens of the steps labelled right, over which the next-token loss is a mean."""
    return sum(
        len(example.tree.tokens[node])
        for example in examples
        for read, target in zip(example.reads, example.targets, strict=True)
        if target[POSITIVE] > 0.5
        for node in (example.tree.path(read) if example.whole else [read])
    )


def _log_one_minus_exp(x: torch.Tensor) -> torch.Tensor:
    """log(1 - e^x) for x < 0 without cancellation (Maechler, 2012): two forms, switched at -log 2."""
    near = x > -0.6931
    return torch.where(
        near,
        torch.log(-torch.expm1(torch.where(near, x, torch.full_like(x, -0.5)))),
        torch.log1p(-torch.exp(torch.where(near, torch.full_like(x, -1.0), x))),
    )
