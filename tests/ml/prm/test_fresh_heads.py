"""Heads that are drawn anew on a given base: what they say at first, and what is said of a head that they replace."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from ml.prm.bases import HeadSettings, open_base
from ml.prm.model import build, small_config
from tests.ml.prm.test_bases import POCKET, checkpoint_like, opened


@pytest.mark.parametrize("objective", ["value", "preference"])
@pytest.mark.parametrize("has_head", [True, False])
def test_a_fresh_scalar_head_says_almost_nothing_on_a_wide_base_either(tmp_path, objective, has_head):
    torch.manual_seed(7)
    config = small_config(2048, 2, hidden_size=2048, num_hidden_layers=1, num_attention_heads=2)
    config.intermediate_size = 64
    build(config, has_language_head=not has_head).save_pretrained(tmp_path)
    opened("small").tokenizer.save(tmp_path)
    base = open_base(str(tmp_path), POCKET, HeadSettings(1, objective=objective), 0, None, False)
    # As large as the last states of pretrained models are, and larger.
    hidden = 3.0 * torch.randn(200, 2048)
    assert float(base.model.score(hidden).detach().std()) < 0.25


@pytest.mark.parametrize("asked", ["tanh", "raw_then_tanh5"])
def test_a_preference_head_goes_on_only_as_what_it_was_trained_as(tmp_path, asked):
    saved = checkpoint_like(tmp_path, objective="preference", config={"preference_output": "raw_then_tanh5"})
    head = HeadSettings(2, objective="preference", preference_output=asked)
    base = open_base(str(tmp_path), POCKET, head, 0, None, False)
    goes_on = asked == "raw_then_tanh5"
    assert base.origin.get("goes_on_with_head", False) == goes_on
    assert ("objective, outputs and --preference-output keeps its own" in base.remark) != goes_on
    assert torch.equal(base.model.score.weight, saved["score.weight"]) == goes_on


def test_a_head_of_two_layers_that_another_tool_trained_is_left_out_with_a_word(tmp_path):
    saved = checkpoint_like(tmp_path)
    (tmp_path / "card.json").unlink()
    parts = [f"{place}.{name}" for place in (0, 2) for name in ("weight", "bias")]
    weights = {f"score.{part}": saved[f"score.{part[2:]}"].clone() for part in parts}
    layers = {name: tensor for name, tensor in saved.items() if not name.startswith("score.")}
    save_file({**layers, **weights}, tmp_path / "model.safetensors", {"format": "pt"})
    assert "(score.0.bias, score.0.weight, score.2.bias), which is left out" in opened(str(tmp_path)).remark
