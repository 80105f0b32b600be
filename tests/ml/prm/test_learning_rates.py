"""How fast a run learns where nobody says: by what it starts from, and told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ml.commands.train import parser, request_from
from ml.commands.train_options import usual_learning_rate
from ml.errors import MisstepError
from ml.prm.identity import fingerprint_of
from ml.prm.model import build, small_config
from ml.prm.request import Request
from ml.prm.tokenization import learned_tokenizer
from ml.prm.train import TrainingSettings
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.toys import sums


def given_base(folder):
    texts = [text for row in sums(20) for text in (row.problem, *row.steps)]
    tokenizer = learned_tokenizer(texts, 300)
    build(small_config(len(tokenizer), 2, hidden_size=32, num_hidden_layers=1)).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return str(folder)


@pytest.mark.parametrize(
    ("base", "lora", "expected"),
    [
        ("pocket", 0, 1e-3),
        ("pocket-reader", 0, 1e-3),
        ("small", 0, 1e-3),
        ("models/a", 0, 1e-5),
        ("models/a", 8, 1e-4),
    ],
)
def test_what_is_given_learns_slower_than_what_is_fresh(base, lora, expected):
    assert usual_learning_rate(base, lora) == expected
    options = parser().parse_args(["--snapshot", "s", "--out", "o", "--base", base, "--lora", str(lora)])
    assert request_from(options).training.learning_rate == expected


def test_the_rate_that_served_stands_in_the_output_and_on_the_card(tmp_path, capsys):
    checkpoint, result = trained(tmp_path, capsys, "--base", given_base(tmp_path / "base"))
    assert result["learning_rate"] == 1e-5
    assert json.loads((checkpoint / "card.json").read_text())["config"]["learning_rate"] == 1e-5
    _, asked = trained(
        tmp_path, capsys, "--learning-rate", "0.25", snapshot=tmp_path / "snapshot", out="asked"
    )
    assert asked["learning_rate"] == 0.25


def test_warm_up_clipping_and_the_adapters_are_options_that_stand_on_the_card(tmp_path, capsys):
    given = ("--warmup", "0.5", "--clip", "0.1", "--lora", "2", "--lora-alpha", "6", "--lora-dropout", "0.1")
    checkpoint, _ = trained(tmp_path, capsys, "--base", given_base(tmp_path / "base"), *given)
    config = json.loads((checkpoint / "card.json").read_text())["config"]
    assert (config["warmup"], config["clip"]) == (0.5, 0.1)
    assert (config["lora_alpha"], config["lora_dropout"]) == (6.0, 0.1)
    adapter = json.loads((checkpoint / "adapter" / "adapter_config.json").read_text())
    assert (adapter["lora_alpha"], adapter["lora_dropout"]) == (6.0, 0.1)


def test_the_usual_strength_of_adapters_is_the_same_run_when_it_is_named():
    settings, asked = TrainingSettings("classifier", 10), Request(Path("s"), Path("o"), lora_rank=2)
    usual, named, other = (
        fingerprint_of("0" * 64, replace(asked, lora_alpha=alpha), settings) for alpha in (None, 4.0, 2.0)
    )
    assert usual == named != other


def test_states_of_any_other_rate_are_still_of_another_run(tmp_path, capsys):
    snapshot_of(tmp_path)
    base = str(given_base(tmp_path / "base"))
    options = ["--base", base, "--lora", "2", "--save-every", "2", "--keep-state"]
    whole, _ = trained(tmp_path, capsys, *options, "--learning-rate", "1e-3", snapshot=tmp_path / "snapshot")
    shutil.rmtree(whole)
    with pytest.raises(MisstepError, match="other settings or data"):
        trained(tmp_path, capsys, *options, snapshot=tmp_path / "snapshot")
