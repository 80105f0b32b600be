"""The loss beside the head's: the base's own next-token loss, on what is labelled right and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from ml.errors import MisstepError
from ml.prm.bases import HeadSettings, open_base, pocket_policy_folder
from ml.prm.examples import Example
from ml.prm.language import count_tokens, language_loss, right_nodes
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import TokenTree, pack

PROBLEM = "((1 + 2) - (3 * 4)) ="
OPENING = 'This equation can be written as "A - B", where A = (1 + 2) and B = (3 * 4).'
RIGHT, WRONG = "Let's calculate A = (1 + 2) = 3.", "Let's calculate A = (1 + 2) = 4."


def fork(tokenizer) -> Example:
    """Two second steps after the same first one: only the right one's tokens are predicted."""
    nodes = [tokenizer.problem(PROBLEM), *map(tokenizer.step, (OPENING, WRONG, RIGHT))]
    tree = TokenTree(nodes, [-1, 0, 1, 1])
    return Example("fork", tree, [1, 2, 3], [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [1.0] * 3)


@torch.no_grad()
def policy_surprises(tokenizer, step: str) -> torch.Tensor:
    """The shipped policy's own -log p of each token of the opening and of a step, by transformers' forward."""
    policy = AutoModelForCausalLM.from_pretrained(pocket_policy_folder(), dtype=torch.float32)
    given = tokenizer.problem(PROBLEM)
    learned = tokenizer.step(OPENING) + tokenizer.step(step)
    logits = policy(torch.tensor([given + learned])).logits[0, len(given) - 1 : -1]
    return cross_entropy(logits, torch.tensor(learned), reduction="none")


@torch.no_grad()
def heads_word(head: torch.nn.Module, tokenizer, step: str) -> torch.Tensor:
    """What a head on top of the plain policy says at each token of the opening and of a step: [N, 2] logs."""
    plain = AutoModelForTokenClassification.from_pretrained(pocket_policy_folder(), dtype=torch.float32)
    given = tokenizer.problem(PROBLEM)
    learned = tokenizer.step(OPENING) + tokenizer.step(step)
    hidden = plain.eval().model(torch.tensor([given + learned])).last_hidden_state[0, len(given) :]
    return head(hidden).log_softmax(1)


def test_both_losses_on_a_packed_tree_equal_the_plain_policys_and_the_heads():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False)
    model = ProcessRewardModel(base.model, extra_layers=2)
    example = fork(base.tokenizer)
    packed = pack([example.tree, example.tree], [example.reads, example.reads])
    model(packed)
    total = count_tokens([example, example])
    loss = language_loss(model, packed, "classifier", [example, example], total)
    right, wrong = (policy_surprises(base.tokenizer, step) for step in (RIGHT, WRONG))
    opening = len(base.tokenizer.step(OPENING))
    surprises = torch.cat([right[:opening], wrong[opening:], right[opening:]])
    assert total == 2 * len(surprises)
    # Fresh layers change nothing yet, so the head below the last of them reads what the plain policy holds.
    head = base.model.score
    fine, faulty = (heads_word(head, base.tokenizer, step) for step in (RIGHT, WRONG))
    said = torch.cat([fine[:opening], faulty[opening:], fine[opening:]])
    chance = (-surprises).exp()
    compared = -(chance * said[:, 1] + (1 - chance) * said[:, 0]).sum()
    expected = (right.sum() + compared) / len(surprises)
    assert float(loss.detach()) == pytest.approx(float(expected), abs=1e-4)
    loss.backward()
    assert bool(base.model.get_input_embeddings().weight.grad.any())


def test_an_outcome_model_predicts_all_of_a_right_solution_and_nothing_of_a_wrong_one():
    tree = TokenTree([[1], [2], [3]], [-1, 0, 1])
    right, wrong = (Example("a", tree, [2], [target], [1.0]) for target in ([0.0, 1.0], [1.0, 0.0]))
    assert right_nodes("outcome", right) == {1, 2} and right_nodes("outcome", wrong) == set()


def test_a_model_without_fresh_layers_has_no_place_to_predict_from():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False, 0)
    example = fork(base.tokenizer)
    model = ProcessRewardModel(base.model)
    packed = pack([example.tree], [example.reads])
    model(packed)
    with pytest.raises(MisstepError, match="no layers on top of the base"):
        language_loss(model, packed, "classifier", [example], 1)
