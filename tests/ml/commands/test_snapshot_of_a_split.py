"""A file as one split: a held-out set of one's own, or all problems to train on."""

from __future__ import annotations

import json

import pytest

from ml.commands import snapshot as snapshot_command
from ml.errors import MisstepError
from ml.snapshot import read_snapshot
from tests.ml.prm.commands import processbench_file, trained
from tests.ml.prm.toys import sums


def frozen(tmp_path, rows, *options, out):
    path = processbench_file(tmp_path, rows)
    given = ["--solutions", str(path), "--format", "processbench", "--out", str(tmp_path / out)]
    assert snapshot_command.main([*given, *options]) == 0
    return tmp_path / out


def test_a_file_is_one_split_and_two_files_train_and_validate(tmp_path, capsys):
    mine = frozen(tmp_path, sums(40), "--split", "train", out="mine")
    held_out = frozen(tmp_path, sums(10, seed=7), "--split", "validation", out="held-out")
    assert read_snapshot(mine).manifest["counts"]["train"] == 40
    assert {row.split for row in read_snapshot(held_out)} == {"validation"}
    capsys.readouterr()
    checkpoint, result = trained(tmp_path, capsys, "--snapshot", str(held_out), snapshot=mine)
    assert result["counts"]["train_rows"] == 40 and result["metrics"]["validation"]["count"] == 10
    assert len((checkpoint / "training_problems.txt").read_text().split()) == 40


def test_a_problem_in_both_files_is_a_leak_also_where_its_solutions_are_the_same(tmp_path, capsys):
    rows = sums(20)
    mine = frozen(tmp_path, rows, "--split", "train", out="mine")
    held_out = frozen(tmp_path, [rows[3], *sums(6, seed=7)], "--split", "test", out="held-out")
    with pytest.raises(MisstepError, match="1 problems stand in more than one split"):
        trained(tmp_path, capsys, "--snapshot", str(held_out), snapshot=mine)


def test_the_same_file_by_its_texts_or_as_one_split_is_two_snapshots(tmp_path):
    out = frozen(tmp_path, sums(20), out="mine")
    assert json.loads((out / "manifest.json").read_text())["settings"].get("split") is None
    with pytest.raises(MisstepError, match="other settings"):
        frozen(tmp_path, sums(20), "--split", "train", out="mine")
