"""A folder that lacks weights is no base: transformers would draw them without a word."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file, save_file

from ml.errors import MisstepError
from ml.prm.model import build, small_config
from tests.ml.prm.test_bases import opened


def renamed(folder, name):
    """The folder's weights under the names that `name` gives them; without those that it gives none."""
    tensors = load_file(folder / "model.safetensors")
    kept = {name(old): tensor for old, tensor in tensors.items() if name(old)}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        (
            lambda old: f"_orig_mod.{old}",
            "model.embed_tokens.weight, model.layers.0.input_layernorm.weight, model",
        ),
        (
            lambda old: f"module.{old}",
            "model.embed_tokens.weight, model.layers.0.input_layernorm.weight, model",
        ),
        (lambda old: old.replace("q_proj.", "q_proj.base_layer."), "model.layers.0.self_attn.q_proj.weight"),
        (
            lambda old: "" if ".layers.1." in old else old,
            "model.layers.1.input_layernorm.weight, model.layers.1",
        ),
    ],
    ids=["compiled", "wrapped", "unmerged adapter", "lost layer"],
)
def test_a_base_that_lacks_weights_below_its_head_is_not_trained_from_drawn_ones(tmp_path, name, lacking):
    config = small_config(2048, 2, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    build(config, has_language_head=True).save_pretrained(tmp_path)
    opened("small").tokenizer.save(tmp_path)
    assert opened(str(tmp_path)).origin["weights"] == "given"
    renamed(tmp_path, name)
    with pytest.raises(MisstepError) as refused:
        opened(str(tmp_path))
    assert f"{tmp_path} has no {lacking}" in str(refused.value)
    assert str(refused.value).endswith("expected all weights that config.json says")
