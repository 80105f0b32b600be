"""A device that has no room for long rows of scores: told in one line, and shorter ones are taken where asked for."""

from __future__ import annotations

import pytest
import torch

from ml.commands import curve as curve_command
from ml.commands import score as score_command
from ml.errors import MisstepError
from ml.prm.score import Scorer
from tests.ml.commands.test_curve import QUICK as FEW_MODELS
from tests.ml.commands.test_curve import judged_rows
from tests.ml.prm.commands import automatic_snapshot, processbench_file, snapshot_of, trained
from tests.ml.prm.toys import sums

ROOM = 128


@pytest.fixture
def small_device(monkeypatch):
    """Scores rows of at most ROOM tokens."""
    usual = Scorer.outputs

    def outputs(self, trees):
        if sum(tree.size for tree in trees) > ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return usual(self, trees)

    def take_effect():
        monkeypatch.setattr(Scorer, "outputs", outputs)

    return take_effect


def refused(run):
    with pytest.raises(MisstepError) as error:
        run()
    [words] = str(error.value).splitlines()
    assert "ran out of memory as it scored, in packed rows of up to" in words
    assert "a lower --tokens-per-row" in words


def test_scores_are_told_to_be_too_long_and_go_on_in_shorter_rows(tmp_path, capsys, small_device):
    checkpoint, _ = trained(tmp_path, capsys)
    solutions, out = processbench_file(tmp_path, sums(20)), tmp_path / "scores.jsonl"
    given = ["--checkpoint", str(checkpoint), "--solutions", str(solutions), "--format", "processbench"]
    small_device()
    refused(lambda: score_command.main([*given, "--out", str(out)]))
    assert score_command.main([*given, "--out", str(out), "--tokens-per-row", str(ROOM)]) == 0
    assert len(out.read_text().splitlines()) == 20


def test_a_curve_judges_its_models_in_the_rows_of_their_training_and_goes_on_in_shorter_ones(
    tmp_path, small_device
):
    rows = [
        row
        for seed, split in enumerate(["train", "validation", "test"])
        for row in judged_rows(16, seed, split)
    ]
    given = ["--snapshot", str(snapshot_of(tmp_path, rows)), "--out", str(tmp_path / "curve"), *FEW_MODELS]
    given += ["--seeds", "1", "--labels", "human"]
    small_device()
    refused(lambda: curve_command.main(given))
    assert curve_command.main([*given, "--tokens-per-row", str(ROOM)]) == 0
    # Its points are there: nothing is read any more, in rows of whatever length.
    assert curve_command.main(given) == 0


def test_a_second_opinion_is_asked_in_the_rows_of_the_training(tmp_path, capsys, small_device):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path)
    asked = ("--labels", "automatic", "--target", "soft", "--second-opinion", str(earlier))
    small_device()
    refused(lambda: trained(tmp_path, capsys, *asked, snapshot=snapshot))
    # Its validation split is empty: what is scored is the opinion alone.
    _, result = trained(tmp_path, capsys, *asked, "--tokens-per-row", str(ROOM), snapshot=snapshot)
    assert result["counts"]["opinion_rows"] == 20
