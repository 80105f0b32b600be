"""`python -m ml curve`: models on growing samples, judged on held-out problems, and what a human label is worth."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from ml.__main__ import main as ml_main
from ml.commands.curve import main
from ml.errors import MisstepError
from ml.prm import curve, train
from ml.prm.curve_samples import by_problem, rollouts_of
from ml.prm.request import Request
from ml.snapshot import problem_hash, read_snapshot
from tests.ml.prm.commands import snapshot_of
from tests.ml.prm.toys import sums

QUICK = ["--base", "small", "--epochs", "1", "--batch-size", "4", "--sizes", "8", "16"]


def judged_rows(count, seed, split):
    """Sums that people and four rollouts behind each step judged alike."""
    rows = []
    for row in sums(count, seed, split):
        first, steps = row.first_mistake, len(row.steps)
        ratings = [None if label is None else 1 if label else -1 for label in row.labels]
        said = {"ratings": ratings, "first_mistake": first, "finish_reason": "found_error", "annotators": 1}
        if first is None:
            said["finish_reason"] = "solution"
        soft = [float(first is None or k < first) for k in range(steps)]
        evidence = {"visits": [4] * steps, "correct": [int(4 * share) for share in soft], "soft": soft}
        evidence["hard"] = [int(share) for share in soft]
        rows.append(replace(row, human=said, automatic=evidence, final_answer=None))
    return rows


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    rows = [
        *judged_rows(16, 0, "train"),
        *judged_rows(12, 1, "validation"),
        *judged_rows(12, 2, "test"),
    ]
    return snapshot_of(tmp_path_factory.mktemp("curve"), rows)


def run(snapshot, out, *more):
    return main(["--snapshot", str(snapshot), "--out", str(out), *QUICK, *more])


def points_of(out):
    return [json.loads(line) for line in (out / "points.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def measured(snapshot, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "curve"
    assert run(snapshot, out, "--seeds", "2") == 0
    return out


def test_every_size_and_seed_of_each_kind_is_a_point_whose_updates_grow_with_its_data(measured):
    points = points_of(measured)
    places = {(point["labels"], point["size"], point["seed"]) for point in points}
    assert len(points) == 8
    assert places == {
        (kind, size, seed) for kind in ("human", "automatic") for size in (8, 16) for seed in (0, 1)
    }
    assert {(point["size"], point["updates"]) for point in points} == {(8, 2), (16, 4)}
    assert all(0 <= point["f1"] <= 1 and point["count"] == 24 for point in points)


def test_rollouts_are_counted_for_automatic_labels_alone(measured):
    spent = {(point["labels"], point["size"]): point["rollouts"] for point in points_of(measured)}
    assert spent["human", 8] == spent["human", 16] == 0
    # A right sum's last step is graded by its own answer; that of a wrong one, of which no answer is known, is not.
    assert 8 * 2 * 4 <= spent["automatic", 8] <= 8 * 3 * 4


def test_each_kind_has_a_curve_of_its_points_means_over_as_many_problems_as_the_other(measured):
    points = {(p["labels"], p["size"], p["seed"]): p for p in points_of(measured)}
    curves = json.loads((measured / "curve.json").read_text())["curves"]
    assert set(curves) == {"human", "automatic"}
    for kind, rows in curves.items():
        assert [(row["size"], row["seeds"]) for row in rows] == [(8, 2), (16, 2)]
        for row in rows:
            found = [points[kind, row["size"], seed] for seed in (0, 1)]
            assert [point["problems"] for point in found] == [row["size"]] * 2
            for name in ("f1", "step_auc"):
                assert row[name] == pytest.approx(sum(point[name] for point in found) / 2)


def test_a_table_the_answer_and_plots_stand_beside_the_points(measured):
    text = (measured / "curve.md").read_text()
    assert "| human | 16 | 0 | 2 | " in text and "What a human label is worth, by F1:" in text
    assert "Fewer than three seeds" in text
    assert "<svg" in (measured / "f1.svg").read_text() and "<svg" in (measured / "step_auc.svg").read_text()
    assert not list(measured.glob("*.state")) and not measured.with_name("curve.lock").exists()


def test_points_that_are_there_are_not_trained_again_and_a_torn_line_is(
    snapshot, measured, monkeypatch, capsys
):
    lines = (measured / "points.jsonl").read_text().splitlines(keepends=True)
    (measured / "points.jsonl").write_text("".join(lines[:-1]) + lines[-1][:20])
    trained = []
    real = curve.fit
    monkeypatch.setattr(curve, "fit", lambda ready, *rest: trained.append(ready) or real(ready, *rest))
    assert run(snapshot, measured, "--seeds", "2") == 0
    again = points_of(measured)
    assert len(trained) == 1
    for before, after in zip(map(json.loads, lines), again, strict=True):
        assert before | {"seconds": 0} == after | {"seconds": 0}
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["available"] == {"human": 16, "automatic": 16} and told["worth"]["f1"]


def test_a_stopped_training_goes_on_from_its_state_and_reaches_the_same_point(
    snapshot, measured, tmp_path, monkeypatch
):
    update, updates = train.gradients_of, []

    def stopping(*arguments):
        updates.append(1)
        if len(updates) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(*arguments)

    monkeypatch.setattr(train, "gradients_of", stopping)
    out = tmp_path / "curve"
    given = ["--labels", "human", "--sizes", "16", "--seeds", "1"]
    assert run(snapshot, out, *given) == 143
    assert (out / "human-16-0.state").is_dir() and not (out / "points.jsonl").exists()
    assert run(snapshot, out, *given) == 0
    assert len(updates) == 4
    (point,) = points_of(out)
    (same,) = [p for p in points_of(measured) if (p["labels"], p["size"], p["seed"]) == ("human", 16, 0)]
    assert point | {"seconds": 0} == same | {"seconds": 0}
    assert not (out / "human-16-0.state").exists()


def with_right_ones_first(seed):
    """Rows of which the sample of the smaller size and this seed has right ones alone."""
    rows = [replace(row, options=[]) for row in judged_rows(40, 0, "train")]
    right = [row for row in rows if row.first_mistake is None]
    first = by_problem(right, seed)[:8]
    # What stands between these in the sample's order are mistakes: they are left away.
    order = by_problem(rows, seed)
    last = max(order.index(row) for row in first)
    return [row for row in order if row.first_mistake is None or order.index(row) > last]


@pytest.fixture
def partly_one_class(tmp_path):
    rows = [*with_right_ones_first(0), *judged_rows(12, 1, "validation"), *judged_rows(12, 2, "test")]
    return snapshot_of(tmp_path, rows)


def test_a_sample_of_one_class_is_told_and_left_out_and_the_other_points_are_measured(
    partly_one_class, tmp_path, capsys
):
    out, given = tmp_path / "curve", ("--labels", "human", "--sizes", "8", "20", "--seeds", "2")
    # The second time nothing is trained again, and the same is told.
    for _ in range(2):
        assert run(partly_one_class, out, *given) == 0
        said = capsys.readouterr()
        assert "human-8-0 is left out: all 24 labelled steps to train on (8 solutions) are right" in said.err
        assert {(point["size"], point["seed"]) for point in points_of(out)} == {(8, 1), (20, 0), (20, 1)}
        assert len(points_of(out)) == 3
        (left,) = json.loads(said.out.splitlines()[-1])["left_out"]
        assert (left["labels"], left["size"], left["seed"]) == ("human", 8, 0)
        assert "- human labels, 8 solutions, seed 0: all 24 labelled" in (out / "curve.md").read_text()
    assert not list(out.glob("*.state"))


def test_a_curve_of_which_no_sample_teaches_anything_is_refused(partly_one_class, tmp_path):
    with pytest.raises(MisstepError, match="no sample taught anything: all 24 labelled steps"):
        run(partly_one_class, tmp_path / "curve", "--labels", "human", "--sizes", "8", "--seeds", "1")


def test_a_sample_without_a_pair_is_left_out_as_well(tmp_path, capsys):
    rows = [replace(row, options=[]) for row in judged_rows(16, 0, "train")]
    paired = [
        *rows[:15],
        *(replace(row, problem=rows[0].problem, id=f"{row.id}-again") for row in rows[1:4:2]),
    ]
    held = [*judged_rows(12, 1, "validation"), *judged_rows(12, 2, "test")]
    snapshot = snapshot_of(tmp_path, [*paired, *held])
    given = ("--labels", "human", "--sizes", "1", "17", "--seeds", "1", "--objective", "preference")
    assert run(snapshot, tmp_path / "curve", *given) == 0
    assert "human-1-0 is left out: none of the 1 solutions" in capsys.readouterr().err
    assert [point["size"] for point in points_of(tmp_path / "curve")] == [17]


def test_a_folder_with_points_of_other_settings_is_refused(snapshot, measured):
    told = r"measured with learning_rate as usual, expected 0\.01, or a new folder"
    with pytest.raises(MisstepError, match=told):
        run(snapshot, measured, "--seeds", "2", "--learning-rate", "0.01")
    with pytest.raises(MisstepError, match=r'with manifest as usual, expected \["[^"]*manifest\.json"\]'):
        run(snapshot, measured, "--seeds", "2", "--manifest", f"{snapshot}/manifest.json")


def test_a_folder_with_other_files_is_refused(snapshot, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(MisstepError, match="already holds files"):
        run(snapshot, tmp_path)


def test_sizes_beyond_the_labels_are_left_out_and_too_few_labels_are_refused(snapshot, tmp_path):
    with pytest.raises(
        MisstepError, match="human labels on 16 solutions of split train, expected at least 50"
    ):
        run(snapshot, tmp_path / "out", "--sizes", "50", "100")
    more = snapshot_of(tmp_path, judged_rows(10, 3, "train"))
    with pytest.raises(MisstepError, match="human labels on 26 solutions"):
        manifests = ["--manifest", f"{snapshot}/manifest.json", "--manifest", f"{more}/manifest.json"]
        run(snapshot, tmp_path / "joined", "--snapshot", str(more), "--sizes", "50", *manifests)


def test_held_out_problems_need_peoples_labels_of_both_kinds(tmp_path):
    rows = [*judged_rows(16, 0, "train"), *(row for row in judged_rows(12, 1, "test") if row.is_correct)]
    with pytest.raises(MisstepError, match="people's labels on 6 solutions, expected several problems"):
        run(snapshot_of(tmp_path, rows), tmp_path / "out")


def test_each_half_of_the_held_out_problems_needs_both_kinds(tmp_path):
    held = [
        row
        for row in judged_rows(40, 1, "test")
        if bool(row.is_correct) == int(problem_hash(row.problem), 16) // 10 % 2
    ]
    told = "with and without a mistake in each half of them, to measure on"
    with pytest.raises(MisstepError, match=told):
        run(snapshot_of(tmp_path, [*judged_rows(16, 0, "train"), *held]), tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--steps", "40"], "--steps with curve, expected it left out: updates grow with the data"),
        (["--limit", "4"], "--limit with curve"),
        (["--labels", "human", "--target", "soft"], "--target would change nothing in labels human"),
        (["--objective", "magic"], "objective 'magic'"),
    ],
)
def test_what_a_curve_has_no_place_for_is_refused(snapshot, tmp_path, capsys, given, told):
    arguments = ["curve", "--snapshot", str(snapshot), "--out", str(tmp_path / "out"), *QUICK, *given]
    assert ml_main(arguments) != 0
    assert told in capsys.readouterr().err


def test_an_option_for_rollouts_leaves_human_labels_as_they_are_and_mixed_ones_pay_for_theirs(
    snapshot, tmp_path
):
    out = tmp_path / "curve"
    given = ["--labels", "human", "automatic", "mixed", "--target", "soft", "--sizes", "8", "--seeds", "1"]
    assert run(snapshot, out, *given, "--splits", "test") == 0
    found = {point["labels"]: point for point in points_of(out)}
    assert found["human"]["rollouts"] == 0 and found["mixed"]["rollouts"] == found["automatic"]["rollouts"]
    assert {point["count"] for point in found.values()} == {12}
    assert json.loads((out / "settings.json").read_text())["target"] == "soft"


def test_labels_fused_over_a_whole_snapshot_are_fused_anew_over_a_sample(tmp_path):
    rows = [
        replace(row, labels=[0.125] * 3, label_source=["fused"] * 3) for row in judged_rows(8, 0, "train")
    ]
    fused = read_snapshot(
        snapshot_of(tmp_path, rows, name="fused", labels="mixed", rule={"mixture": "fusion"})
    )
    request = Request(fused.folder, tmp_path / "out", labels="mixed")
    assert 0.125 not in curve._fused_anew(rows, request, fused)[0].labels
    plain = read_snapshot(snapshot_of(tmp_path, rows, name="plain", labels="mixed"))
    assert curve._fused_anew(rows, request, plain) is rows


def test_samples_are_nested_and_keep_a_problems_solutions_together():
    rows = [replace(row, id=f"{row.id}-{k}") for k in range(3) for row in sums(10)]
    order = by_problem(rows, seed=5)
    names = [problem_hash(row.problem) for row in order]
    assert [len({*names[k : k + 3]}) for k in range(0, 30, 3)] == [1] * 10
    assert names != [problem_hash(row.problem) for row in by_problem(rows, seed=6)]
    # Whoever has labels on some of the problems only meets these in the same order.
    some = [row for row in rows if problem_hash(row.problem) in set(names[6:21])]
    assert by_problem(some, seed=5) == order[6:21]


def test_a_finished_solutions_last_step_took_no_rollouts_and_a_trees_are_unknown():
    row = replace(sums(1)[0], automatic={"visits": [8, 8, 8]}, final_answer="12", is_correct=True)
    assert rollouts_of(row) == 16
    assert rollouts_of(replace(row, is_correct=None, final_answer=None)) == 24
    assert rollouts_of(replace(row, automatic={"hard": [1, 1, 1]})) is None
    assert rollouts_of(replace(row, automatic={"visits": [8, 8, 8], "lowest_q": -1.0})) is None
    assert rollouts_of(replace(row, automatic=None)) == 0
