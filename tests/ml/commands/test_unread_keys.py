"""Keys of a file that no snapshot has."""

from __future__ import annotations

import json

import pytest

from ml.commands.snapshot import main
from tests.autolabels.files import write_lines
from tests.ml.commands.test_snapshot import frozen
from tests.ml.prm.toys import sums


@pytest.mark.parametrize("key", ["ticket", "mistake_reason"])
def test_keys_of_the_file_that_no_snapshot_has_are_told_with_their_number_of_lines(tmp_path, capsys, key):
    looks = [{"annotator": "ann", "first_mistake": None}]
    line = {"problem": "1 + 1?", "answer": "2", "steps": ["1 + 1 = 2."], "annotations": looks}
    path = write_lines(tmp_path / "own.jsonl", [{**line, key: 1}, {**line, "problem": "2 + 0?"}])
    given = ["--solutions", str(path), "--format", "annotated", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out.splitlines()[-1])["unread_keys"] == {key: 1}
    assert f"not read, so not in the snapshot: {key} (1)" in printed.err


def test_a_file_of_which_everything_is_read_has_no_unread_keys(tmp_path, capsys):
    _, told = frozen(tmp_path, capsys, sums(2))
    assert "unread_keys" not in told
