"""What an outcome model is read at are tokens, and nobody labelled those."""

from __future__ import annotations

import json

import pytest

from ml.commands.train import main
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.toys import sums


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        (("--outcome-tokens", "last"), "last"),
        (("--outcome-tokens", "steps"), "steps"),
        ((), "all"),
        (("--trees", "problem"), "last"),
    ],
)
def test_a_card_counts_readings_of_the_answer_and_calls_none_a_labelled_step(tmp_path, capsys, asked, tokens):
    given = ("--objective", "outcome", *asked)
    _, result = trained(tmp_path, capsys, *given, snapshot=snapshot_of(tmp_path, sums(8)))
    assert "labelled_steps" not in result["counts"]
    readings = result["counts"]["readings"]
    assert {"last": readings == 8, "steps": readings == 3 * 8, "all": readings > 3 * 8}[tokens]


@pytest.mark.parametrize(
    ("objective", "pace"), [("classifier", "labelled_steps_per_second"), ("outcome", "readings_per_second")]
)
def test_the_pace_of_a_run_says_what_it_counts(tmp_path, capsys, monkeypatch, objective, pace):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    given = ["--snapshot", str(snapshot_of(tmp_path, sums(8))), "--out", str(tmp_path / "checkpoint")]
    assert main([*given, "--base", "small", "--steps", "1", "--objective", objective]) == 0
    metrics = json.loads(capsys.readouterr().out.splitlines()[0])["progress"]["metrics"]
    assert [name for name in metrics if name.endswith("_per_second")] == [pace]
