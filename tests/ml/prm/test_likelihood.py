"""Steps read by the chances of their own tokens: the packed forward against a plain one, path by path."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from ml.errors import MisstepError
from ml.prm.bases import HeadSettings, open_base, shipped_folder
from ml.prm.examples import Example
from ml.prm.likelihood import TOKEN_BIAS, count_tokens, read_steps, step_tokens
from ml.prm.model import ProcessRewardModel
from ml.prm.objectives import objective_loss
from ml.prm.packing import TokenTree, pack

PROBLEM = "((1 + 2) - (3 * 4)) ="
OPENING = 'This equation can be written as "A - B", where A = (1 + 2) and B = (3 * 4).'
RIGHT, WRONG = "Let's calculate A = (1 + 2) = 3.", "Let's calculate A = (1 + 2) = 4."


def opened(outputs: int = 2):
    return open_base("pocket", [OPENING], HeadSettings(outputs, token_bias=TOKEN_BIAS), 0, None, False)


def fork(tokenizer) -> Example:
    """Two second steps after the same first one."""
    nodes = [tokenizer.problem(PROBLEM), *map(tokenizer.step, (OPENING, WRONG, RIGHT))]
    tree = TokenTree(nodes, [-1, 0, 1, 1])
    return Example("fork", tree, [1, 2, 3], [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [1.0] * 3)


@torch.no_grad()
def plain_logits(tokenizer, step: str) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The shipped policy's logits before each token of the opening and of a step, these tokens, and how many of
    them are the opening's; by transformers' own forward."""
    policy = AutoModelForCausalLM.from_pretrained(shipped_folder(), dtype=torch.float32)
    given, opening = tokenizer.problem(PROBLEM), tokenizer.step(OPENING)
    came = opening + tokenizer.step(step)
    logits = policy(torch.tensor([given + came])).logits[0, len(given) - 1 : -1]
    return logits, torch.tensor(came), len(opening)


def product(logits: torch.Tensor, came: torch.Tensor) -> float:
    pairs = zip(logits, came, strict=True)
    return math.prod(1 / (1 + math.exp(-float(row[token]) - TOKEN_BIAS)) for row, token in pairs)


def test_a_step_is_right_as_the_product_of_its_tokens_chances_says():
    base = opened()
    example = fork(base.tokenizer)
    packed = pack([example.tree, example.tree], [[3, 1], example.reads])
    read = ProcessRewardModel(base.model, token_bias=TOKEN_BIAS)(packed).exp()
    expected = {}
    for node, step in ((2, WRONG), (3, RIGHT)):
        logits, came, opening = plain_logits(base.tokenizer, step)
        expected[1] = product(logits[:opening], came[:opening])
        expected[node] = product(logits[opening:], came[opening:])
    assert read[:, 1].tolist() == pytest.approx([expected[k] for k in (3, 1, 1, 2, 3)], abs=1e-5)
    assert read.sum(1).tolist() == pytest.approx([1.0] * 5, abs=1e-5)
    # The policy has never seen a PRM's label, and doubts the wrong sum all the same.
    assert expected[2] < expected[3]


def test_the_next_token_loss_reads_right_steps_and_nothing_else():
    base = opened()
    example = fork(base.tokenizer)
    model = ProcessRewardModel(base.model, token_bias=TOKEN_BIAS)
    packed = pack([example.tree], [example.reads])
    read, loss = model.with_language_loss(packed, [example], count_tokens([example]))
    logits, came, _ = plain_logits(base.tokenizer, RIGHT)
    assert count_tokens([example]) == len(came)
    assert float(loss.detach()) == pytest.approx(float(cross_entropy(logits, came)), abs=1e-4)
    assert torch.equal(read, model(packed))


def test_a_wrong_steps_gradient_goes_to_the_token_that_is_doubted_most():
    """Hand-worked: with logits z and p = prod sigmoid(z), d(-log(1 - p))/dz_t = p / (1 - p) (1 - sigmoid(z_t))."""
    tree = TokenTree([[0], [1, 2]], [-1, 0])
    packed = pack([tree], [[1]])
    hidden = torch.tensor([[3.0], [-2.0], [9.0]], requires_grad=True)
    read = read_steps(hidden, torch.ones(3, 1), step_tokens(packed), bias=0.0)
    example = Example("one", tree, [1], [[1.0, 0.0]], [1.0])
    objective_loss("classifier", read, [example], 1.0).backward()
    first, second = (1 / (1 + math.exp(-z)) for z in (3.0, -2.0))
    p = first * second
    expected = [p / (1 - p) * (1 - first), p / (1 - p) * (1 - second), 0.0]
    assert hidden.grad[:, 0].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("logit", "loss", "gradient"), [(30.0, 30.0, 1.0), (90.0, 69.0776, 0.0)])
def test_a_step_beyond_doubt_that_is_wrong_has_a_finite_loss_and_is_unlearned(logit, loss, gradient):
    """One token: -log(1 - sigmoid(z)) is z for a large z, with a slope of 1, until float32 knows no less doubt."""
    tree = TokenTree([[0], [1]], [-1, 0])
    hidden = torch.full((2, 1), logit, requires_grad=True)
    read = read_steps(hidden, torch.ones(2, 1), step_tokens(pack([tree], [[1]])), bias=0.0)
    found = objective_loss("classifier", read, [Example("one", tree, [1], [[1.0, 0.0]], [1.0])], 1.0)
    found.backward()
    assert float(found.detach()) == pytest.approx(loss, rel=1e-4)
    assert hidden.grad[:, 0].tolist() == pytest.approx([gradient, 0.0], abs=1e-4)


def test_another_head_has_no_next_token_loss():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False)
    example = fork(base.tokenizer)
    with pytest.raises(MisstepError, match="expected --head likelihood"):
        ProcessRewardModel(base.model).with_language_loss(pack([example.tree], [example.reads]), [example], 1)


def test_the_tokens_themselves_know_right_and_wrong_only():
    with pytest.raises(MisstepError, match="expected 2 classes and no target tokens"):
        opened(outputs=3)
