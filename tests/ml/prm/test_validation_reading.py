"""A look at the validation split reads it once: loss and scores from the same rows, and each as it were by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ml.prm.distributed import Group
from ml.prm.example import token_by_token
from ml.prm.likelihood import TOLERANCE, along_paths
from ml.prm.packing import TokenTree, pack
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import loss_of, normaliser_in, packed_row
from ml.prm.validation import Validation, validation_figures
from tests.ml.prm.test_training import OUTPUTS, STEPS, sized_model
from tests.ml.prm.test_validation_figures import CARD
from tests.ml.prm.toys import examples_of, sums, tiny_model

# Objective, what its examples are made with, and whether the likelihood head reads them.
CASES = {
    "classifier": ("classifier", {}, False),
    "value": ("value", {}, False),
    "preference": ("preference", {}, False),
    "outcome, last token": ("outcome", {}, False),
    "outcome, all tokens": ("outcome", {"outcome_tokens": "all"}, False),
    "classifier, the tokens that came": ("classifier", {}, True),
    "outcome, products": ("outcome", {"outcome_tokens": "products"}, True),
}


def ending_wrong(row):
    wrong = [*row.steps[:2], "1 + 1 = 77"]
    labels, source = [1.0, 1.0, 0.0], ["human"] * 3
    return replace(
        row,
        id=f"{row.id}-again",
        steps=wrong,
        labels=labels,
        label_source=source,
        first_mistake=2,
        is_correct=False,
    )


def look_at(case, tokens_per_row=8192):
    objective, made, is_likelihood = CASES[case]
    rows = sums(6, seed=1, split="validation")
    # Another solution of two of the problems, one of them not beside the first, and a problem with an example alone.
    rows.insert(1, ending_wrong(rows[0]))
    rows.append(ending_wrong(rows[3]))
    examples = examples_of(objective, [*rows, *sums(1, seed=5)], STEPS, **made)
    model = sized_model(objective, tolerance=TOLERANCE if is_likelihood else None).eval()
    settings = TrainingSettings(objective, 1, tokens_per_row=tokens_per_row)
    chosen = {"outcome_tokens": made.get("outcome_tokens", "last")}
    card = {**CARD, "objective": objective, "config": {**CARD["config"], **chosen}}
    return Validation(model, STEPS, card, rows, examples, settings, Group())


@pytest.mark.parametrize("tokens_per_row", [8192, 60])
@pytest.mark.parametrize("case", CASES)
def test_loss_and_figures_are_those_of_readings_by_themselves(case, tokens_per_row):
    look = look_at(case, tokens_per_row)
    settings, examples = look.settings, [token_by_token(example) for example in look.examples]
    with torch.no_grad():
        outputs = look.model(packed_row(examples, torch.device("cpu")))
        expected = float(loss_of(outputs, examples, settings, normaliser_in(examples, settings)))
    figures = validation_figures(look.model, STEPS, look.card, look.rows, Group())
    assert look()["validation_loss"] == pytest.approx(expected, rel=1e-4)
    assert look.figures == pytest.approx(figures, abs=1e-4)
    assert OUTPUTS[settings.objective] == outputs.shape[1]


@pytest.mark.parametrize("case", CASES)
def test_what_is_scored_and_learned_from_is_read_once(case):
    look = look_at(case)
    read = []
    look.model.register_forward_pre_hook(lambda _, given: read.append(given[0].input_ids.shape[1]))
    validation_figures(look.model, STEPS, look.card, look.rows, Group())
    alone = sum(read)
    read.clear()
    look()
    # The problem that is not scored, and of preferences what no rating tells.
    problems = {tuple(e.tree.tokens[0]): e.tree.size for e in look.examples if e.id.startswith("sum-5")}
    assert sum(read) <= alone + sum(problems.values())


def test_readings_of_paths_follow_from_those_of_their_nodes():
    model = tiny_model(tolerance=TOLERANCE).eval()
    tree = TokenTree([[1, 2], [3, 4, 5], [6, 7], [8]], [-1, 0, 1, 0])
    with torch.no_grad():
        nodes = model(pack([tree], [range(4)]))
        paths = model(pack([tree], [[1, 2, 3]], [True]))
    found = along_paths(nodes, [tree.path(node) for node in (1, 2, 3)])
    assert torch.allclose(found, paths, atol=1e-6)
