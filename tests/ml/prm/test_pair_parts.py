"""A problem whose comparisons are larger than a packed row teaches in parts what it teaches whole."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from ml.prm.distributed import Group
from ml.prm.pair_parts import parts_within
from ml.prm.preferences import PairChoices, preference_examples
from ml.prm.termination import TerminationFlag
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import gradients_of
from ml.prm.validation import Validation
from ml.targets import LabelRule, label_rows
from tests.ml.prm.test_validation_figures import CARD
from tests.ml.prm.toys import sums, tiny_model, tokenizer

STEPS = tokenizer()
LIMIT = 150


def searched(count=24, depth=5):
    """One problem's solutions as a search leaves them: they part early or late, with rated alternatives beside them."""
    generator = random.Random(0)
    rows = []
    for number in range(count):
        parted = generator.randrange(depth)
        steps = [f"shared {k} + 2" for k in range(parted)] + [
            f"own {number} {k}" for k in range(parted, depth)
        ]
        options = [
            {"position": k, "text": f"{number} or {k}{j}", "rating": None, "q_value": generator.random()}
            for k in range(depth)
            for j in range(2)
        ]
        rows.append(
            replace(
                sums(1)[0], id=f"{number}", steps=steps, options=options, is_correct=number % 2 == 0,
                labels=[None] * depth, label_source=[None] * depth, first_mistake=None, final_answer="7",
                automatic={"visits": [8] * depth, "correct": [generator.randrange(9) for _ in range(depth)]},
            )
        )  # fmt: skip
    return rows


def example():
    rule = LabelRule("automatic", target="soft", after_mistake="keep")
    (found,) = preference_examples(label_rows(searched(), rule), STEPS, rule, PairChoices(), Counter())
    return found


def said(part):
    """Each pair as its two paths' tokens, with its weight."""
    tree = part.tree
    paths = [[list(tree.tokens[node]) for node in (0, *tree.path(read))] for read in part.reads]
    return [(paths[better], paths[worse], weight) for better, worse, weight in part.pairs]


def test_the_parts_fit_a_row_and_hold_every_pair_once_with_its_paths():
    whole = example()
    parts = parts_within(whole, LIMIT)
    assert whole.tree.size > 5 * LIMIT and all(part.tree.size <= LIMIT for part in parts)
    assert [pair for part in parts for pair in said(part)] == said(whole)
    assert sum(part.parents for part in parts) == whole.parents
    # What fits stays the very object, and a pair stays whole however small a row may be.
    assert parts_within(whole, whole.tree.size) == [whole]
    assert len(parts_within(whole, 1)) == len(whole.pairs)


@pytest.mark.parametrize("how", ["tanh", "raw_then_tanh5"])
def test_loss_and_gradient_of_the_parts_are_those_of_the_whole(how):
    batch = [example(), replace(example(), id="other")]
    found, gradients, longest = [], [], []
    for limit in (10**6, LIMIT):
        model = tiny_model(len(STEPS.tokenizer), outputs=1)
        rows = []
        model.register_forward_pre_hook(lambda _, given, rows=rows: rows.append(given[0].input_ids.shape[1]))
        settings = TrainingSettings("preference", 1, tokens_per_row=limit, preference_output=how)
        found.append(gradients_of(model, batch, settings, Group(), TerminationFlag()))
        gradients.append([parameter.grad for parameter in model.parameters()])
        longest.append(max(rows))
    assert longest[0] > 10 * LIMIT >= 10 * longest[1]
    assert found[1].loss == pytest.approx(found[0].loss, abs=1e-6)
    assert found[1].accuracy == found[0].accuracy
    for whole, parted in zip(*gradients, strict=True):
        assert torch.allclose(whole, parted, rtol=1e-5, atol=1e-6)


def test_the_validation_split_is_read_in_such_parts_too():
    model = tiny_model(len(STEPS.tokenizer), outputs=1).eval()
    rows, losses = [], []
    model.register_forward_pre_hook(lambda _, given: rows.append(given[0].input_ids.shape[1]))
    for limit in (10**6, LIMIT):
        rows.clear()
        settings = TrainingSettings("preference", 1, tokens_per_row=limit)
        card = {**CARD, "objective": "preference"}
        losses.append(Validation(model, STEPS, card, [], [example()], settings, Group())()["validation_loss"])
    assert losses[1] == pytest.approx(losses[0], abs=1e-6) and max(rows) <= LIMIT
