"""`python -m ml snapshot`: from a file of one's own labels to a checkpoint, without the site."""

from __future__ import annotations

import gc
import json
from collections import Counter
from dataclasses import replace

import pytest

from ml.__main__ import main as ml_main
from ml.commands.snapshot import main
from ml.errors import BadRecord, MisstepError
from ml.formats import read
from ml.records import Solution
from ml.snapshot import leaked_problems, read_snapshot
from ml.targets import LabelRule
from ml.targets.file_rows import rows_from
from tests.autolabels.files import estimate_line, write_lines
from tests.data import real_data
from tests.ml.prm.commands import processbench_file
from tests.ml.prm.toys import sums


def frozen(tmp_path, capsys, rows, *options, out="snapshot"):
    path = processbench_file(tmp_path, rows)
    given = ["--solutions", str(path), "--format", "processbench", "--out", str(tmp_path / out), *options]
    assert main(given) == 0
    return read_snapshot(tmp_path / out), json.loads(capsys.readouterr().out.splitlines()[-1])


def test_own_labels_train_a_model_without_the_site(tmp_path, capsys):
    rows = sums(40)
    snapshot, told = frozen(tmp_path, capsys, rows)
    assert told["sha256"] == snapshot.sha256 and told["counts"]["rows"] == 40
    by_id = {row.id: row for row in snapshot}
    assert [(by_id[row.id].labels, by_id[row.id].first_mistake) for row in rows] == [
        (row.labels, row.first_mistake) for row in rows
    ]
    assert {row.split for row in by_id.values()} == {"train", "validation", "test"}
    out = tmp_path / "checkpoint"
    quick = ["--base", "small", "--steps", "2", "--batch-size", "8", "--out", str(out)]
    assert ml_main(["train", "--snapshot", str(tmp_path / "snapshot"), *quick]) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["snapshot"] == {"sha256": snapshot.sha256, "name": "solutions.jsonl"}
    assert card["counts"]["train_rows"] == told["counts"]["train"]


