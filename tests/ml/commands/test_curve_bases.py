"""A curve knows the base and the second opinion of its points by what their folders hold, and not by their paths."""

from __future__ import annotations

import pytest

from ml.commands.curve import main
from ml.errors import MisstepError
from ml.prm.checkpoint import seal
from tests.ml.commands.test_curve import judged_rows
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.foreign import base_of


@pytest.fixture
def curve_of(tmp_path):
    rows = [*judged_rows(16, 0, "train"), *judged_rows(12, 1, "validation")]
    snapshot, out = snapshot_of(tmp_path, rows), tmp_path / "curve"
    usual = ["--snapshot", str(snapshot), "--out", str(out), "--epochs", "1", "--batch-size", "4"]

    def measure(*given):
        return main([*usual, "--sizes", "8", "16", "--seeds", "1", "--splits", "validation", *given])

    return measure


def test_a_base_that_is_another_now_has_no_point_on_the_curve(curve_of, tmp_path):
    base = base_of("llama", tmp_path / "base")
    given = ("--base", str(base), "--labels", "human")
    assert curve_of(*given) == curve_of(*given) == 0
    base_of("llama", tmp_path / "base", rms_norm_eps=0.01)
    with pytest.raises(MisstepError, match=r"measured with base_holds .files [0-9a-f]{8}., expected .files"):
        curve_of(*given)


def test_a_second_opinion_that_is_another_now_has_no_point_on_the_curve(curve_of, tmp_path, capsys):
    earlier, _ = trained(tmp_path, capsys, snapshot=tmp_path / "snapshot", out="earlier")
    given = ("--base", "small", "--labels", "automatic", "--second-opinion", str(earlier))
    assert curve_of(*given) == 0
    (earlier / "metrics.jsonl").write_text("")
    (earlier / "manifest.json").unlink()
    seal(earlier)
    with pytest.raises(MisstepError, match="measured with second_opinion_holds"):
        curve_of(*given)


@pytest.mark.parametrize("out", [".", "/"])
def test_a_folder_without_a_name_is_refused_in_one_line(tmp_path, monkeypatch, out):
    rows = [*judged_rows(16, 0, "train"), *judged_rows(12, 1, "validation")]
    snapshot = str(snapshot_of(tmp_path, rows))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MisstepError, match=f"--out {out}, expected a folder's name"):
        main(["--snapshot", snapshot, "--out", out, "--splits", "validation"])
