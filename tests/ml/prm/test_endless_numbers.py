"""A loss or a gradient beyond all numbers ends the run before it reaches a weight, and so does the end of memory."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from ml.errors import MisstepError
from ml.prm.train import TrainingSettings, train
from tests.ml.prm.toys import examples_of, newest_state_of, sums, tiny_model, tokenizer

STEPS = tokenizer()


def refused(model, tmp_path, **settings):
    before = [parameter.detach().clone() for parameter in model.parameters()]
    examples = examples_of("classifier", sums(8), STEPS)
    chosen = TrainingSettings("classifier", 3, save_every=1, **settings)
    with pytest.raises(MisstepError) as error:
        train(model, examples, chosen, tmp_path / "state")
    assert all(torch.equal(one, two) for one, two in zip(before, model.parameters(), strict=True))
    assert not (tmp_path / "state").exists()
    return str(error.value)


def test_an_endless_loss_of_the_words_beside_a_finite_one_ends_the_run(tmp_path):
    model = tiny_model(len(STEPS.tokenizer), tolerance=50.0)
    message = refused(model, tmp_path, language_weight=math.inf)
    assert message == "the loss became inf at step 0, try a lower learning rate"


@pytest.mark.parametrize(("found", "named"), [(math.inf, "inf"), (math.nan, "nan")])
def test_an_endless_gradient_of_a_finite_loss_ends_the_run(tmp_path, found, named):
    model = tiny_model(len(STEPS.tokenizer))
    next(model.parameters()).register_hook(lambda gradient: torch.full_like(gradient, found))
    message = refused(model, tmp_path)
    assert message == f"the gradient's norm became {named} at step 0, try a lower learning rate"


def test_a_device_without_memory_left_ends_the_run_in_one_line_and_keeps_every_whole_update(tmp_path):
    model = tiny_model(len(STEPS.tokenizer))
    examples = examples_of("classifier", sums(8), STEPS)
    settings = TrainingSettings("classifier", 3, batch_size=4, tokens_per_row=64)
    read = []

    def fill(*_):
        read.append(1)
        if len(read) == 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = model.register_forward_pre_hook(fill)
    with pytest.raises(MisstepError) as error:
        train(model, examples, settings, tmp_path)
    [words] = str(error.value).splitlines()
    assert "ran out of memory at step 1 in packed rows of up to 5" in words and "--tokens-per-row" in words
    assert newest_state_of(tmp_path).step == 1
    hook.remove()
    shorter = replace(settings, tokens_per_row=32)
    assert train(tiny_model(len(STEPS.tokenizer)), examples, shorter, tmp_path).step == 3


def test_an_optimizer_without_room_for_its_state_ends_the_run_in_one_line_and_saves_no_half_update(
    tmp_path, monkeypatch
):
    def fill(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(torch.optim.AdamW, "step", fill)
    examples = examples_of("classifier", sums(8), STEPS)
    with pytest.raises(MisstepError, match="as the optimizer moved the weights, expected room for its state"):
        train(tiny_model(len(STEPS.tokenizer)), examples, TrainingSettings("classifier", 3), tmp_path)
    assert not list(tmp_path.glob("step-*"))
