"""ProcessBench's metric on hand-worked cases, and the threshold against trying every one."""

from __future__ import annotations

import json
import math
import random

import pytest

from ml.commands.evaluate import main
from ml.errors import MisstepError
from ml.evaluation.first_mistake import (
    MISSING,
    best_threshold,
    first_mistake_report,
    harmonic,
    metric,
    predict,
    threshold_curve,
)
from ml.snapshot import problem_hash, split_of


def test_the_first_step_below_the_threshold_is_the_prediction():
    assert predict([0.9, 0.4, 0.1], 0.5) == 1
    assert predict([0.9, 0.5], 0.5) is None
    assert predict([0.9, None, 0.1], 0.5) == MISSING
    assert predict([0.1, None], 0.5) == 0  # What decided came before the gap.


def test_f1_of_the_reference_vector():
    assert harmonic(0.6, 0.9) == pytest.approx(0.72)
    assert harmonic(0.0, 0.0) == 0.0


def test_the_metric_counts_exact_answers_in_both_kinds():
    said, truth = [0, 1, None, None, MISSING, 2], [0, 2, None, 1, None, None]
    found = metric(said, truth)
    assert found["accuracy_wrong"] == pytest.approx(1 / 3)
    assert found["accuracy_right"] == pytest.approx(1 / 3)
    assert found["exact"] == pytest.approx(2 / 6)
    assert (found["count_wrong"], found["count_right"]) == (3, 3)


def drawn(seed: int, count: int = 60):
    """Scores that know something about the truth, on a coarse grid so that ties happen."""
    generator = random.Random(seed)
    scores, truths = [], []
    for _ in range(count):
        length = generator.randint(1, 6)
        truth = generator.randrange(length) if generator.random() < 0.5 else None
        values = [generator.randint(3, 10) / 10 for _ in range(length)]
        if truth is not None:
            values[truth] = generator.randint(0, 7) / 10
        scores.append(values)
        truths.append(truth)
    return scores, truths


@pytest.mark.parametrize("seed", range(8))
def test_the_chosen_threshold_is_the_best_of_all(seed):
    scores, truths = drawn(seed)
    tried = [k / 200 for k in range(0, 221)]
    best = max(metric([predict(v, t) for v in scores], truths)["f1"] for t in tried)
    assert first_mistake_report(scores, truths)["f1"] == pytest.approx(best)


def test_a_threshold_is_found_where_only_one_kind_of_solution_exists():
    scores = [[0.9, 0.2], [0.8, 0.7]]
    right = best_threshold(scores, [None, None])
    assert [predict(values, right) for values in scores] == [None, None]
    wrong = best_threshold(scores, [1, 1])
    assert [predict(values, wrong) for values in scores] == [1, 1]


def test_the_chosen_threshold_is_the_middle_of_the_best_stretch():
    assert best_threshold([[0.9, 0.2], [0.8, 0.95]], [1, None]) == pytest.approx(0.5)
    # No number lies between these two, so the stretch's end is all of it.
    above = math.nextafter(0.5, 1.0)
    assert best_threshold([[0.5], [above]], [0, None]) == above


def separable(seed: int):
    """Mistakes score below 0.3 and all other steps above 0.7."""
    generator = random.Random(seed)
    truths = [index % 2 or None for index in range(20)]
    good = [[generator.uniform(0.7, 1.0) for _ in range(2)] for _ in truths]
    return [
        [one, two if truth is None else two - 0.7] for (one, two), truth in zip(good, truths, strict=True)
    ], truths


def test_a_threshold_from_few_separable_solutions_separates_others_as_well():
    found = []
    for seed in range(50):
        threshold = best_threshold(*separable(seed))
        scores, truths = separable(1000 + seed)
        found.append(metric([predict(values, threshold) for values in scores], truths)["f1"])
    # The upper end of the best stretch, the lowest good score seen, reached 0.95.
    assert sum(found) / len(found) > 0.99


def files(folder, scores, truths, problems=None, are_correct=None):
    folder.mkdir(exist_ok=True)
    solutions, scores_path = folder / "solutions.jsonl", folder / "scores.jsonl"
    with solutions.open("w") as one, scores_path.open("w") as two:
        for index, (values, truth) in enumerate(zip(scores, truths, strict=True)):
            record = {
                "id": f"s{index}", "generator": "toy", "problem": problems[index] if problems else f"problem {index}",
                "steps": [f"step {k}" for k in range(len(values))], "label": -1 if truth is None else truth,
                "final_answer_correct": are_correct[index] if are_correct else truth is None,
            }  # fmt: skip
            one.write(json.dumps(record) + "\n")
            two.write(json.dumps({"id": f"s{index}", "scores": values}) + "\n")
    return solutions, scores_path


