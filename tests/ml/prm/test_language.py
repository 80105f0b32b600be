"""The loss beside the head's: the base's own next-token loss, on what is labelled right and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

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
def policy_loss(tokenizer) -> float:
    """The shipped policy's mean loss on the right path, by transformers' own forward."""
    policy = AutoModelForCausalLM.from_pretrained(pocket_policy_folder(), dtype=torch.float32)
    given = tokenizer.problem(PROBLEM)
    learned = tokenizer.step(OPENING) + tokenizer.step(RIGHT)
    logits = policy(torch.tensor([given + learned])).logits[0, len(given) - 1 : -1]
    return float(cross_entropy(logits, torch.tensor(learned)))


def test_fresh_layers_leave_the_policys_own_loss_in_a_packed_tree():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False)
    model = ProcessRewardModel(base.model, extra_layers=2)
    examples = [fork(base.tokenizer), fork(base.tokenizer)]
    packed = pack([e.tree for e in examples], [e.reads for e in examples])
    model(packed)
    total = count_tokens("classifier", examples)
    loss = language_loss(model, packed, "classifier", examples, total)
    assert float(loss.detach()) == pytest.approx(policy_loss(base.tokenizer), abs=1e-5)
    loss.backward()
    assert bool(base.model.get_input_embeddings().weight.grad.any())


def test_an_outcome_model_predicts_all_of_a_right_solution_and_nothing_of_a_wrong_one():
    tree = TokenTree([[1], [2], [3]], [-1, 0, 1])
    right, wrong = (Example("a", tree, [2], [target], [1.0]) for target in ([0.0, 1.0], [1.0, 0.0]))
    assert right_nodes("outcome", right) == [1, 2] and right_nodes("outcome", wrong) == []


def test_a_model_without_fresh_layers_has_no_place_to_predict_from():
    base = open_base("pocket", [OPENING], HeadSettings(2), 0, None, False, 0)
    example = fork(base.tokenizer)
    model = ProcessRewardModel(base.model)
    packed = pack([example.tree], [example.reads])
    model(packed)
    with pytest.raises(MisstepError, match="no layers on top of the base"):
        language_loss(model, packed, "classifier", [example], 1)
