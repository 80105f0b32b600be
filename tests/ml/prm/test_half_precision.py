"""bfloat16 outside of the training loop: in scoring and validation, and for what LoRA leaves as it is."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ml.commands import score as score_command
from ml.prm import load_scorer
from ml.prm import run as running
from ml.prm.frozen import halve
from ml.prm.model import ProcessRewardModel
from tests.ml.prm.commands import processbench_file, trained
from tests.ml.prm.test_learning_rates import given_base
from tests.ml.prm.toys import sums, tiny_model


def test_scores_in_bfloat16_are_near_those_in_float32_and_not_the_same(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--steps", "20")
    row = sums(1)[0]
    exact = load_scorer(checkpoint).score(row.problem, row.steps)
    rounded = load_scorer(checkpoint, bfloat16=True).score(row.problem, row.steps)
    assert rounded == pytest.approx(exact, abs=0.02) and rounded != exact
    given = ["--checkpoint", str(checkpoint), "--solutions", str(processbench_file(tmp_path, [row]))]
    out = tmp_path / "scores.jsonl"
    assert score_command.main([*given, "--format", "processbench", "--out", str(out), "--bf16"]) == 0
    assert json.loads(out.read_text())["scores"] == rounded


@pytest.mark.parametrize("head", [{}, {"outputs": 1}, {"outputs": 3}, {"targets": (7, 9)}])
@pytest.mark.parametrize("is_training", [True, False])
def test_two_close_hidden_states_give_distinct_outputs_in_bfloat16(head, is_training):
    model = tiny_model(**head).train(is_training)
    hidden = torch.randn(1, 32, generator=torch.Generator().manual_seed(0))
    both = torch.cat([hidden, hidden * 1.0001])
    exact = model.read_out(both)
    with torch.set_grad_enabled(is_training), torch.autocast("cpu", torch.bfloat16):
        outputs = model.read_out(both)
    assert outputs.dtype == torch.float32 and torch.equal(outputs, exact)
    assert (outputs[0] != outputs[1]).all()


def test_steps_tie_in_bfloat16_no_more_than_in_float32(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--objective", "value", "--bf16")
    rows = sums(40)
    distinct = []
    for half in (False, True):
        scorer = load_scorer(checkpoint, bfloat16=half)
        distinct.append(len({score for row in rows for score in scorer.score(row.problem, row.steps)}))
    assert distinct[1] >= 0.95 * distinct[0] > 50


def base_in_bfloat16(folder):
    """A base as it is usually published: weights that bfloat16 holds."""
    base = given_base(folder)
    path = folder / "model.safetensors"
    save_file({n: t.to(torch.bfloat16) for n, t in load_file(path).items()}, path, {"format": "pt"})
    return base


LORA = ("--lora", "2", "--bf16", "--learning-rate", "0.01")


@pytest.mark.parametrize("looks", [("--validate-every", "2"), ()])
def test_frozen_matrices_take_half_of_the_memory_and_nothing_else_changes(
    tmp_path, capsys, monkeypatch, looks
):
    base = base_in_bfloat16(tmp_path / "base")
    halved = []
    monkeypatch.setattr(running, "halve", lambda model: halved.append(halve(model)))
    small, told = trained(tmp_path, capsys, "--base", base, *LORA, *looks)
    assert halved[0] >= 7
    monkeypatch.setattr(running, "halve", lambda model: None)
    snapshot = tmp_path / "snapshot"
    large, before = trained(tmp_path, capsys, "--base", base, *LORA, *looks, snapshot=snapshot, out="large")
    first, second = (load_file(folder / "model.safetensors") for folder in (small, large))
    assert all(torch.equal(first[name], second[name]) for name in first | second)
    assert {tensor.dtype for tensor in first.values()} == {torch.float32}
    assert told["metrics"] == before["metrics"]


def test_a_device_never_holds_frozen_matrices_in_float32(tmp_path, capsys, monkeypatch):
    held = []

    def note(what, model):
        # The new head's first draw is frozen beside its copy, and was published in nothing.
        blocks = [part for name, part in model.named_modules() if ".layers." in name]
        matrices = [part.weight for part in blocks if isinstance(part, nn.Linear)]
        held.append((what, {weight.dtype for weight in matrices if not weight.requires_grad}))

    def noted(name, module, place):
        usual = getattr(module, name)

        def called(*given, **named):
            note(name, given[place])
            return usual(*given, **named)

        monkeypatch.setattr(module, name, called)

    noted("to", ProcessRewardModel, 0)
    noted("validation_figures", running, 0)
    noted("cpu", ProcessRewardModel, 0)
    noted("restore", running, 0)
    trained(tmp_path, capsys, "--base", base_in_bfloat16(tmp_path / "base"), *LORA)
    assert held == [(name, {torch.bfloat16}) for name in ("to", "validation_figures", "cpu", "restore")]


def test_a_base_that_bfloat16_would_round_keeps_its_digits(tmp_path, capsys, monkeypatch):
    halved = []
    monkeypatch.setattr(running, "halve", lambda model: halved.append(halve(model)))
    trained(tmp_path, capsys, "--base", given_base(tmp_path / "base"), *LORA)
    assert halved == [0]
