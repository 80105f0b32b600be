"""Steps read by the chances of their own tokens: the packed forward against a plain one, path by path."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from ml.errors import MisstepError
from ml.prm import likelihood
from ml.prm.bases import HeadSettings, open_base, shipped_folder
from ml.prm.example import Example
from ml.prm.likelihood import (
    TOLERANCE,
    count_tokens,
    read_steps,
    step_tokens,
    token_log_probabilities,
)
from ml.prm.model import ProcessRewardModel
from ml.prm.objectives import objective_loss
from ml.prm.packing import TokenTree, chain, pack

PROBLEM = "((1 + 2) - (3 * 4)) ="
OPENING = 'This equation can be written as "A - B", where A = (1 + 2) and B = (3 * 4).'
LAST = "Then, the final equation is A - B = 3 - 12 = -9. So the answer is -9"
TREE = TokenTree([[0], [0]], [-1, 0])
RIGHT, WRONG = "Let's calculate A = (1 + 2) = 3.", "Let's calculate A = (1 + 2) = 4."


def opened(outputs: int = 2, tolerance: float = TOLERANCE):
    return open_base("pocket", [OPENING], HeadSettings(outputs, tolerance=tolerance), 0, None, False)


def reading(base, tolerance: float) -> ProcessRewardModel:
    return ProcessRewardModel(base.model, (), tolerance, closing=len(base.tokenizer.separator))


def fork(tokenizer) -> Example:
    """Two second steps after the same first one."""
    nodes = [tokenizer.problem(PROBLEM), *map(tokenizer.step, (OPENING, WRONG, RIGHT))]
    tree = TokenTree(nodes, [-1, 0, 1, 1])
    return Example("fork", tree, [1, 2, 3], [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [1.0] * 3)


@torch.no_grad()
def plain_logits(tokenizer, step: str) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The shipped policy's logits before each word of the opening and of a step, these words, and how many of them are
    the opening's; by transformers' own forward. What closes a step is given and not a word."""
    policy = AutoModelForCausalLM.from_pretrained(shipped_folder(), dtype=torch.float32)
    given, opening = tokenizer.problem(PROBLEM), tokenizer.step(OPENING)
    came = torch.tensor([*opening, *tokenizer.step(step)])
    logits = policy(torch.tensor([[*given, *came.tolist()]])).logits[0, len(given) - 1 : -1]
    words = [k for k in range(len(came)) if k not in (len(opening) - 1, len(came) - 1)]
    return logits[words], came[words], len(opening) - 1


def product(logits: torch.Tensor, came: torch.Tensor, tolerance: float) -> float:
    chances = [float(row.softmax(0)[token]) for row, token in zip(logits, came, strict=True)]
    return math.prod(p * (1 + tolerance) / (1 + tolerance * p) for p in chances)


@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE, 1000.0])
def test_a_step_is_right_as_the_product_of_its_tokens_chances_says(tolerance):
    base = opened(tolerance=tolerance)
    example = fork(base.tokenizer)
    packed = pack([example.tree, example.tree], [[3, 1], example.reads])
    read = reading(base, tolerance)(packed).exp()
    expected = {}
    for node, step in ((2, WRONG), (3, RIGHT)):
        logits, came, opening = plain_logits(base.tokenizer, step)
        expected[1] = product(logits[:opening], came[:opening], tolerance)
        expected[node] = product(logits[opening:], came[opening:], tolerance)
    assert read[:, 1].tolist() == pytest.approx([expected[k] for k in (3, 1, 1, 2, 3)], abs=1e-5)
    assert read.sum(1).tolist() == pytest.approx([1.0] * 5, abs=1e-5)
    # The policy has never seen a PRM's label, and doubts the wrong sum all the same.
    assert expected[2] < expected[3]


@pytest.mark.parametrize(
    ("tolerance", "chances"),
    [
        (0.0, [1.0, 0.5, 0.02, 0.001]),
        (50.0, [1.0, 0.98077, 0.51, 0.04857]),
        (1000.0, [1.0, 0.999, 0.9533, 0.5005]),
    ],
)
def test_a_tolerance_lets_the_less_likely_word_pass_and_a_sure_one_counts_as_one(tolerance, chances):
    tree = TokenTree([[0], [1], [1], [1], [1]], [-1, 0, 0, 0, 0])
    at = step_tokens(pack([tree], [[1, 2, 3, 4]]), 0)
    read = read_steps(torch.tensor([1.0, 0.5, 0.02, 0.001]).log(), at, tolerance)
    assert read[:, 1].exp().tolist() == pytest.approx(chances, rel=1e-3)


