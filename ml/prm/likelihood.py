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
from ml.prm.packing import Packed, TokenTree

# What is added to a logit: a token that the base leaves at 0 is still in order with probability 0.98.
TOKEN_BIAS = 4.0
# The least doubt, as a log probability: float32 still divides by it, so that a step which is wrong although nothing
# in it was doubted has a finite loss.
LEAST_DOUBT = -1e-30


@dataclass(frozen=True)
class StepTokens:
    """The tokens of all readings, each once. tokens: their ids; before: where in the row each is predicted; both of
    shape [N]. terms, readings: shape [P], which token counts in which reading: a reading of a node has the node's
    tokens, one of a path those of all its nodes, so that a token of a shared step counts in several. count: R, the
    requested readings."""

    tokens: torch.Tensor
    before: torch.Tensor
    terms: torch.Tensor
    readings: torch.Tensor
    count: int


def nodes_read(tree: TokenTree, node: int, reads_paths: bool) -> list[int]:
    """Whose tokens a reading at `node` is of; the root's are the problem, which nobody has to predict."""
    return tree.path(node) if reads_paths else [node] * (node > 0)


def step_tokens(packed: Packed) -> StepTokens:
    """The tokens of every requested node, or of the path to it.

    A node's first token is predicted at its parent's last one, wherever that stands in the row.
    """
    tokens: list[int] = []
    before: list[int] = []
    terms: list[int] = []
    readings: list[int] = []
    count = 0
    for tree, wanted, ends, reads_paths in zip(
        packed.trees, packed.wanted, packed.ends, packed.reads_paths, strict=True
    ):
        places: dict[int, range] = {}
        for reading in wanted:
            for node in nodes_read(tree, reading, reads_paths):
                own = tree.tokens[node]
                if node not in places:
                    end = int(ends[node])
                    places[node] = range(len(tokens), len(tokens) + len(own))
                    tokens += own
                    before += [int(ends[tree.parents[node]]), *range(end - len(own) + 1, end)]
                terms += places[node]
                readings += [count] * len(own)
            count += 1
    came, at, used, whose = (
        torch.tensor(x, dtype=torch.long, device=packed.input_ids.device)
        for x in (tokens, before, terms, readings)
    )
    return StepTokens(came, at, used, whose, count)


def read_steps(hidden: torch.Tensor, weight: torch.Tensor, at: StepTokens, bias: float) -> torch.Tensor:
    """Log probabilities of each requested step being wrong and right, shape [R, 2].

    hidden: [T, hidden], as the head reads them; weight: [vocabulary, hidden], the language model's head, of which
    only the rows of tokens that came are used.
    """
    logits = (hidden.index_select(0, at.before) * weight.index_select(0, at.tokens)).sum(1).float()
    terms = logsigmoid(logits + bias).index_select(0, at.terms)
    right = logits.new_zeros(at.count).index_add(0, at.readings, terms)
    right = right.clamp(max=LEAST_DOUBT)
    return torch.stack([_log_one_minus_exp(right), right], dim=1)


def language_loss(
    hidden: torch.Tensor, head: torch.nn.Module, at: StepTokens, examples: Sequence[Example], total: float
) -> torch.Tensor:
    """The next-token loss of the steps labelled right, summed over their tokens and divided by `total`.

    hidden: [T, hidden]; the examples are those whose readings `at` holds, in their order. A token counts as much as
    the right readings that it is in weigh. It keeps the logits a language model's, and teaches it the hand of those
    who wrote the solutions.
    """
    spoken = [_spoken(target, w) for e in examples for target, w in zip(e.targets, e.weights, strict=True)]
    weights = torch.tensor(spoken, device=hidden.device)[at.readings]
    counted = weights.new_zeros(len(at.tokens)).index_add(0, at.terms, weights)
    kept = counted > 0
    logits = head(hidden.index_select(0, at.before[kept])).float()
    losses = cross_entropy(logits, at.tokens[kept], reduction="none")
    return (losses * counted[kept]).sum() / (total or 1.0)


def count_tokens(examples: Sequence[Example]) -> float:
    """The tokens of the steps labelled right, as much as they weigh: over them the next-token loss is a mean."""
    return sum(
        _spoken(target, weight) * len(example.tree.tokens[node])
        for example in examples
        for read, target, weight in zip(example.reads, example.targets, example.weights, strict=True)
        for node in nodes_read(example.tree, read, example.reads_paths)
    )


def _spoken(target: Sequence[float], weight: float) -> float:
    """What a reading's tokens count in the next-token loss: nothing where it is not labelled right."""
    return weight if target[POSITIVE] > 0.5 else 0.0


def _log_one_minus_exp(x: torch.Tensor) -> torch.Tensor:
    """log(1 - e^x) for x < 0 without cancellation (Maechler, 2012): two forms, switched at -log 2."""
    near = x > -0.6931
    return torch.where(
        near,
        torch.log(-torch.expm1(torch.where(near, x, torch.full_like(x, -0.5)))),
        torch.log1p(-torch.exp(torch.where(near, torch.full_like(x, -1.0), x))),
    )
