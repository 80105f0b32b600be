"""What each update reported stands in OUT.state/metrics.jsonl while a run goes, and after one that ended early."""

from __future__ import annotations

import json
import math

import pytest
import torch

from ml.errors import MisstepError
from ml.prm.train import TrainingSettings, train
from tests.ml.prm.commands import trained
from tests.ml.prm.test_training import short_run
from tests.ml.prm.toys import examples_of, forget_last_state, sums, tiny_model, tokenizer

STEPS = tokenizer()


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_what_led_to_a_divergence_stands_there_without_any_state(tmp_path):
    model, seen = tiny_model(len(STEPS.tokenizer)), []

    def diverging(gradient):
        seen.append(1)
        return torch.full_like(gradient, math.inf) if len(seen) == 3 else gradient

    next(model.parameters()).register_hook(diverging)
    examples = examples_of("classifier", sums(8), STEPS)
    with pytest.raises(MisstepError, match="at step 2"):
        train(model, examples, TrainingSettings("classifier", 5, save_every=100), tmp_path / "state")
    assert [line["step"] for line in lines(tmp_path / "state")] == [1, 2]
    assert all(math.isfinite(line["loss"]) for line in lines(tmp_path / "state"))


def test_a_run_that_goes_on_has_no_line_twice(tmp_path):
    short_run(tmp_path, steps=4)
    whole = lines(tmp_path)
    forget_last_state(tmp_path)
    short_run(tmp_path, steps=4)
    assert lines(tmp_path) == whole and [line["step"] for line in whole] == [1, 2, 3, 4]


def test_it_is_there_before_the_first_look_ends_and_has_what_the_look_found(tmp_path):
    examples, seen = examples_of("classifier", sums(8), STEPS), []

    def look(_is_stopping):
        seen.append(lines(tmp_path))
        return {"validation_loss": 0.5}

    settings = TrainingSettings("classifier", 4, validate_every=2)
    run = train(tiny_model(len(STEPS.tokenizer)), examples, settings, tmp_path, validate=look)
    assert [[line["step"] for line in each] for each in seen] == [[1, 2], [1, 2, 3, 4]]
    assert lines(tmp_path) == run.history and "validation_loss" in run.history[1]


def test_the_checkpoint_has_the_whole_of_it(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--validate-every", "2", "--keep-state")
    assert lines(tmp_path / "checkpoint.state") == lines(checkpoint)