def test_the_last_report_counts_all_of_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    path = processbench_file(tmp_path, sums(40))
    given = ["--solutions", str(path), "--format", "processbench", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    *reports, _result = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (reports[-1]["progress"]["done"], reports[-1]["progress"]["total"]) == (40, 40)


def test_progress_counts_a_solution_once_however_many_people_looked(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    looks = [{"annotator": name, "first_mistake": None} for name in ("ann", "bo", "cy")]
    path = tmp_path / "own.jsonl"
    write_lines(path, [{"problem": "1 + 1?", "answer": "2", "steps": ["1 + 1 = 2."], "annotations": looks}])
    given = ["--solutions", str(path), "--format", "annotated", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    *reports, _result = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (reports[-1]["progress"]["done"], reports[-1]["progress"]["unit"]) == (1, "solutions")


def test_solutions_of_one_text_of_a_problem_are_of_one_problem_in_one_split(tmp_path, capsys):
    row = sums(2)[1]
    again = replace(row, id="again")
    other = replace(row, id="other", problem="  " + row.problem.upper(), steps=[*row.steps, "so it is"])
    snapshot, told = frozen(tmp_path, capsys, [row, again, other])
    found = list(snapshot)
    assert [one.id for one in found] == [row.id, "other"] and not leaked_problems(found)
    assert found[0].problem_id == found[1].problem_id
    # The one that stands twice was looked at twice.
    assert found[0].human["annotators"] == 2 and told["filters"] == {"repeated_solutions": 1}


def test_what_only_a_later_line_knows_of_a_solution_is_known(tmp_path):
    solution = {"problem": "2 + 1 = ?", "steps": ["2 + 1 = 4"]}
    lines = [
        {**solution, "annotations": [{"annotator": "a", "first_mistake": 0}]},
        {**solution, "answer": "3", "final_answer": "4", "is_correct": False, "generator": "model",
         "annotations": []},
    ]  # fmt: skip
    path = write_lines(tmp_path / "looks.jsonl", lines)
    (row,) = rows_from("looks.jsonl", read(path, "annotated"), {}, LabelRule("human"), Counter())
    assert (row.answer, row.final_answer, row.is_correct, row.generator) == ("3", "4", False, "model")


def test_most_of_those_who_looked_at_a_solution_decide(tmp_path, capsys):
    row = replace(sums(2)[0], first_mistake=None)
    rows = [row, replace(row, id="b", first_mistake=1), replace(row, id="c", first_mistake=1)]
    snapshot, _ = frozen(tmp_path, capsys, rows)
    (one,) = snapshot
    assert one.first_mistake == 1 and one.labels == [1.0, 0.0, None]


def test_a_person_has_one_name_at_every_place_among_the_looks(tmp_path, capsys):
    lines = [
        {
            "id": f"p{index}",
            "problem": f"What is 1 + {index}?",
            "steps": ["One step.", "Another step."],
            "annotations": [{"annotator": name, "first_mistake": None} for name in names],
        }
        for index, names in enumerate([["ann", "bo"], ["bo", "ann"], ["cy", "bo"]])
    ]
    path = write_lines(tmp_path / "own.jsonl", lines)
    given = ["--solutions", str(path), "--format", "annotated", "--out", str(tmp_path / "snapshot")]
    assert main(given) == 0
    witnesses = {row.id: set(row.human["witnesses"]) for row in read_snapshot(tmp_path / "snapshot")}
    found = {name for names in witnesses.values() for name in names}
    assert found == {"imported:ann", "imported:bo", "imported:cy"} and all(
        len(names) == 2 for names in witnesses.values()
    )


def test_estimates_stand_beside_the_file_s_labels(tmp_path, capsys):
    row = sums(1)[0]
    estimates = write_lines(tmp_path / "estimates.jsonl", [estimate_line(row.id, [4, 0, 0])])
    snapshot, told = frozen(tmp_path, capsys, [row], "--estimates", str(estimates), "--labels", "automatic")
    assert told["labels"] == "automatic" and next(iter(snapshot)).labels == [1.0, 0.0, None]
    mixed, told = frozen(tmp_path, capsys, [row], "--estimates", str(estimates), out="mixed")
    (one,) = mixed
    assert told["labels"] == "mixed" and one.labels == [1.0, 1.0, 1.0]
    assert one.human is not None and one.automatic["correct"] == [4, 0, 0]
    rule = ("--label-rule", "agreement_weighted")
    weighted, told = frozen(tmp_path, capsys, [row], "--estimates", str(estimates), *rule, out="weighted")
    assert told["rule"]["mixture"] == "agreement_weighted" and next(iter(weighted)).labels[1] == 0.5


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            [("sum-0-0", [4, 0])],
            r"solutions.jsonl:1: record sum-0-0: estimates of 2 steps, expected those of its 3",
        ),
        ([("sum-0-9", [4, 0, 0])], r"1 of its ids are not in .*\(sum-0-9\)"),
        ([("sum-0-0", [4, 0, 0])] * 2, "id 'sum-0-0' a second time"),
        ([], "estimates.jsonl:1: no line, expected a line for each solution"),
    ],
)
def test_estimates_that_do_not_fit_the_file_are_refused_with_their_id(tmp_path, capsys, lines, complaint):
    estimates = write_lines(tmp_path / "estimates.jsonl", [estimate_line(*line) for line in lines])
    with pytest.raises((BadRecord, MisstepError), match=complaint):
        frozen(tmp_path, capsys, sums(1), "--estimates", str(estimates))
    assert not (tmp_path / "snapshot").exists()


def test_a_file_without_labels_of_the_kind_is_refused_and_says_why(tmp_path, capsys):
    with pytest.raises(MisstepError, match=r"automatic labels are on none .* solutions without evidence: 2"):
        frozen(tmp_path, capsys, sums(2), "--labels", "automatic")


def test_what_would_change_nothing_is_refused(tmp_path, capsys):
    with pytest.raises(MisstepError, match="--target would change nothing in labels human"):
        frozen(tmp_path, capsys, sums(2), "--target", "soft")


def test_a_folder_with_files_is_not_written_over(tmp_path, capsys):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "notes.txt").write_text("mine")
    with pytest.raises(MisstepError, match="already holds files"):
        frozen(tmp_path, capsys, sums(2))


@pytest.mark.parametrize(
    ("name", "format", "labels"),
    [("processbench", "processbench", "human"), ("prm800k", "prm800k", "human"),
     ("math_shepherd", "math_shepherd", "automatic"), ("big_bench_mistake", "big_bench_mistake", "human")],
)  # fmt: skip
def test_real_files_freeze_by_the_labels_that_they_have(tmp_path, capsys, name, format, labels):
    path = sorted(real_data(name).glob("*.jsonl*"))[0]
    lines = path.read_text(encoding="utf-8").splitlines()[:40]
    some = tmp_path / "some.jsonl"
    some.write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = ["--solutions", str(some), "--format", format, "--labels", labels, "--out", str(tmp_path / "out")]
    assert main(given) == 0
    rows = list(read_snapshot(tmp_path / "out"))
    assert rows and all(any(label is not None for label in row.labels) for row in rows)