def test_the_next_token_loss_reads_right_steps_and_nothing_else():
    base = opened()
    example = fork(base.tokenizer)
    model = reading(base, TOLERANCE)
    packed = pack([example.tree], [example.reads])
    read, loss = model.with_language_loss(packed, [example], count_tokens([example], 1))
    logits, came, _ = plain_logits(base.tokenizer, RIGHT)
    assert count_tokens([example], 1) == len(came)
    assert float(loss.detach()) == pytest.approx(float(cross_entropy(logits, came)), abs=1e-4)
    assert torch.equal(read, model(packed))


def test_an_outcome_read_at_every_step_judges_all_beginnings_of_the_solution():
    """Hand-worked: steps of the chances 0.8 and 0.5 are right so far with 0.8 and 0.4, and both hear the answer."""
    row = [Example("wrong", chain([[0], [1], [2]]), [1, 2], [[1.0, 0.0]] * 2, [0.5, 0.5], reads_paths=True)]
    at = step_tokens(pack([row[0].tree], [[1, 2]], [True]), 0)
    read = read_steps(torch.tensor([0.8, 0.5]).log(), at, 0.0)
    assert read[:, 1].exp().tolist() == pytest.approx([0.8, 0.4])
    loss = objective_loss("outcome", read, row, 1.0)
    assert float(loss) == pytest.approx(-(math.log(0.2) + math.log(0.6)) / 2)


def test_a_wrong_steps_gradient_goes_to_the_token_that_is_doubted_most():
    """Hand-worked: with f(p) = p (1 + c) / (1 + c p) and P the product of all f, d(-log(1 - P)) / dlog p_t is
    P / (1 - P) / (1 + c p_t)."""
    tree = TokenTree([[0], [1, 2]], [-1, 0])
    at = step_tokens(pack([tree], [[1]]), 0)
    p, c = (0.9, 0.2), 10.0
    log_p = torch.tensor(p).log().requires_grad_()
    example = Example("one", tree, [1], [[1.0, 0.0]], [1.0])
    objective_loss("classifier", read_steps(log_p, at, c), [example], 1.0).backward()
    product = math.prod(q * (1 + c) / (1 + c * q) for q in p)
    expected = [product / (1 - product) / (1 + c * q) for q in p]
    assert log_p.grad.tolist() == pytest.approx(expected, rel=1e-4)
    assert log_p.grad[1] > log_p.grad[0]


@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE, 1000.0])
@pytest.mark.parametrize("log_p", [-1e-7, -1e-6, -1e-3, -1.0, -25.0, -200.0])
def test_chances_are_exact_where_the_model_is_nearly_sure_and_where_it_is_not(tolerance, log_p):
    at = step_tokens(pack([TokenTree([[0], [1]], [-1, 0])], [[1]]), 0)
    given = torch.tensor([log_p], requires_grad=True)
    read = read_steps(given, at, tolerance)[0, 1]
    read.backward()
    # In a step, log p + log(1 + c) - log(1 + c p) with Python's 53 bits, by the way that loses nothing near p = 1.
    expected = -math.log1p(math.expm1(min(-log_p, 600.0)) / (1 + tolerance))
    assert float(read.detach()) == pytest.approx(expected, rel=2e-6)
    assert float(given.grad) == pytest.approx(1 / (1 + tolerance * math.exp(log_p)), rel=1e-5)


@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE])
def test_a_sure_step_of_many_tokens_that_is_wrong_is_unlearned(tolerance):
    at = step_tokens(pack([TokenTree([[0], [1] * 40], [-1, 0])], [[1]]), 0)
    log_p = torch.full((40,), -1e-6, requires_grad=True)
    read = read_steps(log_p, at, tolerance)
    found = objective_loss("classifier", read, [Example("one", TREE, [1], [[1.0, 0.0]], [1.0])], 1.0)
    found.backward()
    doubt = 40 * 1e-6 / (1 + tolerance)
    assert float(found.detach()) == pytest.approx(-math.log(doubt), rel=1e-3)
    assert log_p.grad.tolist() == pytest.approx([1 / doubt / (1 + tolerance)] * 40, rel=1e-3)


