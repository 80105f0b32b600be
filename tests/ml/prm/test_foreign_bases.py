"""Bases of any family: read as their own transformers model reads them, or refused in one line before training."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    Gemma3Config,
    Qwen2Config,
)

from ml.errors import MisstepError
from ml.prm.attention import SPANS
from ml.prm.bases import HeadSettings, open_base
from ml.prm.checkpoint import seal
from ml.prm.generic_head import token_classifier_for
from ml.prm.loading import context_of
from ml.prm.packing import TokenTree, chain, pack
from ml.prm.resuming import base_facts
from ml.prm.score import load_scorer
from ml.prm.self_check import refuse_wrong_readings
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.foreign import base_of, config_of, stirred
from tests.ml.prm.toys import sums, tiny_model, tokenizer

ROOT, LEFT, RIGHT = [5, 6, 7, 8, 9], [10, 11, 12], [13, 14]


def known(tmp_path):
    return tmp_path / "snapshot" if (tmp_path / "snapshot").exists() else snapshot_of(tmp_path)


def refusal(tmp_path, capsys, base, *arguments):
    with pytest.raises(MisstepError) as error:
        trained(tmp_path, capsys, "--base", str(base), *arguments, snapshot=known(tmp_path), out="refused")
    assert not (tmp_path / "refused").exists() and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("family", ["lfm2", "qwen3_5_text", "mamba2", "bloom"])
def test_a_base_whose_layers_run_along_the_row_or_attend_otherwise_is_refused(tmp_path, capsys, family):
    said = refusal(tmp_path, capsys, base_of(family, tmp_path / "base"), "--head", "tokens")
    assert "reads packed rows otherwise than each solution by itself (by" in said and "--unpacked" in said
    assert "ForCausalLM" in said


@pytest.mark.parametrize(
    ("family", "complaint"),
    [
        ("gptj", "a gptj model has an attention of its own"),
        ("falcon", "a falcon model has an attention of its own"),
        ("stablelm", "StableLmForCausalLM cannot be read here (span attention was called without a plan)"),
        ("gpt_oss", "GptOssForCausalLM cannot be read here (this base has attention sinks)"),
    ],
)
def test_a_base_that_cannot_attend_by_plan_is_refused_in_one_line(tmp_path, capsys, family, complaint):
    said = refusal(tmp_path, capsys, base_of(family, tmp_path / "base"), "--head", "tokens")
    assert complaint in said and "--unpacked" in said


@pytest.mark.parametrize("head", ["linear", "tokens"])
def test_a_quantised_base_is_refused_in_one_line_whatever_is_installed(tmp_path, capsys, head):
    base = base_of("qwen2", tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (base / "config.json").write_text(json.dumps(config))
    said = refusal(tmp_path, capsys, base, "--head", head)
    assert said == f"{base}: weights quantised by gptq, expected unquantised weights"


@pytest.mark.parametrize("name", ["attention_chunk_size", "index_topk", "index_topk_blocks"])
def test_a_base_that_attends_to_a_part_of_long_paths_is_refused_though_short_ones_are_right(name):
    model = tiny_model()
    setattr(model.plain.config, name, 64)
    with pytest.raises(MisstepError, match=rf"attends to a part of a long path \({name} 64\)"):
        refuse_wrong_readings(model)
    model.is_packed = False
    model.model.set_attn_implementation("sdpa")
    refuse_wrong_readings(model)


@pytest.mark.parametrize("family", ["mistral", "phi3"])
def test_a_path_by_itself_may_be_longer_than_a_window_or_short_rotary_factors(family):
    config = config_of(family, 300, sliding_window=64)
    assert (context_of(config), context_of(config, is_packed=False)) == (64, 256)


@pytest.mark.parametrize("family", ["lfm2", "gpt_oss", "gptj"])
def test_an_unpacked_base_is_trained_and_scores_as_its_own_model_does(tmp_path, capsys, family):
    base = base_of(family, tmp_path / "base")
    checkpoint, _ = trained(tmp_path, capsys, "--base", str(base), "--head", "tokens", "--unpacked")
    rows, scorer = sums(3), load_scorer(checkpoint)
    plain = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    for row in rows:
        nodes, _ = scorer.tokenizer.solution(row.id, row.problem, row.steps)
        ids = torch.tensor([[token for node in nodes for token in node]])
        ends = torch.tensor([len(node) for node in nodes]).cumsum(0)[1:] - 1
        with torch.no_grad():
            logits = plain(ids).logits[0, ends][:, scorer.tokenizer.target_ids]
        assert scorer.score(row.problem, row.steps) == pytest.approx(
            logits.softmax(1)[:, 1].tolist(), abs=1e-6
        )


def test_rows_read_path_by_path_equal_packed_ones_with_their_gradients():
    packed = pack([TokenTree([ROOT, LEFT, RIGHT, LEFT], [-1, 0, 0, 1]), chain([LEFT, RIGHT])], [[2, 3], [1]])
    together, apart = tiny_model(), tiny_model()
    apart.model.set_attn_implementation("sdpa")
    apart.is_packed = False
    found = [model(packed) for model in (together, apart)]
    assert torch.allclose(*found, atol=1e-6)
    for logits in found:
        logits.square().sum().backward()
    for one, other in zip(together.parameters(), apart.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--base", "small", "--unpacked"), "--unpacked with --base small: Only a model's folder"),
        (("--unpacked", "--shard"), "--unpacked with --shard, expected one of them"),
        (
            ("--unpacked", "--extra-layers", "1"),
            "--extra-layers 1: Layers are added to given weights, read in packed rows",
        ),
    ],
)
def test_what_unpacked_rows_do_not_go_with_is_refused(tmp_path, capsys, options, complaint):
    assert complaint in refusal(tmp_path, capsys, tmp_path, *options)


@pytest.mark.parametrize("head", [{}, {"targets": (7, 9)}, {"tolerance": 50.0}])
def test_the_check_of_a_base_leaves_nothing_behind(head):
    model, steps = tiny_model(**head), tokenizer()
    before, random = base_facts({}, steps, model), torch.get_rng_state()
    refuse_wrong_readings(model)
    assert base_facts({}, steps, model) == before and torch.equal(torch.get_rng_state(), random)
    assert model.training and model.plain.config._attn_implementation == SPANS


def test_a_base_that_changes_its_logits_behind_the_head_is_refused():
    model = tiny_model(targets=(7, 9))
    forward = model.plain.forward

    def doubled(*given, **named):
        output = forward(*given, **named)
        return type(output)(logits=2 * output.logits)

    model.plain.forward = doubled
    with pytest.raises(MisstepError, match="LlamaForCausalLM changes its logits behind the head"):
        refuse_wrong_readings(model)


def test_a_base_that_gives_no_numbers_is_refused():
    model = tiny_model()
    with torch.no_grad():
        model.plain.score.weight[1] = float("nan")
    with pytest.raises(MisstepError, match="LlamaForTokenClassification says nan of a few tokens"):
        refuse_wrong_readings(model)


def test_a_family_that_no_linear_head_of_transformers_fits_is_refused_in_one_line(tmp_path, capsys):
    said = refusal(tmp_path, capsys, base_of("mamba2", tmp_path / "base"), "--unpacked")
    assert "Mamba2ForTokenClassification cannot be read here ('Mamba2Output' object" in said


def test_a_step_token_without_an_embedding_is_refused_before_training(tmp_path, capsys):
    base = base_of("qwen2", tmp_path / "base")
    steps = tokenizer()
    steps.tokenizer.add_special_tokens({"additional_special_tokens": ["<end-of-step>"]})
    steps.tokenizer.save_pretrained(base)
    # One that no text uses does no harm.
    trained(tmp_path, capsys, "--base", str(base), out="unused")
    (base / "steps.json").write_text(json.dumps({"separator": "<end-of-step>"}))
    said = refusal(tmp_path, capsys, base)
    size = len(steps.tokenizer)
    assert f"token {size - 1} of the tokenizer with {size - 1} embeddings" in said
    assert "resize_token_embeddings" in said
    targets = ("--head", "tokens", "--target-tokens", "<end-of-step>", "+")
    (base / "steps.json").unlink()
    assert "resize_token_embeddings" in refusal(tmp_path, capsys, base, *targets)


def test_a_token_without_an_embedding_in_the_validation_split_alone_is_refused_before_training(
    tmp_path, capsys
):
    base = base_of("qwen2", tmp_path / "base")
    steps = tokenizer()
    steps.tokenizer.add_tokens(["\u2211"])
    steps.tokenizer.save_pretrained(base)
    checkpoint, _ = trained(tmp_path, capsys, "--base", str(base))
    with pytest.raises(MisstepError, match="resize_token_embeddings"):
        load_scorer(checkpoint).score("Add", ["\u2211 = 3"])
    rows = [*sums(20), *(replace(row, problem=f"\u2211 {row.problem}") for row in sums(2, 1, "validation"))]
    odd = snapshot_of(tmp_path, rows, name="odd")
    with pytest.raises(MisstepError, match="resize_token_embeddings"):
        trained(tmp_path, capsys, "--base", str(base), snapshot=odd, out="refused")
    assert not (tmp_path / "refused.state").exists()


def test_a_base_whose_rotary_factors_depend_on_the_longest_path_keeps_below_that_length(tmp_path, capsys):
    base = base_of("phi3", tmp_path / "base")
    checkpoint, _ = trained(tmp_path, capsys, "--base", str(base))
    assert load_scorer(checkpoint).tokenizer.layout.maximum_length == 96
    said = refusal(tmp_path, capsys, base, "--maximum-length", "97")
    assert "--maximum-length 97, expected at most the base's 96" in said


def test_a_checkpoint_that_reads_longer_paths_than_its_rotary_factors_allow_is_refused(tmp_path, capsys):
    config = config_of("phi3", 300, num_labels=2)
    stirred(AutoModelForTokenClassification.from_config(config)).save_pretrained(tmp_path)
    steps = tokenizer(maximum_length=97)
    steps.save(tmp_path)
    card = {
        "format": "misstep-checkpoint",
        "objective": "classifier",
        "outputs": 2,
        "head": "linear",
        "config": {},
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    seal(tmp_path)
    with pytest.raises(MisstepError, match="paths of up to 97 tokens, expected at most 96"):
        load_scorer(tmp_path)


@pytest.mark.parametrize("family", ["gemma3_text", "olmo2"])
@pytest.mark.parametrize("objective", ["classifier", "value"])
def test_a_family_without_a_token_classifier_gets_a_linear_head(tmp_path, capsys, family, objective):
    base = base_of(family, tmp_path / "base")
    checkpoint, _ = trained(tmp_path, capsys, "--base", str(base), "--objective", objective)
    scorer, row = load_scorer(checkpoint), sums(1)[0]
    # In transformers alone: the backbone, and the head beside it.
    backbone = AutoModel.from_pretrained(checkpoint).eval()
    head = load_file(checkpoint / "model.safetensors")
    nodes, _ = scorer.tokenizer.solution(row.id, row.problem, row.steps)
    with torch.no_grad():
        hidden = backbone(torch.tensor([[token for node in nodes for token in node]])).last_hidden_state[
            0, -1
        ]
    logits = hidden @ head["score.weight"].T + head["score.bias"]
    expected = logits.softmax(0)[1] if objective == "classifier" else logits[0].clamp(0, 1)
    assert scorer.score(row.problem, row.steps)[-1] == pytest.approx(float(expected), abs=1e-5)


def test_a_checkpoint_with_such_a_head_is_a_base_whose_head_goes_on(tmp_path, capsys):
    base = base_of("olmo2", tmp_path / "base")
    checkpoint, _ = trained(tmp_path, capsys, "--base", str(base))
    again = open_base(str(checkpoint), [], HeadSettings(2), 0, None, False)
    assert again.origin["goes_on_with_head"]
    saved = load_file(checkpoint / "model.safetensors")
    assert torch.equal(again.model.score.weight, saved["score.weight"])


def test_a_model_of_more_than_text_has_no_linear_head():
    with pytest.raises(MisstepError, match=r"no linear head fits a .* model, expected --head tokens"):
        token_classifier_for(Gemma3Config())
    token_classifier_for(Qwen2Config())
