"""Answers without labels: frozen where that is asked for, and what a model learns of them."""

from __future__ import annotations

import json

import pytest

from ml.__main__ import main
from ml.commands import snapshot as snapshot_command
from ml.errors import MisstepError
from ml.snapshot import read_snapshot
from ml.targets import LabelRule, label_rows
from tests.autolabels.files import write_lines
from tests.ml.prm.toys import sums

QUICK = ["--base", "small", "--head", "likelihood", "--steps", "2", "--batch-size", "8"]
OUTCOME = ["--objective", "outcome", "--validate-every", "1"]


def answers(tmp_path, rows, with_looks=False):
    lines = [
        {
            "id": row.id,
            "problem": row.problem,
            "steps": row.steps,
            "is_correct": row.is_correct,
            **({"annotations": _looks(row)} if with_looks else {}),
        }
        for row in rows
    ]
    return write_lines(tmp_path / "answers.jsonl", lines)


def _looks(row):
    return [] if row.id.endswith("7") else [{"annotator": "ann", "first_mistake": row.first_mistake}]


def frozen(tmp_path, capsys, rows, *options, format="records"):
    path = answers(tmp_path, rows, format == "annotated")
    out = tmp_path / "snapshot"
    given = ["--solutions", str(path), "--format", format, "--out", str(out), *options]
    assert snapshot_command.main(given) == 0
    return read_snapshot(out), json.loads(capsys.readouterr().out.splitlines()[-1])


def trained(tmp_path, *options):
    out = tmp_path / "checkpoint"
    given = ["--snapshot", str(tmp_path / "snapshot"), "--out", str(out)]
    assert main(["train", *given, *QUICK, *options]) == 0
    return json.loads((out / "card.json").read_text())


def test_final_answers_alone_are_kept_where_asked_and_train_an_outcome_model(tmp_path, capsys):
    snapshot, told = frozen(tmp_path, capsys, sums(40), "--keep-unlabelled")
    counts = told["counts"]
    assert counts["rows"] == counts["solutions_kept_without_labels"] == 40 and not counts["labelled_steps"]
    assert all(row.labels == [None] * 3 and row.human is row.automatic is None for row in snapshot)
    card = trained(tmp_path, *OUTCOME)
    assert card["counts"]["train_examples"] == counts["train"]
    history = (tmp_path / "checkpoint" / "metrics.jsonl").read_text().splitlines()
    assert all("validation_loss" in json.loads(line) for line in history)


def test_without_the_option_they_are_left_out_and_a_file_of_them_names_it(tmp_path, capsys):
    with pytest.raises(MisstepError, match=r"without evidence: 40.*--keep-unlabelled"):
        frozen(tmp_path, capsys, sums(40))


def test_what_has_no_known_answer_is_left_out_all_the_same(tmp_path, capsys):
    path = answers(tmp_path, sums(10))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    del lines[0]["is_correct"]
    write_lines(path, lines)
    given = ["--solutions", str(path), "--format", "records", "--out", str(tmp_path / "snapshot")]
    assert main(["snapshot", *given, "--keep-unlabelled"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["counts"]["rows"] == 9 and told["filters"] == {"solutions_without_evidence": 1}


def test_beside_labels_they_teach_by_their_answer(tmp_path, capsys):
    snapshot, _ = frozen(tmp_path, capsys, sums(40), "--keep-unlabelled", format="annotated")
    bare = [row for row in snapshot if not any(label is not None for label in row.labels)]
    assert {row.id for row in bare} == {f"sum-0-{k}" for k in (7, 17, 27, 37)}
    card = trained(tmp_path, "--outcomes")
    learned = sum(row.split == "train" for row in bare)
    assert card["counts"]["solutions_read_by_outcome"] == learned > 0
    assert "reads no solution" not in capsys.readouterr().err


def test_outcomes_that_read_no_solution_are_said_to(tmp_path, capsys):
    frozen(tmp_path, capsys, sums(40), format="annotated")
    trained(tmp_path, "--outcomes")
    assert "--outcomes reads no solution by its answer" in capsys.readouterr().err


def test_a_kept_answer_changes_no_label_of_fusion(tmp_path, capsys):
    snapshot, _ = frozen(tmp_path, capsys, sums(40), "--keep-unlabelled", format="annotated")
    rows, rule = list(snapshot), LabelRule(labels="mixed", mixture="fusion")
    labelled = [row for row in rows if row.human]
    assert len(labelled) < len(rows)
    together = {row.id: row.labels for row in label_rows(rows, rule)}
    assert all(together[row.id] == row.labels for row in label_rows(labelled, rule))


def test_the_same_file_frozen_with_and_without_them_is_two_snapshots(tmp_path, capsys):
    frozen(tmp_path, capsys, sums(40), format="annotated")
    with pytest.raises(MisstepError, match="other settings"):
        frozen(tmp_path, capsys, sums(40), "--keep-unlabelled", format="annotated")