@torch.no_grad()
def test_a_wrong_step_beyond_the_least_doubt_has_a_finite_loss():
    at = step_tokens(pack([TREE], [[1]]), 0)
    hidden = torch.tensor([[60.0, 0.0], [0.0, 0.0]])
    head = torch.nn.Linear(2, 2, bias=False)
    head.weight.copy_(torch.eye(2))
    read = read_steps(token_log_probabilities(hidden, head, at), at, TOLERANCE)
    found = objective_loss("classifier", read, [Example("one", TREE, [1], [[1.0, 0.0]], [1.0])], 1.0)
    assert float(found) == pytest.approx(27.631, rel=1e-3)


def test_scoring_holds_few_logits_at_once_and_finds_the_same(monkeypatch):
    base = opened()
    example = fork(base.tokenizer)
    packed = pack([example.tree], [example.reads])
    whole = reading(base, TOLERANCE)(packed)
    made = []
    head = base.model.get_output_embeddings()
    head.register_forward_hook(lambda _module, _given, logits: made.append(len(logits)))
    monkeypatch.setattr(likelihood, "LOGITS_KEPT", 7 * head.weight.shape[0])
    with torch.inference_mode():
        assert torch.allclose(reading(base, TOLERANCE)(packed), whole, atol=1e-5)
    assert max(made) == 7


def test_what_closes_the_last_step_is_not_held_against_it():
    """The policy ends its last step with a sign of its own, which the layout's sign does not stand for."""
    base = opened()
    steps = [OPENING, RIGHT, "Let's calculate B = (3 * 4) = 12.", LAST]
    nodes, _ = base.tokenizer.solution("a", PROBLEM, steps)
    read = reading(base, TOLERANCE)(pack([chain(nodes)], [[1, 2, 3, 4]])).exp()
    assert read[:, 1].min() > 0.5


def test_another_head_has_no_next_token_loss():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False)
    example = fork(base.tokenizer)
    with pytest.raises(MisstepError, match="expected --head likelihood"):
        ProcessRewardModel(base.model).with_language_loss(pack([example.tree], [example.reads]), [example], 1)


def test_the_tokens_themselves_know_right_and_wrong_only():
    with pytest.raises(MisstepError, match="expected 2 classes and no target tokens"):
        opened(outputs=3)


def test_a_step_without_a_token_of_its_own_is_read_as_right_and_disturbs_no_other():
    base = opened()
    given, opening, right = base.tokenizer.problem(PROBLEM), *map(base.tokenizer.step, (OPENING, RIGHT))
    empty = list(base.tokenizer.separator)
    model = reading(base, TOLERANCE)
    alone = model(pack([chain([given, empty])], [[1]])).exp()
    assert float(alone[0, 1].detach()) == pytest.approx(1.0)
    read = model(pack([chain([given, opening, empty, right])], [[1, 2, 3]]))
    others = model(pack([chain([given, opening])], [[1]]))
    assert float(read[1, 1].detach().exp()) == pytest.approx(1.0)
    assert torch.allclose(read[0], others[0], atol=1e-5) and bool(torch.isfinite(read).all())
    example = Example("a", chain([given, opening, empty]), [1, 2], [[0.0, 1.0]] * 2, [1.0] * 2)
    total = count_tokens([example], len(empty))
    outputs, words = model.with_language_loss(pack([example.tree], [example.reads]), [example], total)
    assert bool(torch.isfinite(outputs).all()) and bool(torch.isfinite(words))


def test_logits_that_would_fill_the_memory_are_made_in_parts_with_the_same_gradient(monkeypatch):
    base = opened()
    head = base.model.get_output_embeddings()
    example = fork(base.tokenizer)
    packed = pack([example.tree], [example.reads])
    made = []
    head.register_forward_hook(lambda _module, _given, logits: made.append(logits.numel()))

    def learned() -> tuple[torch.Tensor, list[torch.Tensor]]:
        made.clear()
        base.model.zero_grad()
        outputs, words = reading(base, TOLERANCE).with_language_loss(packed, [example], 3.0)
        (outputs[0, 0] + outputs[1, 1] + words).backward()
        return outputs.detach(), [p.grad.clone() for p in base.model.parameters()]

    outputs, gradients = learned()
    assert len(made) == 1
    limit = made[0] // 3
    monkeypatch.setattr(likelihood, "LOGITS_KEPT", limit)
    in_parts, same = learned()
    # Each part on the way there, and once more on the way back.
    assert len(made) >= 8 and max(made) <= limit
    assert torch.allclose(outputs, in_parts, atol=1e-6)
    for gradient, again in zip(gradients, same, strict=True):
        assert torch.allclose(gradient, again, atol=1e-5)
