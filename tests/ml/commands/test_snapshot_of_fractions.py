"""`python -m ml snapshot` of stepwise rows whose labels are probabilities: a machine's soft labels."""

from __future__ import annotations

import pytest

from ml.__main__ import main as ml_main
from ml.commands.snapshot import main
from ml.errors import BadRecord, MisstepError
from ml.snapshot import read_snapshot
from tests.autolabels.files import write_lines


def stepwise_file(tmp_path, rows):
    lines = [
        {"prompt": f"What is 1 + {number}?", "completions": ["We add.", "It is so."], "labels": labels}
        for number, labels in enumerate(rows)
    ]
    return write_lines(tmp_path / "stepwise.jsonl", lines)


def test_fractions_of_a_stepwise_file_are_soft_labels_that_a_model_trains_on(tmp_path, capsys):
    rows = [[0.25 + number % 2 / 2, (number % 4) / 4] for number in range(40)]
    path = stepwise_file(tmp_path, rows)
    given = ["--solutions", str(path), "--labels", "automatic", "--out", str(tmp_path / "snapshot")]
    assert main(given) == 0
    found = list(read_snapshot(tmp_path / "snapshot"))
    assert [row.labels for row in found] == rows and {*found[0].label_source} == {"automatic"}
    quick = ["--base", "small", "--steps", "2", "--batch-size", "8", "--out", str(tmp_path / "checkpoint")]
    assert ml_main(["train", "--snapshot", str(tmp_path / "snapshot"), *quick]) == 0


def test_fractions_of_a_stepwise_file_become_hard_labels_where_these_are_asked_for(tmp_path, capsys):
    path = stepwise_file(tmp_path, [[0.75, 0.25], [1.0, 1.0]])
    hard = ["--labels", "automatic", "--target", "hard", "--threshold", "0.5"]
    assert main(["--solutions", str(path), *hard, "--out", str(tmp_path / "snapshot")]) == 0
    found = [(row.labels, row.first_mistake) for row in read_snapshot(tmp_path / "snapshot")]
    assert found == [([1.0, 0.0], 1), ([1.0, 1.0], None)]


@pytest.mark.parametrize("label", [1.5, -0.25, 2])
def test_a_label_outside_0_to_1_is_refused_with_its_file_and_line(tmp_path, label):
    path = stepwise_file(tmp_path, [[0.5, 0.5], [0.5, label]])
    given = ["--solutions", str(path), "--labels", "automatic", "--out", str(tmp_path / "snapshot")]
    with pytest.raises(BadRecord, match=r"stepwise\.jsonl:2: .*labels\[1\]"):
        main(given)
    assert not (tmp_path / "snapshot").exists()


def test_a_file_of_a_machine_s_labels_alone_says_how_to_ask_for_them(tmp_path):
    path = stepwise_file(tmp_path, [[0.5, 0.5]])
    with pytest.raises(MisstepError, match="or --labels automatic"):
        main(["--solutions", str(path), "--out", str(tmp_path / "snapshot")])