def evaluated(capsys, solutions, scores, *further):
    arguments = ["first-mistake", "--scores", str(scores), "--solutions", str(solutions)]
    main([*arguments, "--format", "processbench", *further])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_command_reports_the_metric_and_where_the_threshold_came_from(tmp_path, capsys):
    scores, truths = drawn(1)
    solutions, path = files(tmp_path, scores, truths)
    given = evaluated(capsys, solutions, path, "--threshold", "0.45")
    expected = metric([predict(values, 0.45) for values in scores], truths)
    assert {name: given[name] for name in expected} == pytest.approx(expected)
    assert given["threshold_chosen_on"] == "given"
    own = evaluated(capsys, solutions, path)
    assert own["threshold_chosen_on"] == "solutions.jsonl itself" and own["f1"] >= given["f1"]
    assert own["held_out"]["threshold_chosen_on"] == "the other half of the problems"
    other, other_scores = files(tmp_path / "other", *drawn(2), [f"other problem {k}" for k in range(60)])
    moved = evaluated(
        capsys, solutions, path, "--threshold-solutions", str(other), "--threshold-scores", str(other_scores)
    )
    assert moved["threshold"] == best_threshold(*drawn(2))


@pytest.mark.parametrize(("one", "other"), [("solutions", "scores"), ("scores", "solutions")])
def test_half_of_what_a_threshold_is_chosen_on_is_refused(tmp_path, capsys, one, other):
    solutions, path = files(tmp_path, *drawn(1))
    with pytest.raises(MisstepError, match=f"--threshold-{one} without --threshold-{other}, expected both"):
        evaluated(capsys, solutions, path, f"--threshold-{one}", str(path))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_problems_of_one_split_fall_into_both_halves(tmp_path, capsys, split):
    problems = [name for name in map("problem {}".format, range(400)) if split_of(name) == split]
    # Every threshold above 0.1 and up to 0.3 is right, and the usual 0.5 is not.
    truths = [index // 2 % 2 or None for index in range(len(problems))]
    scores = [[0.3, 0.3 if truth is None else 0.1] for truth in truths]
    report = evaluated(capsys, *files(tmp_path, scores, truths, problems))
    assert report["held_out"]["f1"] == 1.0


def prm800k_line(ratings, finish_reason):
    steps = [
        {"completions": [{"text": f"step {k}", "rating": rating, "flagged": None}], "human_completion": None,
         "chosen_completion": 0}
        for k, rating in enumerate(ratings)
    ]  # fmt: skip
    label = {"steps": steps, "total_time": 1, "finish_reason": finish_reason}
    return json.dumps({"question": {"problem": "1 + 1?", "ground_truth_answer": "2"}, "label": label})


@pytest.fixture
def looks(tmp_path):
    """Two finished looks; then a bad problem, one given up, and one that breaks a label rule."""
    path = tmp_path / "looks.jsonl"
    looks = [
        ([1, -1], "found_error"), ([1, 1], "solution"), ([1, 1], "bad_problem"), ([1, None], "give_up"),
        ([1, None], "solution"),
    ]  # fmt: skip
    path.write_text("".join(prm800k_line(*look) + "\n" for look in looks))
    return path


@pytest.mark.parametrize("kind", ["first-mistake", "critiques"])
def test_only_a_finished_look_that_keeps_the_label_rules_is_a_truth(tmp_path, capsys, looks, kind):
    said = {"first-mistake": ("scores", [0.9, 0.9]), "critiques": ("critiques", [-1])}[kind]
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps({"id": str(k), said[0]: said[1]}) + "\n" for k in range(1, 6)))
    main([kind, f"--{said[0]}", str(path), "--solutions", str(looks), "--format", "prm800k"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["count_wrong"], report["count_right"], report["without_label"]) == (1, 1, 3)


def test_without_another_half_nothing_is_held_out(tmp_path, capsys):
    report = evaluated(capsys, *files(tmp_path, [[0.9], [0.1]], [None, 0], ["one problem"] * 2))
    assert report["f1"] == 1.0
    assert set(report["held_out"].values()) == {None} and "f1" in report["held_out"]


def test_a_half_with_one_kind_of_solution_teaches_the_other_no_threshold(tmp_path, capsys):
    problems = [f"problem {index}" for index in range(20)]
    halves = [int(problem_hash(name), 16) // 10 % 2 for name in problems]
    # A perfect model: every threshold above 0.1 and up to 0.6 is right about all solutions.
    truths = [1 if half else None for half in halves]
    scores = [[0.9, 0.6 if truth is None else 0.1] for truth in truths]
    paths = files(tmp_path, scores, truths, problems)
    report = evaluated(capsys, *paths, "--out", str(tmp_path / "out.jsonl"))
    assert report["f1"] == 1.0
    assert all(value is None for value in report["held_out"].values()) and "f1" in report["held_out"]
    assert '"held_out"' not in (tmp_path / "out.jsonl").read_text()
    faultless = evaluated(capsys, *files(tmp_path, [[0.9, 0.6]] * 20, [None] * 20, problems))
    assert faultless["held_out"]["accuracy_right"] == 1.0


def test_a_missing_prediction_counts_as_wrong(tmp_path, capsys):
    solutions, path = files(tmp_path, [[0.9], [0.1]], [None, 0])
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.warns(UserWarning, match="no scores of 1 of the 2 judged solutions"):
        report = evaluated(capsys, solutions, path, "--threshold", "0.5")
    assert report["accuracy_wrong"] == 0.0 and report["accuracy_right"] == 1.0 and report["missing"] == 1


def test_scores_of_another_length_or_of_other_solutions_are_refused(tmp_path, capsys):
    solutions, path = files(tmp_path, [[0.9, 0.8]], [None])
    path.write_text(json.dumps({"id": "s0", "scores": [0.9]}) + "\n")
    with pytest.raises(MisstepError, match="record s0: 1 scores for 2 steps"):
        evaluated(capsys, solutions, path)
    path.write_text(json.dumps({"id": "other", "scores": [0.9]}) + "\n")
    with pytest.raises(MisstepError, match="none of its ids"):
        evaluated(capsys, solutions, path)
    path.write_text('{"id": "s0", "scores": [NaN, 1]}\n')
    with pytest.raises(MisstepError, match=r"scores.jsonl:1: scores"):
        evaluated(capsys, solutions, path)


def test_the_threshold_curve_says_what_another_threshold_would_have_found():
    scores, truths = [[0.9, 0.2], [0.8, 0.7]], [1, None]
    rows = {row["threshold"]: row for row in threshold_curve(scores, truths, points=2)}
    assert list(rows) == [0.2, 0.7]
    # Nothing lies below 0.2; below 0.7 lies the wrong step alone.
    assert (rows[0.2]["accuracy_wrong"], rows[0.2]["accuracy_right"], rows[0.2]["f1"]) == (0.0, 1.0, 0.0)
    assert rows[0.7]["f1"] == 1.0
    assert threshold_curve([[None]], [0]) == []


def test_solutions_of_problems_that_it_was_trained_on_are_told_apart(tmp_path, capsys):
    problems = [f"problem {index}" for index in range(40)]
    truths = [index // 2 % 2 or None for index in range(40)]
    # By heart on the first half of the problems, and the wrong way round on the others.
    scores = [[0.9, 0.9 if (truth is None) == (index < 20) else 0.1] for index, truth in enumerate(truths)]
    known = tmp_path / "training_problems.txt"
    known.write_text("\n".join(problem_hash(name) for name in problems[:20]))
    paths = files(tmp_path, scores, truths, problems)
    report = evaluated(capsys, *paths, "--training-problems", str(known))
    assert (report["of_training_problems"], report["unseen"]["count"]) == (20, 20)
    assert report["unseen"]["accuracy_wrong"] == 0.0 < report["held_out"]["accuracy_wrong"]
    assert "unseen" not in evaluated(capsys, *paths)
    with pytest.raises(MisstepError, match=r"absent\.txt: no such file"):
        evaluated(capsys, *paths, "--training-problems", str(tmp_path / "absent.txt"))


def test_the_most_likely_mistakes_of_unseen_problems_are_as_if_the_others_were_in_no_file(tmp_path, capsys):
    scores, truths = drawn(3)
    problems = [f"problem {index}" for index in range(len(truths))]
    beside = [f"problem beside {index}" for index in range(len(truths))]
    known = tmp_path / "training_problems.txt"
    known.write_text("\n".join(map(problem_hash, problems[:20] + beside[:20])))
    whole = files(tmp_path / "whole", scores, truths, problems)
    others = files(tmp_path / "others", scores[20:], truths[20:], problems[20:])
    whole_beside = files(tmp_path / "whole-beside", scores, truths, beside)
    others_beside = files(tmp_path / "others-beside", scores[20:], truths[20:], beside[20:])

    def likely(paths, beside, *trained):
        given = (
            ("--threshold-solutions", str(beside[0]), "--threshold-scores", str(beside[1])) if beside else ()
        )
        return evaluated(capsys, *paths, *given, *trained)

    trained = ("--training-problems", str(known))
    for given, unseen_beside in ((None, None), (whole_beside, others_beside)):
        report, alone = likely(whole, given, *trained), likely(others, unseen_beside)
        assert report["unseen"]["most_likely"] == alone["most_likely"] != report["most_likely"]
        assert report["unseen"]["most_likely"]["count"] == 40
    known.write_text("\n".join(map(problem_hash, problems)))
    assert likely(whole, None, *trained)["unseen"]["most_likely"] is None
