"""Models that others trained are scored from a bare folder and a layout, as transformers itself reads them."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from ml.commands import score as score_command
from ml.errors import MisstepError
from ml.prm.given_layout import GivenLayout, read_layout
from ml.prm.score import load_scorer
from tests.ml.prm.commands import processbench_file, trained
from tests.ml.prm.foreign import base_of, config_of, stirred
from tests.ml.prm.toys import sums, tokenizer

ROW = sums(2)[1]


def words_with_special_tokens():
    words = tokenizer().tokenizer
    words.add_special_tokens({"additional_special_tokens": ["<extra_0>", "<|im_start|>", "<|im_end|>"]})
    return words


def classifier(folder, words):
    """A token classifier as trl's trainer leaves it."""
    model = stirred(AutoModelForTokenClassification.from_config(config_of("qwen2", len(words), num_labels=2)))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return model


def encoded(words, *parts):
    return [token for part in parts for token in words.encode(part, add_special_tokens=False)]


def read_at_ends(model, words, opening, steps, separator):
    """Logits at each step's end, [steps, outputs], in one plain forward."""
    ids, ends = encoded(words, *opening), []
    for step in steps:
        ids += encoded(words, step, separator)
        ends.append(len(ids) - 1)
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, ends]


def written(tmp_path, **said):
    (tmp_path / "layout.json").write_text(json.dumps(said))
    return tmp_path / "layout.json"


@pytest.mark.parametrize("positive", [1, 0])
def test_a_token_classifier_in_trls_layout_is_scored_as_in_plain_transformers(tmp_path, capsys, positive):
    words = tokenizer().tokenizer
    model = classifier(tmp_path / "trl", words)
    layout = written(tmp_path, separator="\n", positive=positive)
    rows, out = sums(3), tmp_path / "scores.jsonl"
    given = ["--checkpoint", str(tmp_path / "trl"), "--layout", str(layout), "--out", str(out)]
    file = str(processbench_file(tmp_path, rows))
    assert score_command.main([*given, "--solutions", file, "--format", "processbench"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["solutions"] == 3 and result["solutions_of_training_problems"] is None
    for row, line in zip(rows, map(json.loads, out.read_text().splitlines()), strict=True):
        chances = read_at_ends(model, words, [row.problem], row.steps, "\n").softmax(1)
        assert line["scores"] == pytest.approx(chances[:, positive].tolist(), abs=1e-5)


def test_a_head_of_two_layers_behind_a_chat_template_is_read_at_its_special_token(tmp_path):
    words = words_with_special_tokens()
    model = classifier(tmp_path, words)
    torch.manual_seed(1)
    model.score = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    weights = load_file(tmp_path / "model.safetensors")
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith("score.")}
    save_file(
        weights | {f"score.{name}": tensor for name, tensor in model.score.state_dict().items()},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    start, end = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    scorer = load_scorer(tmp_path, layout=GivenLayout("<extra_0>", start, end, maximum_length=200))
    chances = read_at_ends(model, words, [start, ROW.problem, end], ROW.steps, "<extra_0>").softmax(1)
    assert scorer.score(ROW.problem, ROW.steps) == pytest.approx(chances[:, 1].tolist(), abs=1e-5)


def test_a_language_model_is_read_at_its_target_tokens(tmp_path):
    base_of("lfm2", tmp_path)
    words = tokenizer().tokenizer
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    layout = GivenLayout("=", problem_end=" ", step_start="\n", target_tokens=["-", "+"], unpacked=True)
    scorer = load_scorer(tmp_path, layout=layout)
    steps = ["\n" + step for step in ROW.steps]
    logits = read_at_ends(model, words, [ROW.problem, " "], steps, "=")
    chances = logits[:, encoded(words, "-", "+")].softmax(1)
    assert scorer.score(ROW.problem, ROW.steps) == pytest.approx(chances[:, 1].tolist(), abs=1e-5)


def test_a_language_model_is_no_classifier_and_a_head_is_never_drawn(tmp_path):
    base_of("qwen2", tmp_path)
    with pytest.raises(MisstepError, match=r"has no score.bias, score.weight, expected a trained token"):
        load_scorer(tmp_path, layout=GivenLayout("\n"))


def test_a_checkpoint_of_ours_keeps_its_own_layout(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--steps", "1")
    with pytest.raises(MisstepError, match="a checkpoint with a layout of its own"):
        load_scorer(checkpoint, layout=GivenLayout("\n"))


def test_a_folder_without_card_and_layout_is_refused_with_what_it_needs(tmp_path):
    with pytest.raises(MisstepError, match=r"no card.json, expected a checkpoint .*, or --layout"):
        load_scorer(tmp_path)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"positive": 1}, "expected a JSON object with separator"),
        ({"separator": "\n", "head": "linear"}, "expected a JSON object with separator, and of"),
        ({"separator": "\n", "positive": 2}, "positive 2, expected 0 or 1"),
        ({"separator": "\n", "target_tokens": ["+"]}, "expected two: what stands for wrong, then for right"),
        ({"separator": 5}, "expected texts"),
        ({"separator": "\n", "maximum_length": 0}, "maximum_length 0, expected at least 1"),
    ],
)
def test_a_layout_that_says_something_else_is_refused(tmp_path, said, complaint):
    with pytest.raises(MisstepError, match=complaint):
        read_layout(written(tmp_path, **said))
