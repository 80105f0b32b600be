"""Which layers get an adapter: all that a base's blocks have, by whatever names, or those that were named."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ml.commands import train as train_command
from ml.errors import MisstepError
from ml.prm.adapters import experts_of, targets_in
from ml.prm.model import with_lora
from tests.ml.prm.commands import QUICK, snapshot_of, trained
from tests.ml.prm.foreign import base_of, config_of

SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
OWN = {
    "llama": SEVEN,
    "qwen2": SEVEN,
    "qwen3": SEVEN,
    "mistral": SEVEN,
    "phi3": ["o_proj", "qkv_proj", "gate_up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "gpt_neox": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
    "qwen2_moe": SEVEN,
}
MOE = {"num_experts": 2, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16}


def plain(family):
    changes = MOE if family == "qwen2_moe" else {}
    return AutoModelForCausalLM.from_config(config_of(family, 50, **changes))


@pytest.mark.parametrize("family", OWN)
def test_every_linear_layer_of_the_blocks_gets_an_adapter_and_the_head_and_the_router_none(family):
    model = plain(family)
    assert targets_in(model) == OWN[family]
    adapted = with_lora(model, 2, seed=0, has_language_head=True)
    names = [name.split(".lora_A")[0].split(".") for name in adapted.state_dict() if ".lora_A" in name]
    assert {name[-1] for name in names} == set(OWN[family])
    # In both blocks, and nowhere else.
    assert all(any(part in ("0", "1") for part in name) for name in names)
    assert len(names) >= 2 * len(OWN[family])


def test_a_named_layer_that_the_base_has_not_is_refused_although_others_are_found():
    with pytest.raises(MisstepError) as error:
        with_lora(plain("phi3"), 2, seed=0, has_language_head=True, targets=["q_proj", "o_proj", "v_proj"])
    said = str(error.value)
    assert "--lora-targets q_proj v_proj: the base has no such layer" in said
    assert said.endswith("expected some of o_proj, qkv_proj, gate_up_proj, down_proj")


def test_a_name_may_say_more_than_its_end_and_half_a_name_is_none():
    model = plain("llama")
    assert targets_in(model, ["0.self_attn.q_proj"]) == ["0.self_attn.q_proj"]
    with pytest.raises(MisstepError, match="--lora-targets proj: the base has no such layer"):
        targets_in(model, ["proj"])


@pytest.mark.parametrize("name", ["lm_head", "embed_tokens"])
def test_the_head_and_the_embeddings_get_no_adapter_even_when_they_are_named(name):
    with pytest.raises(
        MisstepError, match=f"--lora-targets {name}: the base has no such layer in its blocks"
    ):
        targets_in(plain("llama"), ["q_proj", name])


def test_a_base_with_fused_projections_is_adapted_in_all_of_them_and_its_card_names_them(tmp_path, capsys):
    base, snapshot = str(base_of("phi3", tmp_path / "base")), snapshot_of(tmp_path)
    checkpoint, _ = trained(tmp_path, capsys, "--base", base, "--lora", "2", snapshot=snapshot)
    assert json.loads((checkpoint / "card.json").read_text())["config"]["lora_targets"] == OWN["phi3"]
    adapter = load_file(checkpoint / "adapter" / "adapter_model.safetensors")
    assert all(any(f".{name}.lora_A" in key for key in adapter) for name in OWN["phi3"])
    named = ("--base", base, "--lora", "2", "--lora-targets", "q_proj", "down_proj")
    with pytest.raises(MisstepError, match="--lora-targets q_proj: the base has no such layer"):
        trained(tmp_path, capsys, *named, snapshot=snapshot, out="refused")
    assert not (tmp_path / "refused").exists() and not (tmp_path / "refused.state").exists()


def test_adapters_on_weights_that_were_only_drawn_are_refused(tmp_path, capsys):
    base, snapshot = str(base_of("llama", tmp_path / "base")), snapshot_of(tmp_path)
    for given, said in (
        ((), "--lora 2 with --base small: Random weights would stay random beside LoRA"),
        (("--base", "pocket", "--extra-layers", "0"), "--lora on random weights (--base small)"),
        (("--base", "pocket"), "--extra-layers: Added layers would stay random beside LoRA"),
        (("--base", base, "--extra-layers", "1"), "--extra-layers 1: Added layers would stay random"),
    ):
        with pytest.raises(MisstepError) as error:
            trained(tmp_path, capsys, *given, "--lora", "2", snapshot=snapshot, out="refused")
        assert said in str(error.value) and not (tmp_path / "refused.state").exists()
    trained(tmp_path, capsys, "--base", base, "--lora", "2", "--extra-layers", "0", snapshot=snapshot)


@pytest.mark.parametrize(
    ("family", "experts"),
    [("mixtral", ["gate_up_proj", "down_proj"]), ("qwen2_moe", ["gate_up_proj", "down_proj"]), ("lfm2", [])],
)
def test_experts_are_no_layers_and_are_found_by_their_names(family, experts):
    assert experts_of(plain(family)) == experts


def test_experts_that_get_no_adapter_are_told_once_and_not_where_layers_were_named(tmp_path, capsys):
    base, snapshot = str(base_of("mixtral", tmp_path / "base")), snapshot_of(tmp_path)
    told = []
    for out, named in (("all", []), ("named", ["--lora-targets", "q_proj"])):
        given = ["--snapshot", str(snapshot), "--out", str(tmp_path / out), *QUICK, "--base", base]
        assert train_command.main([*given, "--lora", "2", *named]) == 0
        told.append(
            capsys.readouterr().err.count("--lora leaves the base's experts (gate_up_proj, down_proj)")
        )
    assert told == [1, 0]
