"""A head that has nothing to learn anew: what the language model thinks of the tokens that came.

With p the probability that the language model gives a token, and a tolerance c, that token is in order with the chance

    p (1 + c) / (1 + c p)

and a step is right when all of its tokens are: its chance is their product. A tolerance of 0 makes it the step's own
likelihood, which is right where everybody writes alike: a wrong digit costs what it is worth, and so does every choice
of words. With 50, a token that comes once in fifty times still counts for half, so that people may write as they like.
A token that the model is sure of counts as 1 under any tolerance.

A label of the step trains this product (one of its tokens was wrong, whichever), and so the model finds the token; what
is labelled wrong is unlearned as in Welleck et al. (2020), "Neural Text Generation with Unlikelihood Training", by the
step. A score as a sum over tokens of what a language model says is the implicit process reward of Yuan et al. (2024),
"Free Process Rewards without Process Labels"; theirs compares with a reference model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from ml.prm.example import POSITIVE, Example
from ml.prm.moving import numbers
from ml.prm.packing import Packed, TokenTree

# Where several words would do, people choose: half of a token's weight is lost at a probability of one in fifty.
TOLERANCE = 50.0
# The least doubt, as a log probability: less than any that a softmax in float32 knows, so that a step which is wrong
# although nothing in it was doubted has a finite loss.
LEAST_DOUBT = -1e-12
# So many logits (tokens times words) are held at once: 256 MiB. More of them are made in parts of this size, and in
# training made again on the way back: a large vocabulary's take more memory than all layers together, 5 GB for 8,192
# tokens and 151,936 words, and their softmax and gradient as much again. Rows of the pocket family stay below.
LOGITS_KEPT = 2**26


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


def step_tokens(packed: Packed, closing: int) -> StepTokens:
    """The tokens of every requested node, or of the path to it, without the `closing` last ones of each node.

    A node's first token is predicted at its parent's last one, wherever that stands in the row. What closes a step is
    the layout's and nobody's word: a policy that ends its last step otherwise would call every last step wrong.
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
                own = tree.tokens[node][: len(tree.tokens[node]) - closing]
                if node not in places:
                    start = int(ends[node]) - len(tree.tokens[node]) + 1
                    places[node] = range(len(tokens), len(tokens) + len(own))
                    tokens += own
                    predicted = [int(ends[tree.parents[node]]), *range(start, start + len(own) - 1)]
                    # A step may have nothing but its closing tokens: then none is read, and it counts as right.
                    before += predicted[: len(own)]
                terms += places[node]
                readings += [count] * len(own)
            count += 1
    came, at, used, whose = (
        numbers(x, packed.input_ids.device, torch.long) for x in (tokens, before, terms, readings)
    )
    return StepTokens(came, at, used, whose, count)


def token_log_probabilities(hidden: torch.Tensor, head: Any, at: StepTokens) -> torch.Tensor:
    """log p of each token that came, shape [N]. hidden: [T, hidden], as the language model's head reads them.

    In float32 whatever the rest runs in: bfloat16 rounds a logit of 20 to eighths, and a digit more or less to nothing.
    """
    # Gathered once: a gather in each part would make its gradient a tensor of the whole row's size.
    before = hidden.index_select(0, at.before)
    size = max(1, LOGITS_KEPT // head.weight.shape[0])
    with torch.autocast(hidden.device.type, enabled=False):
        if len(before) <= size:
            return _of_came(head, before, at.tokens)
        parts = [
            checkpoint(_of_came, head, states, came, use_reentrant=False)
            for states, came in zip(before.split(size), at.tokens.split(size), strict=True)
        ]
    return torch.cat(parts)


def _of_came(head: Any, hidden: torch.Tensor, came: torch.Tensor) -> torch.Tensor:
    """log p of the tokens that came, shape [N]. hidden: [N, hidden], where each was predicted."""
    return -cross_entropy(head(hidden.float()), came, reduction="none")


def read_steps(log_p: torch.Tensor, at: StepTokens, tolerance: float) -> torch.Tensor:
    """Log probabilities of each requested step being wrong and right, shape [R, 2]. log_p: [N], of the tokens."""
    terms = _log_chance(log_p, tolerance)
    right = log_p.new_zeros(at.count).index_add(0, at.readings, terms.index_select(0, at.terms))
    right = right.clamp(max=LEAST_DOUBT)
    return torch.stack([_log_one_minus_exp(right), right], dim=1)


def along_paths(steps: torch.Tensor, paths: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log probabilities of whole paths being wrong and right, shape [paths, 2]. steps: those of nodes, [nodes, 2];
    paths: the nodes of each. As readings of paths are, from readings of their nodes."""
    right = torch.stack([steps[list(path), 1].sum() for path in paths]).clamp(max=LEAST_DOUBT)
    return torch.stack([_log_one_minus_exp(right), right], dim=1)


def _log_chance(log_p: torch.Tensor, tolerance: float) -> torch.Tensor:
    """log of p (1 + c) / (1 + c p). Near p = 1 it is log p / (1 + c), which a difference of logarithms would lose."""
    near = -torch.log1p(torch.expm1(-log_p.clamp(min=-20.0)) / (1.0 + tolerance))
    far = log_p + math.log1p(tolerance) - torch.log1p(tolerance * log_p.exp())
    return torch.where(log_p > -20.0, near, far)


def language_loss(
    log_p: torch.Tensor, at: StepTokens, examples: Sequence[Example], total: float
) -> torch.Tensor:
    """The next-token loss of the steps labelled right, summed over their tokens and divided by `total`.

    log_p: [N], of the tokens; the examples are those whose readings `at` holds, in their order. A token counts as much
    as the right readings that it is in weigh. It keeps the logits a language model's, and teaches it the hand of those
    who wrote the solutions.
    """
    spoken = [_spoken(target, w) for e in examples for target, w in zip(e.targets, e.weights, strict=True)]
    weights = numbers(spoken, log_p.device)[at.readings]
    counted = weights.new_zeros(len(at.tokens)).index_add(0, at.terms, weights)
    return -(log_p * counted).sum() / (total or 1.0)


def count_tokens(examples: Sequence[Example], closing: int) -> float:
    """The tokens of the steps labelled right, as much as they weigh: over them the next-token loss is a mean.

    The `closing` last tokens of a step are not read.
    """
    return sum(
        _spoken(target, weight) * (len(example.tree.tokens[node]) - closing)
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