def test_a_solution_is_let_go_of_when_its_row_has_come(tmp_path):
    path = processbench_file(tmp_path, sums(40))
    before = _solutions_held()
    rows = rows_from(str(path), read(path, "processbench"), {}, LabelRule("human"), Counter())
    first = next(rows)
    assert first.steps and _solutions_held() - before >= 38
    assert len(list(rows)) == 39 and _solutions_held() - before <= 1


def _solutions_held() -> int:
    return sum(type(one) is Solution for one in gc.get_objects())


def test_gold_beside_a_fusion_tells_how_well_its_posterior_is_calibrated(tmp_path, capsys):
    rows = sums(30)
    lines = [
        estimate_line(row.id, [0 if row.first_mistake in range(k + 1) else 4 for k in range(3)])
        for row in rows
    ]
    estimates = write_lines(tmp_path / "estimates.jsonl", lines)
    gold = tmp_path / "gold.jsonl"
    gold.write_bytes(processbench_file(tmp_path, rows[:10]).read_bytes())
    fusion = ("--estimates", str(estimates), "--label-rule", "fusion", "--gold", str(gold))
    snapshot, told = frozen(tmp_path, capsys, rows, *fusion)
    found = snapshot.manifest["calibration"]
    assert told["calibration"] == found
    # Gold and labels are the same people's: rollouts and answers alone testify on the ten.
    assert (found["solutions"], found["without_witness"], found["exact"]) == (10, 0, 1.0)
    assert found["posterior"]["steps"] == 30 and found["posterior"]["expected_calibration_error"] < 0.1
    # Without rollouts nobody else has a word on them, and that is told.
    given = [
        "--solutions",
        str(tmp_path / "solutions.jsonl"),
        "--format",
        "processbench",
        "--labels",
        "mixed",
    ]
    alone = ["--label-rule", "fusion", "--gold", str(gold), "--out", str(tmp_path / "alone")]
    assert main([*given, *alone]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["calibration"] == {} and "so calibration is empty" in said.err
    with pytest.raises(MisstepError, match="--gold without --label-rule fusion"):
        frozen(tmp_path, capsys, rows, "--gold", str(gold), out="human")


def test_shares_of_distinct_ends_are_neither_frozen_nor_learned(tmp_path, capsys):
    rows = sums(40)
    lines = [estimate_line(row.id, [4, 3, 0]) for row in rows]
    estimates = str(write_lines(tmp_path / "estimates.jsonl", lines))
    (tmp_path / "run.json").write_text(json.dumps({"method": "rstar"}))
    asked = ("--estimates", estimates, "--labels", "automatic")
    with pytest.raises(MisstepError, match="--target soft with estimates of rstar"):
        frozen(tmp_path, capsys, rows, *asked, "--target", "soft", out="soft")
    snapshot, _ = frozen(tmp_path, capsys, rows, *asked)
    assert snapshot.manifest["lineage"]["method"] == "rstar"
    train = ["train", "--snapshot", str(tmp_path / "snapshot"), "--base", "small", "--steps", "1"]
    assert ml_main([*train, "--target", "soft", "--out", str(tmp_path / "refused")]) == 1
    assert "estimates of rstar, whose shares count each distinct end once" in capsys.readouterr().err
    assert ml_main([*train, "--out", str(tmp_path / "hard")]) == 0


def test_a_line_names_its_method_itself_and_where_nothing_does_a_warning_says_so(tmp_path, capsys):
    rows = sums(40)
    lines = [estimate_line(row.id, [4, 3, 0]) for row in rows]
    estimates = tmp_path / "estimates.jsonl"
    # The parts of a run, joined without the run.json of one.
    asked = ("--estimates", str(estimates), "--labels", "automatic", "--target", "soft")
    write_lines(estimates, [*lines[1:], {**lines[0], "method": "rest-mcts"}])
    with pytest.raises(MisstepError, match="--target soft with estimates of rest-mcts"):
        frozen(tmp_path, capsys, rows, *asked, out="refused")
    write_lines(estimates, [{**line, "method": "omegaprm"} for line in lines])
    snapshot, _ = frozen(tmp_path, capsys, rows, *asked, out="named")
    assert snapshot.manifest["lineage"]["method"] == "omegaprm"
    capsys.readouterr()
    write_lines(estimates, lines)
    given = ["--solutions", str(tmp_path / "solutions.jsonl"), "--format", "processbench", *asked]
    assert ml_main(["snapshot", *given, "--out", str(tmp_path / "unknown")]) == 0
    assert "say by which method: shares of rstar or rest-mcts are no" in capsys.readouterr().err
